"""YAML documents against their shapes, with the wording of kubeadm and kubelet.

A field that is not known is an error here. The real `kubeadm init` only warns of one (its `config validate`
refuses it): a double that let it pass would hide a typing error of the lab.
"""

from __future__ import annotations

import re
from typing import Any

import yaml
from common.schema import ANY, DURATION, KINDS, KUBEADM, Map, Scalar, Struct

Document = dict[str, Any]

_DURATION = re.compile(r"0|-?(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+")


class DocumentError(Exception):
    """A document is not what it has to be."""


class _Loader(yaml.SafeLoader):
    """Refuses a key that is given twice, and leaves dates as the text that they are in JSON."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if key.value in seen:
                line = key.start_mark.line + 1
                raise DocumentError(
                    f"error converting YAML to JSON: yaml: unmarshal errors:\n"
                    f'  line {line}: key "{key.value}" already set in map'
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


_Loader.add_constructor("tag:yaml.org,2002:timestamp", yaml.SafeLoader.construct_yaml_str)


def load(text: str) -> list[Document]:
    """The documents of ``text``, each of a kind of its own, checked against its shape.

    Raises DocumentError.
    """
    try:
        found = [document for document in yaml.load_all(text, _Loader) if document is not None]
    except yaml.YAMLError as error:
        line = " ".join(str(error).split())
        raise DocumentError(f"error converting YAML to JSON: yaml: {line}") from None
    kinds: set[str] = set()
    for document in found:
        if not isinstance(document, dict):
            raise DocumentError("json: cannot unmarshal value into Go value of type map[string]interface {}")
        version, kind = document.get("apiVersion"), document.get("kind")
        if not version or not kind:
            raise DocumentError(
                f"invalid configuration for GroupVersionKind {version or ''}, Kind={kind or ''}: "
                "kind and apiVersion is mandatory information that must be specified"
            )
        if kind in kinds:
            raise DocumentError(f'invalid configuration: kind "{kind}" is specified twice in YAML file')
        kinds.add(kind)
        check(document)
    return found


def check(document: Document) -> None:
    """Raises DocumentError where the document is of no known kind or not of its shape."""
    version, kind = str(document["apiVersion"]), str(document["kind"])
    group, _, short = version.rpartition("/")
    if group == "kubeadm.k8s.io" and version != KUBEADM:
        raise DocumentError(
            f'your configuration file uses an old API spec: "{version}" (kind: "{kind}"). Please use an '
            f"older "
            "kubeadm and run 'kubeadm config migrate --old-config old-config-file --new-config "
            "new-config-file', which will write the new, similar spec using a newer API version."
        )
    gvk = f'schema.GroupVersionKind{{Group:"{group}", Version:"{short}", Kind:"{kind}"}}'
    if (version, kind) not in KINDS:
        raise DocumentError(
            f'error unmarshaling configuration {gvk}: no kind "{kind}" is registered for version "{version}"'
        )
    struct = KINDS[version, kind]
    if struct is None:
        return
    unknown: list[str] = []
    _check(document, struct, struct.name, "", unknown)
    if unknown:
        said = ", ".join(f'unknown field "{path}"' for path in unknown)
        raise DocumentError(f"error unmarshaling configuration {gvk}: strict decoding error: {said}")


def _check(value: Any, shape: Any, struct: str, path: str, unknown: list[str]) -> None:
    if shape is ANY or value is None:
        return
    if isinstance(shape, Struct):
        _expect(isinstance(value, dict), value, struct, path, f"v1beta4.{shape.name}")
        for key, inner in value.items():
            inside = f"{path}.{key}".lstrip(".")
            if key in shape.fields:
                _check(inner, shape.fields[key], shape.name, inside, unknown)
            else:
                unknown.append(inside)
    elif isinstance(shape, Map):
        _expect(isinstance(value, dict), value, struct, path, "map[string]")
        for inner in value.values():
            _check(inner, shape.of, struct, path, unknown)
    elif isinstance(shape, list):
        _expect(isinstance(value, list), value, struct, path, f"[]{_go(shape[0])}")
        for number, inner in enumerate(value):
            _check(inner, shape[0], struct, f"{path}[{number}]", unknown)
    elif isinstance(shape, Scalar):
        right = isinstance(value, shape.python) and isinstance(value, bool) == (bool in shape.python)
        _expect(right, value, struct, path, shape.go)
        if shape is DURATION and not _DURATION.fullmatch(value):
            raise DocumentError(f'time: invalid duration "{value}"')


def _go(shape: Any) -> str:
    return shape.go if isinstance(shape, Scalar) else f"v1beta4.{getattr(shape, 'name', 'Object')}"


def _expect(right: bool, value: Any, struct: str, path: str, go: str) -> None:
    if right:
        return
    names: dict[type, str] = {dict: "object", list: "array", str: "string", bool: "bool"}
    found = names.get(type(value), "number")
    raise DocumentError(f"json: cannot unmarshal {found} into Go struct field {struct}.{path} of type {go}")


def seconds(duration: str) -> float:
    """A Go duration such as "1h30m" in seconds."""
    units = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1, "m": 60, "h": 3600}
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", duration)
    total = sum(float(number) * units[unit] for number, unit in parts)
    return -total if duration.startswith("-") else total
