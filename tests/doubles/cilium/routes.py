"""Which routes a node has: what the real agent programs, in both modes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface
from typing import Any

from cilium.configuration import Configuration

HOST = "cilium_host"


@dataclass(frozen=True)
class Node:
    """A node as its CiliumNode has it."""

    name: str
    address: str
    shares: tuple[str, ...]
    internal: str = ""

    @classmethod
    def of(cls, found: Mapping[str, Any]) -> Node:
        addresses = {each["type"]: each["ip"] for each in found["spec"].get("addresses") or []}
        shares = (found["spec"].get("ipam") or {}).get("podCIDRs") or []
        return cls(
            found["metadata"]["name"],
            addresses.get("InternalIP", ""),
            tuple(shares),
            addresses.get("CiliumInternalIP", ""),
        )


@dataclass(frozen=True)
class Route:
    """A route of the main table; without ``via`` the network is on the device itself."""

    to: str
    device: str
    via: str = ""
    source: str = ""
    mtu: int = 0

    def arguments(self) -> list[str]:
        """As ip-route(8) takes it."""
        found = [self.to, "dev", self.device, "proto", "kernel"]
        found += ["via", self.via] if self.via else ["scope", "link"]
        found += ["src", self.source] if self.source else []
        return found + (["mtu", str(self.mtu)] if self.mtu else [])


def wanted(
    config: Configuration, me: Node, others: Iterable[Node], interfaces: Mapping[str, Sequence[IPv4Interface]]
) -> tuple[list[Route], list[str]]:
    """The routes of this node, and the names of the nodes to which none can be.

    ``interfaces`` are the addresses of Cilium's devices.
    """
    found = [Route(me.internal, HOST)]
    found += [Route(share, HOST, me.internal, me.internal) for share in me.shares]
    unreachable = []
    for node in sorted(others, key=lambda node: node.name):
        if node.name == me.name or not node.address:
            continue
        if config.tunnel:
            mtu = config.route_mtu
            found += [Route(share, HOST, me.internal, me.internal, mtu) for share in node.shares]
        elif config.auto_direct:
            device = beside(node.address, interfaces)
            if device:
                found += [Route(share, device, node.address) for share in node.shares]
            else:
                unreachable.append(node.name)
    return found, unreachable


def missing(present: Iterable[Mapping[str, Any]], routes: Iterable[Route]) -> bool:
    """Whether a route is not there, or not as it has to be; ``present`` as of `ip -json route`."""
    found = {(each["dst"], each.get("dev", ""), each.get("gateway", "")) for each in present}
    return any((route.to, route.device, route.via) not in found for route in routes)


def beside(address: str, interfaces: Mapping[str, Sequence[IPv4Interface]]) -> str:
    """The device on whose segment the address is, "" if it is behind a gateway."""
    for device, own in interfaces.items():
        if any(IPv4Address(address) in each.network for each in own):
            return device
    return ""


def stale(config: Configuration, present: Iterable[Mapping[str, Any]], routes: Iterable[Route]) -> list[str]:
    """The networks whose routes Cilium made once and wants no more; ``present`` as of `ip -json route`."""
    kept = {(route.to, route.device) for route in routes}
    return [
        found["dst"]
        for found in present
        if _made_by_cilium(found)
        and (found["dst"], found["dev"]) not in kept
        and not (config.leaves_stale_routes and not config.tunnel and found["dev"] == HOST)
    ]


def _made_by_cilium(found: Mapping[str, Any]) -> bool:
    # The kernel itself makes no route with a gateway.
    own = found.get("dev") == HOST or bool(found.get("gateway"))
    return found.get("protocol") == "kernel" and own and found["dst"] != "default"
