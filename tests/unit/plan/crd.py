"""Kubernetes objects against the CustomResourceDefinitions that they are of, strictly: an unknown field is an
error, which the API server would only drop.

The subset of OpenAPI that Cilium's definitions use; a keyword beyond it is an error too, so that nothing is
taken for checked that is not. Rules in CEL (x-kubernetes-validations) stand in ``RULES``, in Python.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yaml

_TYPES = {"object": dict, "array": list, "string": str, "boolean": bool, "integer": int}

# What says nothing about whether an object is right.
_SILENT = {"description", "default", "format", "type", "x-kubernetes-map-type"}

RULES: dict[str, Callable[[Any], bool]] = {
    "self.keepAliveTimeSeconds <= self.holdTimeSeconds": (
        lambda it: it.get("keepAliveTimeSeconds", 30) <= it.get("holdTimeSeconds", 90)
    ),
    "self.advertisementType != 'Service' || has(self.service)": (
        lambda it: it["advertisementType"] != "Service" or "service" in it
    ),
    "self.advertisementType != 'PodCIDR' || !has(self.selector)": (
        lambda it: it["advertisementType"] != "PodCIDR" or "selector" not in it
    ),
}


def schemas(folder: Path) -> dict[tuple[str, str], dict[str, Any]]:
    """The schema of each (apiVersion, kind) that is served."""
    found = {}
    for path in sorted(folder.glob("*.yaml")):
        spec = yaml.safe_load(path.read_text())["spec"]
        for version in spec["versions"]:
            if version["served"]:
                key = (f"{spec['group']}/{version['name']}", spec["names"]["kind"])
                found[key] = version["schema"]["openAPIV3Schema"]
    return found


def wrong(value: Any, schema: dict[str, Any], path: str = "") -> Iterator[str]:
    """Everything that the schema does not allow, a line each."""
    kind = schema.get("type")
    if kind and (not isinstance(value, _TYPES[kind]) or (kind == "integer" and isinstance(value, bool))):
        yield f"{path}: is no {kind}: {value!r}"
        return
    for keyword, wanted in schema.items():
        if keyword not in _SILENT:
            yield from _KEYWORDS[keyword](value, wanted, schema, path)
    # metadata has no schema of its own: the API server knows it.
    if isinstance(value, dict) and not {"properties", "additionalProperties"} & set(schema):
        if path != ".metadata":
            yield from (f"{path}.{name}: is no field" for name in value)
        return
    if isinstance(value, dict) and "additionalProperties" not in schema:
        yield from (f"{path}.{name}: is no field" for name in value if name not in schema["properties"])


def _properties(value: Any, wanted: Any, _schema: Any, path: str) -> Iterator[str]:
    for name, below in wanted.items():
        if name in value:
            yield from wrong(value[name], below, f"{path}.{name}")


def _any_property(value: Any, wanted: Any, _schema: Any, path: str) -> Iterator[str]:
    for name, item in value.items():
        yield from wrong(item, wanted, f"{path}.{name}")


def _items(value: Any, wanted: Any, _schema: Any, path: str) -> Iterator[str]:
    for index, item in enumerate(value):
        yield from wrong(item, wanted, f"{path}[{index}]")


def _all_of(value: Any, wanted: Any, _schema: Any, path: str) -> Iterator[str]:
    for schema in wanted:
        yield from wrong(value, schema, path)


def _unique(value: Any, wanted: Any, _schema: Any, path: str) -> Iterator[str]:
    keys = [tuple(item.get(name) for name in wanted) for item in value]
    if len(set(keys)) < len(keys):
        yield f"{path}: two items have the same {', '.join(wanted)}"


def _validations(value: Any, wanted: Any, _schema: Any, path: str) -> Iterator[str]:
    for validation in wanted:
        if not RULES[validation["rule"]](value):
            yield f"{path}: {validation['message']}"


def _check(fits: Callable[[Any, Any], bool], what: str) -> Callable[..., Iterator[str]]:
    def check(value: Any, wanted: Any, _schema: Any, path: str) -> Iterator[str]:
        if not fits(value, wanted):
            yield f"{path}: {what} {wanted!r}: {value!r}"

    return check


_KEYWORDS: dict[str, Callable[..., Iterator[str]]] = {
    "properties": _properties,
    "additionalProperties": _any_property,
    "items": _items,
    "allOf": _all_of,
    "required": _check(lambda value, wanted: set(wanted) <= set(value), "lacks one of"),
    "enum": _check(lambda value, wanted: value in wanted, "is none of"),
    "pattern": _check(lambda value, wanted: re.search(wanted, value) is not None, "does not match"),
    "minimum": _check(lambda value, wanted: value >= wanted, "is below"),
    "maximum": _check(lambda value, wanted: value <= wanted, "is above"),
    "minLength": _check(lambda value, wanted: len(value) >= wanted, "is shorter than"),
    "maxLength": _check(lambda value, wanted: len(value) <= wanted, "is longer than"),
    "minItems": _check(lambda value, wanted: len(value) >= wanted, "has fewer items than"),
    "maxItems": _check(lambda value, wanted: len(value) <= wanted, "has more items than"),
    "x-kubernetes-list-type": _check(
        lambda _, wanted: wanted in ("atomic", "map"), "is a list of unknown type"
    ),
    "x-kubernetes-list-map-keys": _unique,
    "x-kubernetes-validations": _validations,
}
