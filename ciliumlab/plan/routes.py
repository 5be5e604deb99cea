"""The routes that each machine has when everything is deployed: the plan's own, and those that Cilium's
agents and the router's protocols add to them.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netaddr import IPAddress, IPNetwork

from ciliumlab.plan.cilium import values
from ciliumlab.plan.cilium.chart import Values
from ciliumlab.plan.cilium.wrong import tunnelled
from ciliumlab.plan.hosts import hosts
from ciliumlab.plan.pod_routes import neighbours
from ciliumlab.plan.types import Host
from ciliumlab.settings import Settings
from ciliumlab.topology import Machine, Node, Topology
from ciliumlab.topology.claims import NAT
from ciliumlab.topology.names import NAT_INTERFACE

AGENT_DEVICE = "cilium_host"
EVERYWHERE = IPNetwork("0.0.0.0/0")

# A machine that `ciliumlab up` or Vagrant makes is reached through its NAT side; one of its own is not.
_BEHIND_NAT = "127.0.0.1"

# Bytes, and what is put around a packet in a tunnel over IPv4: cilium/cilium, pkg/mtu/mtu.go.
_MTU, _TUNNEL = 1500, 50


@dataclass(frozen=True)
class PodsOf:
    """A node's share of the pod CIDR. Which network that is, Cilium's operator says when the node joins."""

    node: str

    def __str__(self) -> str:
        return f"pods of {self.node}"


@dataclass(frozen=True)
class Route:
    """``via`` is None for what is reached without a next hop; ``mtu``, in bytes, for the device's own."""

    to: IPNetwork | PodsOf
    via: IPAddress | None
    device: str
    protocol: str
    mtu: int | None = None

    def __str__(self) -> str:
        """In the order of ``ip route``."""
        words = ["default" if self.to == EVERYWHERE else str(self.to)]
        words += [f"via {self.via}"] if self.via is not None else []
        words += [f"dev {self.device}", f"proto {self.protocol}"]
        words += [f"mtu {self.mtu}"] if self.mtu else []
        return " ".join(words)


def has_nat(machine: Machine) -> bool:
    """Whether the machine has the NAT side that lab.yaml takes for granted."""
    return machine.ssh_host == _BEHIND_NAT


def mtu(chart: Values) -> int:
    """What a wire takes, in bytes; Cilium's MTU where it is set."""
    return int(chart.get("MTU", 0)) or _MTU


def pod_mtu(chart: Values) -> int:
    """What a packet from one node's pod to another node's may have, in bytes."""
    return mtu(chart) - (_TUNNEL if tunnelled(chart) else 0)


def tables(topology: Topology, settings: Settings) -> dict[str, list[Route]]:
    """Each machine's name with its routes, as a deployed cluster has them."""
    chart = Values(values(topology, settings))
    planned = hosts(topology, settings)
    found = {
        machine.name: [*_default(machine), *_planned(planned[machine.name])] for machine in topology.machines
    }
    for node in topology.nodes:
        found[node.name] += _agents(node, topology, chart)
    if settings.pod_routes != "none":
        found[topology.router.name] += [
            Route(PodsOf(one["name"]), IPAddress(one["address"]), one["interface"], settings.pod_routes)
            for one in neighbours(topology)
        ]
    return found


def _default(machine: Machine) -> Iterator[Route]:
    if has_nat(machine):
        # The NAT's own router, by QEMU's and VirtualBox's custom.
        yield Route(EVERYWHERE, IPAddress(NAT.first + 2), NAT_INTERFACE, "dhcp")


def _planned(host: Host) -> Iterator[Route]:
    for name, interface in host["interfaces"].items():
        for address in interface["addresses"]:
            yield Route(IPNetwork(address).cidr, None, name, "kernel")
        for route in interface["routes"]:
            yield Route(IPNetwork(route["to"]), IPAddress(route["via"]), name, "static")


def _agents(node: Node, topology: Topology, chart: Values) -> Iterator[Route]:
    """What Cilium's agent on the node adds: to its own pods, and to other nodes' through the tunnel, or
    straight to those on its segment.
    """
    yield Route(PodsOf(node.name), None, AGENT_DEVICE, "kernel")
    (own,) = node.interfaces
    for other in topology.nodes:
        if other is node:
            continue
        (its,) = other.interfaces
        if tunnelled(chart):
            yield Route(PodsOf(other.name), None, AGENT_DEVICE, "kernel", pod_mtu(chart))
        elif chart.on("autoDirectNodeRoutes") and its.segment == own.segment:
            yield Route(PodsOf(other.name), its.address, own.name, "kernel")
