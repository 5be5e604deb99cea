"""What lab.yaml declares, as frozen dataclasses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from netaddr import IPAddress, IPNetwork, valid_ipv4

Role = Literal["control-plane", "worker"]


@dataclass(frozen=True)
class Segment:
    """A layer-2 network. ``cidr`` is canonical (no host bits)."""

    name: str
    cidr: IPNetwork


@dataclass(frozen=True)
class Interface:
    """A machine's interface on a segment."""

    name: str
    segment: Segment
    address: IPAddress

    @property
    def cidr(self) -> str:
        """The address with its segment's prefix, as netplan writes it: ``192.168.10.100/24``."""
        return f"{self.address}/{self.segment.cidr.prefixlen}"


@dataclass(frozen=True)
class Dummy:
    """A dummy interface of the router; ``cidr`` keeps the host bits (10.10.1.200/24)."""

    name: str
    cidr: IPNetwork


@dataclass(frozen=True)
class Machine:
    """What every machine has, however it is run or reached.

    ``ssh_key`` is None for machines that `ciliumlab up` makes: their key is the lab's own.
    """

    name: str
    interfaces: tuple[Interface, ...]
    ssh_host: str
    ssh_port: int
    ssh_user: str
    ssh_key: str | None
    cpus: int
    memory_mib: int

    @property
    def runs_here(self) -> bool:
        """Whether this host is to make it; every other machine is there already, and reached directly."""
        return bool(valid_ipv4(self.ssh_host) and IPAddress(self.ssh_host).is_loopback())


@dataclass(frozen=True)
class Node(Machine):
    role: Role


@dataclass(frozen=True)
class Router(Machine):
    dummies: tuple[Dummy, ...]
    summary: IPNetwork | None


@dataclass(frozen=True)
class Kubernetes:
    pod_cidr: IPNetwork
    pod_cidr_mask_size: int
    service_cidr: IPNetwork


@dataclass(frozen=True)
class Pool:
    """LoadBalancer addresses ``start`` to ``stop``, both included, all inside ``segment``."""

    name: str
    start: IPAddress
    stop: IPAddress
    segment: Segment


@dataclass(frozen=True)
class Topology:
    name: str
    segments: tuple[Segment, ...]
    router: Router
    nodes: tuple[Node, ...]
    kubernetes: Kubernetes
    pools: tuple[Pool, ...]

    @cached_property
    def machines(self) -> tuple[Machine, ...]:
        """Nodes in the file's order, then the router."""
        return (*self.nodes, self.router)

    def nodes_on(self, segment: Segment) -> Sequence[Node]:
        """The nodes that stand on the segment, in the file's order."""
        return self._nodes_by_segment.get(segment.name, ())

    @cached_property
    def _nodes_by_segment(self) -> Mapping[str, Sequence[Node]]:
        # By names, and once: to compare 5,000 nodes with each of 100 segments took half a second.
        found: dict[str, list[Node]] = {}
        for node in self.nodes:
            found.setdefault(node.interfaces[0].segment.name, []).append(node)
        return found
