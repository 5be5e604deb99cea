"""Route tables side by side: what each machine shall have, and what was found on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from ciliumlab.plan.routes import AGENT_DEVICE, PodsOf, Route
from ciliumlab.report.found import Found

Match = Literal["same", "missing", "other", "unknown"]

# What of a line of ``ip route`` tells a route from others.
_WORDS = ("via", "dev", "proto", "mtu")


@dataclass(frozen=True)
class Row:
    """One route: as expected, as found, "" where there is none. ``other`` is what nobody expects here, which
    may be fine: the kernel and Cilium's agent have routes of their own. ``unknown``: to a node's pods, whose
    networks were not looked at.
    """

    expected: str
    found: str
    match: Match


def compared(machine: str, expected: Sequence[Route], found: Found) -> list[Row]:
    """The machine's routes in the expected order, and then what else there is."""
    lines = found["routes"].get(machine, [])
    by_key = {_key(line): line for line in lines}
    rows = []
    for route in expected:
        for text in _written(route, found["pod_cidrs"]):
            line = by_key.pop(_key(text), "")
            rows.append(Row(text, line, "same" if line else "missing"))
        if not _written(route, found["pod_cidrs"]):
            rows.append(Row(str(route), "", "unknown"))
    return [*rows, *(Row("", line, "other") for line in by_key.values())]


def _written(route: Route, pod_cidrs: Mapping[str, Sequence[str]]) -> list[str]:
    """The route in words; to each network of a node's pods, none where these are not known."""
    if not isinstance(route.to, PodsOf):
        return [str(route)]
    return [str(route).replace(str(route.to), network, 1) for network in pod_cidrs.get(route.to.node, [])]


def _key(line: str) -> tuple[str, ...]:
    """Without what differs from machine to machine and says nothing: sources, metrics, scopes, and the
    address of the agent's own device as next hop.
    """
    words = line.split()
    pods = words.index("dev") if "dev" in words else 1
    to = " ".join(words[: min(pods, words.index("via") if "via" in words else pods)])
    values = {name: words[words.index(name) + 1] for name in _WORDS if name in words[:-1]}
    if values.get("dev") == AGENT_DEVICE:
        values.pop("via", None)
    return to, *(f"{name} {value}" for name, value in values.items())
