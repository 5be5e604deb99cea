"""How a live Kubernetes object differs from a wanted one. Pure.

A live object has more than was asked for: what the API server fills in, and what somebody has added. Whose a
field is stands in metadata.managedFields (kubernetes.io/docs/reference/using-api/server-side-apply); what was
filled in is nobody's.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ciliumlab.objects import MANAGER, Object

Path = tuple[str | int, ...]

# The fields of FieldsV1 below one place: None where nobody has said whose it is, empty where it is one field
# that has no others in it.
_Tree = Mapping[str, Any] | None

# Programs that fill in specs as an API server does.
_CONTROLLERS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")

# What `kubectl rollout restart` writes: it has done its work by then.
_RESTARTED = "kubectl.kubernetes.io/restartedAt"

_APART = ("apiVersion", "kind", "metadata", "status")
_NOTES = ("labels", "annotations")

# kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity
_QUANTITY = re.compile(r"([+-]?[0-9.]+)([KMGTPE]i|[numkMGTPE]|)")
_THOUSANDS = {"n": -3, "u": -2, "m": -1, "": 0, "k": 1, "M": 2, "G": 3, "T": 4, "P": 5, "E": 6}
_QUANTITIES = {"limits", "requests", "capacity", "sizeLimit"}


@dataclass
class Difference:
    """``changed``: places that are not as wanted, which applying mends; ``extra``: places that are not wanted
    and somebody else's, which have to be removed.
    """

    changed: list[Path] = field(default_factory=list)
    extra: list[Path] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.changed or self.extra)

    def __str__(self) -> str:
        extra = [f"{_dotted(path)} (not declared)" for path in self.extra]
        return ", ".join([*map(_dotted, self.changed), *extra])

    def removals(self) -> list[dict[str, str]]:
        """What is extra as a JSON patch (RFC 6902), the last items of lists first."""
        return [{"op": "remove", "path": _pointer(path)} for path in reversed(self.extra)]


def difference(wanted: Object, live: Object) -> Difference:
    """How the live object differs. Labels and annotations of others are left alone."""
    found = Difference()
    mine, others = _owners(live)
    for name in dict.fromkeys([*wanted, *live]):
        if name not in _APART:
            ours, theirs = _below(mine, name), _below(others, name)
            if name in wanted:
                _compare(wanted[name], live.get(name), (name,), ours, theirs, found)
            else:
                _judge((name,), ours is not None, theirs is not None, found)
    for name in _NOTES:
        asked, there = wanted["metadata"].get(name) or {}, live["metadata"].get(name) or {}
        ours = _below(_below(mine, "metadata"), name) or {}
        found.changed += [("metadata", name, one) for one in asked if there.get(one) != asked[one]]
        gone = [one for one in there if one not in asked and f"f:{one}" in ours]
        found.changed += [("metadata", name, one) for one in gone]
    return found


def shown(wanted: Object, live: Object, differing: Difference) -> Object:
    """What of the live object a person compares with the wanted one: what was asked for and what is extra."""
    extra = {path[: length + 1] for path in differing.extra for length in range(len(path))}
    notes = {name: live["metadata"].get(name, {}) for name in _NOTES if name in wanted["metadata"]}
    metadata = {
        **wanted["metadata"],
        **{
            name: {one: there[one] for one in wanted["metadata"][name] if one in there}
            for name, there in notes.items()
        },
    }
    rest = {name: live[name] for name in live if name not in _APART}
    asked = {name: wanted[name] for name in wanted if name not in _APART}
    return {
        "apiVersion": wanted["apiVersion"],
        "kind": wanted["kind"],
        "metadata": metadata,
        **_projected(asked, rest, (), extra),
    }


def _owners(live: Object) -> tuple[_Tree, _Tree]:
    """Which fields are this project's, and which are others' whose work it is not to fill in specs."""
    mine: dict[str, Any] = {}
    others: dict[str, Any] = {}
    for entry in live["metadata"].get("managedFields") or []:
        if not entry.get("subresource") and entry.get("manager") not in _CONTROLLERS:
            _join(mine if entry.get("manager") == MANAGER else others, entry.get("fieldsV1") or {})
    return mine, others


def _join(into: dict[str, Any], tree: Mapping[str, Any]) -> None:
    for name, below in tree.items():
        _join(into.setdefault(name, {}), below)


def _below(tree: _Tree, name: str) -> _Tree:
    return None if tree is None else tree.get(f"f:{name}")


def _compare(wanted: Any, live: Any, path: Path, mine: _Tree, others: _Tree, found: Difference) -> None:
    if live is None:
        # Go leaves out what is empty.
        if wanted not in ({}, [], "", 0, False):
            found.changed.append(path)
    elif isinstance(wanted, Mapping | list | tuple) and mine is None and others == {}:
        # A map or list that is one field as a whole, and somebody has written it anew.
        found.changed.append(path)
    elif isinstance(wanted, Mapping) and isinstance(live, Mapping):
        for name in dict.fromkeys([*wanted, *live]):
            at, ours, theirs = (*path, name), _below(mine, name), _below(others, name)
            if name in wanted:
                _compare(wanted[name], live.get(name), at, ours, theirs, found)
            elif not _restarted(name, live[name]):
                _judge(at, ours is not None, theirs is not None, found)
    elif isinstance(wanted, list | tuple) and isinstance(live, list):
        _compare_lists(wanted, live, path, mine, others, found)
    elif not _same(wanted, live, path):
        found.changed.append(path)


def _restarted(name: str, live: Any) -> bool:
    return name == _RESTARTED or (isinstance(live, Mapping) and [*live] == [_RESTARTED])


def _judge(path: Path, ours: bool, theirs: bool, found: Difference) -> None:
    """What is there and was not asked for: by applying goes what is ours alone."""
    if theirs:
        found.extra.append(path)
    elif ours:
        found.changed.append(path)


def _compare_lists(
    wanted: Sequence[Any], live: list[Any], path: Path, mine: _Tree, others: _Tree, found: Difference
) -> None:
    ours, theirs = mine or {}, others or {}
    keys = {name: json.loads(name[2:]) for name in [*ours, *theirs] if name.startswith("k:")}
    if keys:
        _compare_by_keys(wanted, live, path, keys, ours, theirs, found)
    elif len(wanted) != len(live):
        found.changed.append(path)
    else:
        for index, (one, its) in enumerate(zip(wanted, live, strict=True)):
            _compare(one, its, (*path, index), None, None, found)


def _compare_by_keys(
    wanted: Sequence[Any],
    live: list[Any],
    path: Path,
    keys: Mapping[str, Mapping[str, Any]],
    mine: Mapping[str, Any],
    others: Mapping[str, Any],
    found: Difference,
) -> None:
    """Lists whose items are told apart by some of their fields, in any order."""
    told_by = list(next(iter(keys.values())))
    rest = dict(enumerate(live))
    for one in wanted:
        index = next((at for at, its in rest.items() if _is(one, its, told_by)), None)
        if index is None:
            found.changed.append((*path, *(str(one[name]) for name in told_by if name in one)))
            continue
        name = _name(rest[index], keys)
        _compare(one, rest.pop(index), (*path, index), mine.get(name), others.get(name), found)
    for index, its in rest.items():
        name = _name(its, keys)
        _judge((*path, index), name in mine, name in others, found)


def _is(wanted: Mapping[str, Any], live: Mapping[str, Any], told_by: Iterable[str]) -> bool:
    """Whether both are the same item; a field of the key that was not asked for has been filled in."""
    return all(name not in wanted or wanted[name] == live.get(name) for name in told_by)


def _name(live: Mapping[str, Any], keys: Mapping[str, Mapping[str, Any]]) -> str:
    """How managedFields name this item; empty where nobody has said whose it is."""
    for name, values in keys.items():
        if all(live.get(one) == value for one, value in values.items()):
            return name
    return ""


def _same(wanted: Any, live: Any, path: Path) -> bool:
    if isinstance(wanted, bool) or isinstance(live, bool):
        return wanted is live
    if wanted == live:
        return True
    if _QUANTITIES.isdisjoint(path):
        return False
    amounts = {_amount(wanted), _amount(live)}
    return len(amounts) == 1 and None not in amounts


def _amount(value: Any) -> Decimal | None:
    """What a quantity is worth: the API server writes 1000m as 1."""
    found = _QUANTITY.fullmatch(str(value))
    if not found:
        return None
    number, suffix = Decimal(found[1]), found[2]
    if suffix.endswith("i"):
        return number * Decimal(1024) ** _THOUSANDS[suffix[0].replace("K", "k")]
    return number * Decimal(1000) ** _THOUSANDS[suffix]


def _projected(wanted: Any, live: Any, path: Path, extra: set[Path]) -> Any:
    if isinstance(wanted, Mapping) and isinstance(live, Mapping):
        return {
            name: _projected(wanted.get(name), item, (*path, name), extra)
            for name, item in live.items()
            if name in wanted or (*path, name) in extra
        }
    if isinstance(wanted, list | tuple) and isinstance(live, list):
        return [
            _projected(_counterpart(wanted, index, item), item, (*path, index), extra)
            for index, item in enumerate(live)
        ]
    return live


def _counterpart(wanted: Sequence[Any], index: int, live: Any) -> Any:
    """The wanted item to compare a live one with: that of its name, else the one in its place."""
    if isinstance(live, Mapping) and "name" in live:
        return next((one for one in wanted if one.get("name") == live["name"]), None)
    return wanted[index] if index < len(wanted) else None


def _dotted(path: Path) -> str:
    """A place for people: "spec.blocks[0].stop"."""
    return "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path).removeprefix(".")


def _pointer(path: Path) -> str:
    """RFC 6901."""
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in path)
