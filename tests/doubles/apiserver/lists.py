"""Which lists are maps by key, sets or one value, as strategic merge and server-side apply need to know.

Source: the patchMergeKey, listType and listMapKey markers in k8s.io/api's types.go files.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

# A list's keys; SET for a set of scalars; ATOMIC for a list that is one value.
Keys = tuple[str, ...]
SET: Keys = ("",)
ATOMIC: Keys = ()

# Field names from the object's top to a list, without the elements of lists on the way.
Path = tuple[str, ...]
ListKeys = Callable[[Path], Keys]

_BY_FIELD: dict[str, Keys] = {
    "conditions": ("type",),
    "containers": ("name",),
    "env": ("name",),
    "ephemeralContainers": ("name",),
    "finalizers": SET,
    "hostAliases": ("ip",),
    "imagePullSecrets": ("name",),
    "initContainers": ("name",),
    "ownerReferences": ("uid",),
    "podCIDRs": SET,
    "podIPs": ("ip",),
    "topologySpreadConstraints": ("topologyKey", "whenUnsatisfiable"),
    "volumeDevices": ("devicePath",),
    "volumeMounts": ("mountPath",),
    "volumes": ("name",),
    "webhooks": ("name",),
}
_BY_PLACE: dict[tuple[str, ...], Keys] = {
    ("Service", "spec", "ports"): ("port", "protocol"),
    ("Node", "status", "addresses"): ("type",),
    ("ServiceAccount", "secrets"): ("name",),
}
# Maps that are one value, too.
ATOMIC_MAPS = frozenset(["selector", "labelSelector", "nodeSelector", "namespaceSelector", "involvedObject"])
# What a key counts as when it is left out.
KEY_DEFAULTS = {"protocol": "TCP"}


def built_in(kind: str) -> ListKeys:
    """The lists of a built-in kind."""

    def keys(path: Path) -> Keys:
        place = (kind, *path)
        if place in _BY_PLACE:
            return _BY_PLACE[place]
        if path[-1] == "ports" and len(path) > 1 and path[-2].lower().endswith("containers"):
            return ("containerPort", "protocol")
        return _BY_FIELD.get(path[-1], ATOMIC)

    return keys


def custom(schema: dict[str, Any] | None) -> ListKeys:
    """The lists of a custom resource, from its schema's x-kubernetes-list-type."""

    def keys(path: Path) -> Keys:
        if path[0] == "metadata":
            return _BY_FIELD.get(path[-1], ATOMIC)
        node: dict[str, Any] = schema or {}
        for name in path:
            while "items" in node:
                node = node["items"]
            node = node.get("properties", {}).get(name) or node.get("additionalProperties") or {}
            if not isinstance(node, dict):
                return ATOMIC
        kind = node.get("x-kubernetes-list-type")
        if kind == "map":
            return tuple(node.get("x-kubernetes-list-map-keys", ()))
        return SET if kind == "set" else ATOMIC

    return keys


def identity(item: Any, keys: Keys) -> tuple[Any, ...]:
    """What tells an element from others: its keys' values, or itself in a set."""
    if keys == SET or not isinstance(item, dict):
        return (str(item),)
    return tuple(item.get(key, KEY_DEFAULTS.get(key)) for key in keys)
