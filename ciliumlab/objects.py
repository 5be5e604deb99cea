"""Kubernetes objects as data: what tells them apart, and which part of the lab they are of. Pure."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Mapping
from copy import deepcopy
from typing import Any, NamedTuple

Object = dict[str, Any]

# Who applies what this project makes, as the API server notes it, and as labels say it.
MANAGER = "ciliumlab"
_PART = "ciliumlab.io/part"


class Key(NamedTuple):
    """What tells an object from others. A namespace that is not said is kubectl's, "default"."""

    group: str
    kind: str
    namespace: str
    name: str


def key(one: Object) -> Key:
    group = one["apiVersion"].rpartition("/")[0]
    metadata = one["metadata"]
    return Key(group, one["kind"], metadata.get("namespace", "default"), metadata["name"])


def kind(one: Object) -> str:
    """How kubectl names the kind, in this version: "Deployment.v1.apps", "ConfigMap.v1."."""
    group, _, version = one["apiVersion"].rpartition("/")
    return f"{one['kind']}.{version}.{group}"


def title(one: Object) -> str:
    """An object for people: "Deployment default/webpod"."""
    namespace = one["metadata"].get("namespace")
    return f"{one['kind']} {f'{namespace}/' if namespace else ''}{one['metadata']['name']}"


def of_part(objects: Iterable[Object], *parts: str) -> list[Object]:
    """Those objects that their label gives to one of these parts of the lab."""
    return [one for one in objects if one["metadata"].get("labels", {}).get(_PART) in parts]


def labels(part: str) -> dict[str, str]:
    """What every object has that this project makes for a part."""
    return {"app.kubernetes.io/managed-by": MANAGER, _PART: part}


def selector(part: str) -> str:
    return ",".join(f"{name}={value}" for name, value in labels(part).items())


def labelled(objects: Iterable[Object], part: str) -> list[Object]:
    """Copies of objects as the API server will have them: with the labels of the part, and without what is
    only written (fields that are null, a Secret's texts).
    """
    copies: list[Object] = [_without_null(one) for one in objects]
    for one in copies:
        one["metadata"]["labels"] = {**one["metadata"].get("labels", {}), **labels(part)}
        if one["kind"] == "Secret":
            texts = one.pop("stringData", {})
            encoded = {name: b64encode(text.encode()).decode() for name, text in texts.items()}
            one["data"] = {**one.get("data", {}), **encoded}
    return copies


def documents(found: Iterable[Any]) -> list[Object]:
    """The objects of YAML documents, those that lists hold too."""
    objects: list[Object] = []
    for document in found:
        if isinstance(document, Mapping):
            items = document.get("items") if str(document.get("kind", "")).endswith("List") else None
            objects += items if isinstance(items, list) else [dict(document)]
    return objects


def merged(target: Any, patch: Any) -> Any:
    """A JSON merge patch (RFC 7386) applied to a copy."""
    if not isinstance(patch, Mapping):
        return deepcopy(patch)
    result = dict(target) if isinstance(target, Mapping) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merged(result.get(name), value)
    return result


def _without_null(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_null(item) for name, item in value.items() if item is not None}
    if isinstance(value, list | tuple):
        return [_without_null(item) for item in value]
    return value
