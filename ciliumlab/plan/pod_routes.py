"""How the router gets to pods: whom it routes to, and what it lets them announce."""

from __future__ import annotations

from typing import Protocol, TypedDict

from netaddr import IPNetwork, iprange_to_cidrs

from ciliumlab.topology import Topology


class Settings(Protocol):
    """The settings that this module reads."""

    @property
    def bgp_asns(self) -> dict[str, int]: ...


class Neighbour(TypedDict):
    """A node as the router sees it: its lab ``address``, and the router's ``interface`` on its segment."""

    name: str
    address: str
    interface: str


class PodRouting(TypedDict):
    """``asns`` has the AS numbers of "router" and "nodes"; ``router_id`` is an address of the router.

    ``announced`` is what nodes may announce, in the words of FRR's prefix lists: "172.20.0.0/16 ge 24 le 24".
    """

    neighbours: list[Neighbour]
    router_id: str
    asns: dict[str, int]
    announced: list[str]


def pod_routing(topology: Topology, settings: Settings) -> PodRouting:
    """What the router needs for routes to pods, static ones or by BGP."""
    router, kubernetes = topology.router, topology.kubernetes
    addresses = [cidr for pool in topology.pools for cidr in iprange_to_cidrs(pool.start, pool.stop)]
    return PodRouting(
        neighbours=neighbours(topology),
        # The first on a segment: the NAT address is every machine's.
        router_id=str(router.interfaces[0].address),
        asns=dict(settings.bgp_asns),
        announced=[
            _prefixes(kubernetes.pod_cidr, kubernetes.pod_cidr_mask_size),
            *(_prefixes(cidr, 32) for cidr in addresses),
        ],
    )


def neighbours(topology: Topology) -> list[Neighbour]:
    """Every node, in the file's order."""
    facing = {interface.segment.name: interface.name for interface in topology.router.interfaces}
    return [
        Neighbour(name=node.name, address=str(own.address), interface=facing[own.segment.name])
        for node in topology.nodes
        for own in node.interfaces
    ]


def _prefixes(within: IPNetwork, length: int) -> str:
    """All networks of this prefix length within a network; FRR refuses a length that is no longer than it."""
    return str(within) if within.prefixlen == length else f"{within} ge {length} le {length}"
