"""JSON merge patch (RFC 7396), JSON patch (RFC 6902) and strategic merge patch.

https://github.com/kubernetes/community/blob/master/contributors/devel/sig-api-machinery/strategic-merge-patch.md
"""

from __future__ import annotations

import copy
from typing import Any

from apiserver.errors import StatusError, bad_request
from apiserver.lists import ATOMIC, SET, Keys, ListKeys, Path

_DIRECTIVES = ("$patch", "$retainKeys", "$setElementOrder/", "$deleteFromPrimitiveList/")


def merge(target: Any, patch: Any) -> Any:
    """RFC 7396."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    merged = dict(target) if isinstance(target, dict) else {}
    for key, value in patch.items():
        if value is None:
            merged.pop(key, None)
        else:
            merged[key] = merge(merged.get(key), value)
    return merged


def json_patch(target: Any, operations: Any) -> Any:
    """RFC 6902; 422 for an operation that cannot be done, as kube-apiserver answers."""
    document = copy.deepcopy(target)
    if not isinstance(operations, list):
        raise bad_request("json patch must be a list of operations")
    for operation in operations:
        try:
            document = _operate(document, operation)
        except (KeyError, IndexError, ValueError, TypeError):
            message = f"the server rejected our request due to an error in our request: {operation}"
            raise StatusError(422, "Invalid", message) from None
    return document


def _operate(document: Any, operation: dict[str, Any]) -> Any:
    kind, path = operation["op"], _pointer(operation["path"])
    if kind == "test":
        if _at(document, path) != operation["value"]:
            raise ValueError("test failed")
        return document
    if kind in ("move", "copy"):
        source = _pointer(operation["from"])
        value = copy.deepcopy(_at(document, source))
        if kind == "move":
            document = _remove(document, source)
        return _put(document, path, value, replace=False)
    if kind == "remove":
        return _remove(document, path)
    if kind in ("add", "replace"):
        return _put(document, path, copy.deepcopy(operation["value"]), replace=kind == "replace")
    raise ValueError(kind)


def _pointer(path: str) -> list[str]:
    return [part.replace("~1", "/").replace("~0", "~") for part in path.split("/")[1:]]


def _at(document: Any, path: list[str]) -> Any:
    for part in path:
        document = document[int(part)] if isinstance(document, list) else document[part]
    return document


def _remove(document: Any, path: list[str]) -> Any:
    parent = _at(document, path[:-1])
    del parent[int(path[-1]) if isinstance(parent, list) else path[-1]]
    return document


def _put(document: Any, path: list[str], value: Any, *, replace: bool) -> Any:
    if not path:
        return value
    parent, last = _at(document, path[:-1]), path[-1]
    if replace:
        _at(document, path)
    if not isinstance(parent, list):
        parent[last] = value
    elif replace:
        parent[int(last)] = value
    elif last == "-":
        parent.append(value)
    elif int(last) <= len(parent):
        parent.insert(int(last), value)
    else:
        raise IndexError(last)
    return document


def strategic(target: Any, patch: Any, keys_of: ListKeys, path: Path = ()) -> Any:
    """Merge maps, and lists whose elements have a key; replace other lists; obey ``$patch`` and its kin."""
    if not isinstance(patch, dict):
        return copy.deepcopy(patch)
    directive = patch.get("$patch")
    if directive == "replace":
        return {key: copy.deepcopy(value) for key, value in patch.items() if key != "$patch"}
    if directive == "delete":
        return {}
    merged = dict(target) if isinstance(target, dict) else {}
    if "$retainKeys" in patch:
        merged = {key: value for key, value in merged.items() if key in patch["$retainKeys"]}
    for key, value in patch.items():
        if key.startswith("$deleteFromPrimitiveList/"):
            field = key.partition("/")[2]
            merged[field] = [item for item in merged.get(field, []) if item not in value]
        if key.startswith(_DIRECTIVES):
            continue
        below = (*path, key)
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, list):
            merged[key] = _list(merged.get(key), value, keys_of(below), keys_of, below)
        else:
            merged[key] = strategic(merged.get(key), value, keys_of, below)
    for key, order in patch.items():
        if key.startswith("$setElementOrder/"):
            field = key.partition("/")[2]
            if field in merged:
                merged[field] = _ordered(merged[field], order, keys_of((*path, field)))
    return merged


def _list(target: Any, patch: list[Any], keys: Keys, keys_of: ListKeys, path: Path) -> list[Any]:
    old: list[Any] = list(target) if isinstance(target, list) else []
    if keys == ATOMIC or {"$patch": "replace"} in patch:
        return [copy.deepcopy(item) for item in patch if item != {"$patch": "replace"}]
    if keys == SET:
        return old + [item for item in patch if item not in old]
    for item in patch:
        # Strategic merge knows one key, the first; a service has its ports by their number.
        place = next((i for i, each in enumerate(old) if each.get(keys[0]) == item.get(keys[0])), None)
        if item.get("$patch") == "delete":
            old = [each for each in old if each.get(keys[0]) != item.get(keys[0])]
        elif place is None:
            old.append(strategic({}, item, keys_of, path))
        else:
            old[place] = strategic(old[place], item, keys_of, path)
    return old


def _ordered(items: list[Any], order: list[Any], keys: Keys) -> list[Any]:
    """The elements that ``order`` names in its order; others stay before those they stood before."""

    def name(item: Any) -> Any:
        return item.get(keys[0]) if isinstance(item, dict) and keys not in (SET, ATOMIC) else item

    wanted = [name(item) for item in order]
    named = iter(sorted((i for i in items if name(i) in wanted), key=lambda i: wanted.index(name(i))))
    return [next(named) if name(item) in wanted else item for item in items]
