"""FRR as it runs on a router: its BGP sessions, and the routes that it has given to the kernel."""

from __future__ import annotations

import json
from typing import Any, TypedDict

from typing_extensions import override

from ciliumlab.facts.shell import Sections, State, sections

CONFIGURATION = "/etc/frr/frr.conf"


class BgpRoute(TypedDict):
    """An IPv4 route of the kernel's main table that came by BGP; ``via`` are its gateways, one or several."""

    to: str
    via: list[str]


class BgpState(TypedDict):
    """``peers`` are the sessions by the peer's address: "Established", "Active", "Idle" … ``trouble`` is what
    FRR said when it told of none. ``first_line`` is that of its configuration, empty where it has none.
    """

    peers: dict[str, str]
    routes: list[BgpRoute]
    first_line: str
    trouble: str


class Bgp(State[BgpState]):
    """BGP's sessions by vtysh, and its routes in the kernel."""

    @override
    def command(self) -> str:
        return sections(
            summary="vtysh -c 'show bgp ipv4 unicast summary json' 2>&1",
            routes="ip -json -4 route show proto bgp",
            configuration=f"head -n 1 {CONFIGURATION}",
        )

    @override
    def parse(self, found: Sections) -> BgpState:
        peers = _peers(found["summary"])
        said = " ".join(line.strip() for line in found["summary"] if line.strip())
        return BgpState(
            peers=peers or {},
            routes=[_route(route) for route in json.loads("\n".join(found["routes"]) or "[]")],
            first_line="".join(found["configuration"]),
            trouble="" if peers is not None else said or "vtysh said nothing",
        )


def _peers(lines: list[str]) -> dict[str, str] | None:
    """Sessions; None for what is no answer of BGP's."""
    try:
        answer = json.loads("\n".join(lines))
    except ValueError:
        return None
    peers = answer.get("peers")
    return None if peers is None else {address: str(peer["state"]) for address, peer in peers.items()}


def _route(route: dict[str, Any]) -> BgpRoute:
    to = route["dst"]
    hops = route.get("nexthops", [route])
    return BgpRoute(
        to="0.0.0.0/0" if to == "default" else to if "/" in to else f"{to}/32",
        via=[hop["gateway"] for hop in hops if "gateway" in hop],
    )
