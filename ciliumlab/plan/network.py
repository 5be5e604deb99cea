"""Interfaces, routes and names: what follows from who stands on which segment."""

from __future__ import annotations

from netaddr import IPNetwork

from ciliumlab.plan.types import HostsEntry, Interface, Route
from ciliumlab.topology import Node, Router, Topology


def routes_by_segment(topology: Topology) -> dict[str, list[Route]]:
    """For each segment's name, the routes of the nodes on it: to every other segment, the pods and the
    router's dummies, through the router's address on the segment; in the order of `ip route`.
    """
    destinations: list[tuple[IPNetwork, str | None]] = [
        *((segment.cidr, segment.name) for segment in topology.segments),
        (topology.kubernetes.pod_cidr, None),
        *((cidr, None) for cidr in _dummy_networks(topology.router)),
    ]
    destinations.sort(key=lambda destination: destination[0].first)
    written = [(str(cidr), segment) for cidr, segment in destinations]
    return {
        interface.segment.name: [
            {"to": cidr, "via": str(interface.address)}
            for cidr, segment in written
            if segment != interface.segment.name
        ]
        for interface in topology.router.interfaces
    }


def _dummy_networks(router: Router) -> list[IPNetwork]:
    """What stands for the router's dummies in the nodes' routes."""
    if router.summary is not None:
        return [router.summary]
    return [dummy.cidr.cidr for dummy in router.dummies]


def node_interfaces(node: Node, routes: dict[str, list[Route]]) -> dict[str, Interface]:
    """``routes`` is what ``routes_by_segment`` gives."""
    return {
        interface.name: {"addresses": [interface.cidr], "routes": routes[interface.segment.name]}
        for interface in node.interfaces
    }


def router_interfaces(router: Router) -> dict[str, Interface]:
    """The router stands on every segment itself, so it has no static route, and none for pods: that
    segments cannot exchange pod traffic in native mode is part of the lab.
    """
    interfaces: dict[str, Interface] = {
        interface.name: {"addresses": [interface.cidr], "routes": []} for interface in router.interfaces
    }
    for dummy in router.dummies:
        interfaces[dummy.name] = {"addresses": [str(dummy.cidr)], "routes": [], "dummy": True}
    return interfaces


def etc_hosts(topology: Topology) -> list[HostsEntry]:
    """Every machine's name with its first lab address, the same on all hosts."""
    return [
        {"address": str(machine.interfaces[0].address), "name": machine.name} for machine in topology.machines
    ]
