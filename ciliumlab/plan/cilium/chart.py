"""What Cilium's chart takes: its keys and their types, and what a value means where it is left out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from typing import Any

from ciliumlab.plan.cilium.keys import KEYS, MINORS
from ciliumlab.wording import closest, listed, shown

_TYPES: dict[str, tuple[type, ...]] = {
    "array": (list, tuple),
    "boolean": (bool,),
    "integer": (int,),
    "null": (type(None),),
    "number": (int, float),
    "object": (dict,),
    "string": (str,),
}

# Keys that the chart once had, and still names to refuse them (templates/validate.yaml and
# cilium-configmap.yaml of 1.18.0), with what took their place.
_REMOVED = {
    "tunnel": "routingMode and tunnelProtocol, or rather the setting datapath",
    "ipam.operator.clusterPoolIPv4PodCIDR": "ipam.operator.clusterPoolIPv4PodCIDRList",
    "ipam.operator.clusterPoolIPv6PodCIDR": "ipam.operator.clusterPoolIPv6PodCIDRList",
}


class Values:
    """The chart's values, read as the chart reads them: what is null counts as left out."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def get(self, path: str, default: Any = None) -> Any:
        """The value at a path such as ``bpf.masquerade``."""
        found: Any = self._values
        for name in path.split("."):
            found = found.get(name) if isinstance(found, Mapping) else None
        return default if found is None else found

    def on(self, path: str, default: bool = False) -> bool:
        """Whether something is switched on. The chart writes true and "true" alike into its ConfigMap."""
        return str(self.get(path, default)).lower() == "true"

    def text(self, path: str, default: str) -> str:
        """A word; the chart takes an empty one for none."""
        return str(self.get(path, "")) or default

    def words(self, path: str) -> list[str]:
        """Several words, as a list or, as the agent splits them, in one."""
        found = self.get(path, [])
        items = found if isinstance(found, list | tuple) else str(found).replace(",", " ").split()
        return [str(item) for item in items]


def minors() -> list[str]:
    """The minor versions whose keys are known."""
    return list(MINORS)


def given(values: Mapping[str, Any], path: str) -> bool:
    """Whether ``values`` say something about the key at ``path``, itself or with all that it is in."""
    found: Any = values
    for name in path.split("."):
        if not isinstance(found, Mapping):
            return True
        if name not in found:
            return False
        found = found[name]
    return True


def wrong_keys(values: Mapping[str, Any], minor: str) -> Iterator[tuple[str, str]]:
    """The path of each key that the chart of this minor does not have, or whose value it does not take,
    with what is wrong. Helm takes the one for nothing at all, and refuses the other.
    """
    yield from _wrong(values, "", minor)


def _wrong(values: Mapping[str, Any], above: str, minor: str) -> Iterator[tuple[str, str]]:
    known = _known(minor)
    for key, value in values.items():
        path = f"{above}.{key}" if above else key
        types = known.get(path)
        if types is None:
            yield path, _instead(path, minor)
        elif types == "mapping":
            if isinstance(value, Mapping):
                yield from _wrong(value, path, minor)
            elif value is not None:
                yield path, f"must be a mapping, not {shown(value)}; the chart refuses it"
        # Helm takes null for "without the chart's default", whatever the type.
        elif value is not None and not _fits(value, types):
            wanted = listed([name for name in types.split("|") if name != "null"], "or")
            what = f"must be of type {wanted}, not the {_kind(value)} {shown(value)}"
            yield path, f"{what}; the chart's schema refuses it"


def _fits(value: Any, types: str) -> bool:
    if types == "any":
        return True
    kinds = [kind for name in types.split("|") for kind in _TYPES[name]]
    # To Python, true is a number.
    return isinstance(value, tuple(kinds)) and (not isinstance(value, bool) or bool in kinds)


def _kind(value: Any) -> str:
    """The JSON type of a value."""
    return next(name for name, kinds in _TYPES.items() if isinstance(value, kinds))


def _instead(path: str, minor: str) -> str:
    """What is wrong with an unknown key, with the nearest known one."""
    if path in _REMOVED:
        return f"was removed from Cilium's chart, which refuses it; use {_REMOVED[path]}"
    what = f"is no key of Cilium's chart {minor}, which would not look at it"
    others = [other for other in minors() if path in _known(other)]
    if others:
        return f"{what} (that of {listed(others)} has it); leave it out"
    known = _known(minor)
    above, _, name = path.rpartition(".")
    same = [other for other in known if other.rpartition(".")[2] == name]
    beside = {other.rpartition(".")[2]: other for other in known if other.rpartition(".")[0] == above}
    if len(same) == 1:
        return f"{what}; did you mean {same[0]}?"
    near = closest(name, beside)
    nearest = beside[near] if near else closest(path, known)
    return f"{what}; did you mean {nearest}?" if nearest else f"{what}; leave it out"


@cache
def _known(minor: str) -> dict[str, str]:
    """The types of each key by its path; "mapping" for one that has keys of its own."""
    known: dict[str, str] = {}
    above: list[str] = []
    for line in KEYS.splitlines():
        name, *rest = line.split()
        depth = len(line) - len(line.lstrip())
        above = [*above[:depth], name]
        if rest and (len(rest) == 1 or minor in rest[1:]):
            for level in range(1, len(above)):
                known.setdefault(".".join(above[:level]), "mapping")
            known[".".join(above)] = rest[0]
    return known
