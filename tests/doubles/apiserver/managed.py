"""Who manages which field: metadata.managedFields, and server-side apply by it.

https://kubernetes.io/docs/reference/using-api/server-side-apply/; the form of fieldsV1:
https://pkg.go.dev/sigs.k8s.io/structured-merge-diff/v4/fieldpath. Ownership is kept per leaf: a scalar, an
empty map or list, a list that is one value, and the membership of a keyed list's element.
"""

from __future__ import annotations

import copy
import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apiserver.errors import StatusError
from apiserver.lists import ATOMIC, ATOMIC_MAPS, KEY_DEFAULTS, SET, Keys, ListKeys, Path, identity

# Steps from the top to a leaf as fieldsV1 writes them: f:<field>, k:<keys as JSON>, v:<value as JSON>.
Leaf = tuple[str, ...]
_UNMANAGED = frozenset(
    [
        ("f:apiVersion",),
        ("f:kind",),
        *(
            ("f:metadata", f"f:{name}")
            for name in (
                "name", "namespace", "uid", "creationTimestamp", "deletionTimestamp", "generateName",
                "deletionGracePeriodSeconds", "resourceVersion", "generation", "managedFields", "selfLink",
            )
        ),
    ]
)  # fmt: skip


@dataclass(frozen=True)
class Manager:
    """Who writes: name, Apply or Update, the API version it speaks, and the subresource it writes."""

    name: str
    operation: str
    api_version: str
    subresource: str = ""


Owned = dict[Manager, frozenset[Leaf]]


def leaves(value: Any, keys_of: ListKeys, at: Leaf = (), path: Path = ()) -> dict[Leaf, Any]:
    """An object's leaves with their values."""
    if at in _UNMANAGED or (at[:2] == ("f:metadata", "f:managedFields")):
        return {}
    if isinstance(value, dict) and value and not (path and path[-1] in ATOMIC_MAPS):
        found: dict[Leaf, Any] = {}
        for name, below in value.items():
            found |= leaves(below, keys_of, (*at, f"f:{name}"), (*path, name))
        return found
    if isinstance(value, list) and value and (keys := keys_of(path)) != ATOMIC:
        found = {}
        for item in value:
            step = (*at, _step(item, keys))
            found[step] = None
            if keys != SET and isinstance(item, dict):
                for name, below in item.items():
                    found |= leaves(below, keys_of, (*step, f"f:{name}"), (*path, name))
        return found
    return {at: value} if at else {}


def _step(item: Any, keys: Keys) -> str:
    if keys == SET or not isinstance(item, dict):
        return "v:" + json.dumps(item, separators=(",", ":"))
    named = {key: item.get(key, KEY_DEFAULTS.get(key)) for key in keys}
    return "k:" + json.dumps(named, separators=(",", ":"), sort_keys=True)


def owned(obj: dict[str, Any]) -> Owned:
    """managedFields read."""
    return {
        Manager(
            entry.get("manager", ""),
            entry.get("operation", "Update"),
            entry.get("apiVersion", ""),
            entry.get("subresource", ""),
        ): frozenset(_read(entry.get("fieldsV1", {})))
        for entry in obj.get("metadata", {}).get("managedFields", [])
    }


def _read(fields: dict[str, Any], at: Leaf = ()) -> list[Leaf]:
    found = []
    for step, below in fields.items():
        if step == ".":
            found.append(at)
        elif below:
            found += _read(below, (*at, step))
        else:
            found.append((*at, step))
    return found


def _written(fields: frozenset[Leaf]) -> dict[str, Any]:
    root: dict[str, Any] = {}
    for leaf in sorted(fields):
        node = root
        for step in leaf:
            node = node.setdefault(step, {})
    for leaf in fields:
        node = root
        for step in leaf:
            node = node[step]
        if node:
            node["."] = {}
    return root


def record(obj: dict[str, Any], now: Owned, before: Owned) -> None:
    """Write managedFields; an entry that did not change keeps its time."""
    times = {
        manager: entry.get("time")
        for manager, entry in zip(before, obj["metadata"].get("managedFields", []), strict=False)
        if now.get(manager) == before[manager]
    }
    entries = []
    for manager, fields in now.items():
        if fields:
            entry = {
                "manager": manager.name,
                "operation": manager.operation,
                "apiVersion": manager.api_version,
                "time": times.get(manager) or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
                "fieldsType": "FieldsV1",
                "fieldsV1": _written(fields),
            }
            entries.append(entry | ({"subresource": manager.subresource} if manager.subresource else {}))
    obj["metadata"]["managedFields"] = entries


def updated(old: dict[str, Any] | None, new: dict[str, Any], manager: Manager, keys_of: ListKeys) -> None:
    """Note in ``new`` that the manager has written what differs from ``old``; it takes it from others."""
    was, now = leaves(old or {}, keys_of), leaves(new, keys_of)
    changed = {leaf for leaf, value in now.items() if leaf not in was or was[leaf] != value}
    lost = changed | (was.keys() - now.keys())
    before = owned(new)
    after: Owned = {each: fields - lost for each, fields in before.items() if each != manager}
    after[manager] = (before.get(manager, frozenset()) - lost) | changed
    record(new, after, before)


def applied(
    live: dict[str, Any], config: dict[str, Any], manager: Manager, keys_of: ListKeys, force: bool
) -> dict[str, Any]:
    """``live`` with ``config`` applied: fields set, and removed what it alone had set.

    409 with a cause per field that another manager has set otherwise, unless ``force`` takes them over.
    """
    wanted, has = leaves(config, keys_of), leaves(live, keys_of)
    before = owned(live)
    others = {each: fields for each, fields in before.items() if each != manager}
    differs = {leaf for leaf, value in wanted.items() if leaf in has and has[leaf] != value}
    disputed = differs - _handed_over(live, has, manager, keys_of)
    contested = {each: sorted(fields & disputed) for each, fields in others.items() if fields & disputed}
    if contested and not force:
        raise _conflict(contested)
    dropped = before.get(manager, frozenset()) - wanted.keys()
    kept = {leaf for fields in others.values() for leaf in fields}
    new = copy.deepcopy(live)
    # An element before its fields: without its key it would not be found.
    for leaf in sorted(dropped - kept, key=len):
        if not _is_key(leaf) and not any(each[: len(leaf)] == leaf for each in kept):
            _remove(new, leaf)
    new = dict(_merged(new, config, keys_of))
    after: Owned = {each: fields - differs for each, fields in others.items()}
    after[manager] = frozenset(wanted)
    record(new, after, before)
    return new


def _is_key(leaf: Leaf) -> bool:
    """Whether a leaf is a keyed element's key, which stays or goes with the element."""
    return len(leaf) > 1 and leaf[-2].startswith("k:") and leaf[-1][2:] in json.loads(leaf[-2][2:])


def _handed_over(
    live: dict[str, Any], has: dict[Leaf, Any], manager: Manager, keys_of: ListKeys
) -> set[Leaf]:
    """What ``kubectl apply`` of the client side wrote last and nobody changed since: kubectl, and it alone,
    may go on with it on the server side (k8s.io/apimachinery's lastappliedmanager)."""
    said = live["metadata"].get("annotations", {}).get("kubectl.kubernetes.io/last-applied-configuration")
    if manager.name != "kubectl" or not said:
        return set()
    last = leaves(json.loads(said), keys_of)
    return {leaf for leaf, value in last.items() if has.get(leaf) == value}


def _merged(live: Any, config: Any, keys_of: ListKeys, path: Path = ()) -> Any:
    if isinstance(config, dict) and isinstance(live, dict) and not (path and path[-1] in ATOMIC_MAPS):
        below = {
            name: _merged(live.get(name), value, keys_of, (*path, name)) for name, value in config.items()
        }
        return {**live, **below}
    if isinstance(config, list) and isinstance(live, list) and (keys := keys_of(path)) != ATOMIC:
        places = {identity(item, keys): place for place, item in enumerate(live)}
        merged = list(live)
        for item in config:
            place = places.get(identity(item, keys))
            if place is None:
                merged.append(copy.deepcopy(item))
            elif keys != SET:
                merged[place] = _merged(live[place], item, keys_of, path)
        return merged
    return copy.deepcopy(config)


def _remove(obj: Any, leaf: Leaf) -> None:
    """Take a leaf out, and the maps that it leaves empty."""
    parents: list[tuple[Any, Any]] = []
    node = obj
    for step in leaf:
        place = _place(node, step)
        if place is None:
            return
        parents.append((node, place))
        node = node[place]
    node, place = parents.pop()
    del node[place]
    while not node and parents and len(parents) > 1:
        node, place = parents.pop()
        if not isinstance(node, dict):
            return
        del node[place]


def _place(node: Any, step: str) -> Any:
    """The key or index of a step within a map or a list, None where it is not there."""
    kind, _, rest = step.partition(":")
    if kind == "f":
        return rest if isinstance(node, dict) and rest in node else None
    if not isinstance(node, list):
        return None
    sought = json.loads(rest)
    for place, item in enumerate(node):
        if kind == "v" and item == sought:
            return place
        if kind == "k" and isinstance(item, dict) and identity(item, tuple(sought)) == tuple(sought.values()):
            return place
    return None


def _said(leaf: Leaf) -> str:
    """A leaf as people read it: .spec.containers[name="web"].image."""
    text = ""
    for step in leaf:
        kind, _, rest = step.partition(":")
        if kind == "f":
            text += f".{rest}"
        elif kind == "v":
            text += f"[={rest}]"
        else:
            text += (
                "[" + ",".join(f"{key}={json.dumps(value)}" for key, value in json.loads(rest).items()) + "]"
            )
    return text


def _conflict(contested: dict[Manager, list[Leaf]]) -> StatusError:
    causes, said = [], []
    for manager, fields in contested.items():
        through = f" with subresource {json.dumps(manager.subresource)}" if manager.subresource else ""
        who = f"conflict with {json.dumps(manager.name)}{through} using {manager.api_version}"
        causes += [
            {"reason": "FieldManagerConflict", "message": who, "field": _said(leaf)} for leaf in fields
        ]
        said.append((who, [_said(leaf) for leaf in fields]))
    if len(causes) == 1:
        message = f"Apply failed with 1 conflict: {said[0][0]}: {said[0][1][0]}"
    else:
        listed = "\n".join(
            f"{who.replace('conflict', 'conflicts', 1)}:\n" + "\n".join(f"- {leaf}" for leaf in fields)
            for who, fields in said
        )
        message = f"Apply failed with {len(causes)} conflicts: {listed}"
    return StatusError(409, "Conflict", message, {"causes": causes})
