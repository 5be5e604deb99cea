"""What is drawn of a lab: boxes in areas, and lines between them. Pure, and the same for every format."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from ciliumlab.plan.path import Hop, Path
from ciliumlab.plan.routes import has_nat, tables
from ciliumlab.settings import Settings
from ciliumlab.topology import Machine, Node, Router, Segment, Topology
from ciliumlab.topology.claims import NAT
from ciliumlab.topology.names import NAT_INTERFACE

Kind = Literal["control-plane", "worker", "router", "pod", "nat", "nobody"]
NAT_ID, NOBODY_ID = "nat", "nobody"


@dataclass(frozen=True)
class Box:
    """A machine, a pod, or what is outside. ``routes`` are a machine's, as ``ip route`` has them."""

    id: str
    kind: Kind
    title: str
    lines: tuple[str, ...]
    routes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Area:
    """A segment with the nodes on it. ``port`` is the router's interface and address there."""

    id: str
    title: str
    pools: tuple[str, ...]
    port: str
    boxes: tuple[Box, ...]


@dataclass(frozen=True)
class Step:
    """A hop from box to box by their ids, ``number`` as in the table of hops; ``lost`` where it does not
    arrive.
    """

    source: str
    target: str
    number: int
    lost: bool


@dataclass(frozen=True)
class Drawing:
    """``path`` is what ``steps`` are drawn of; None without one."""

    name: str
    facts: tuple[str, ...]
    areas: tuple[Area, ...]
    router: Box
    outside: tuple[Box, ...]
    steps: tuple[Step, ...]
    path: Path | None


def drawing(topology: Topology, settings: Settings, path: Path | None = None) -> Drawing:
    """The lab as it is deployed with these settings, with a way through it if there is one to show."""
    routes = {name: tuple(map(str, found)) for name, found in tables(topology, settings).items()}
    steps = tuple(_steps(path)) if path else ()
    ends = {end for step in steps for end in (step.source, step.target)}
    # Also where nothing arrives.
    ends |= {_end(path.target)} if path else set()
    return Drawing(
        name=topology.name,
        facts=tuple(_facts(topology, settings)),
        areas=tuple(_area(segment, topology, routes, ends) for segment in topology.segments),
        router=_machine(topology.router, routes),
        outside=tuple(_outside(topology, ends)),
        steps=steps,
        path=path,
    )


def machine_id(name: str) -> str:
    return f"machine-{name}"


def _pod_id(node: str) -> str:
    return f"pod-{node}"


def _facts(topology: Topology, settings: Settings) -> Iterator[str]:
    kubernetes = topology.kubernetes
    yield f"datapath {settings.datapath}, pod routes {settings.pod_routes}"
    yield f"pods {kubernetes.pod_cidr}, /{kubernetes.pod_cidr_mask_size} a node"
    yield f"services {kubernetes.service_cidr}"


def _area(segment: Segment, topology: Topology, routes: dict[str, tuple[str, ...]], ends: set[str]) -> Area:
    boxes: list[Box] = []
    for node in topology.nodes_on(segment):
        boxes.append(_machine(node, routes))
        if _pod_id(node.name) in ends:
            boxes.append(Box(_pod_id(node.name), "pod", "pod", (f"of {node.name}",)))
    (port,) = (one for one in topology.router.interfaces if one.segment == segment)
    return Area(
        id=f"segment-{segment.name}",
        title=f"{segment.name} {segment.cidr}",
        pools=tuple(
            f"pool {pool.name}: {pool.start}-{pool.stop}"
            for pool in topology.pools
            if pool.segment == segment
        ),
        port=f"{port.name} {port.address}",
        boxes=tuple(boxes),
    )


def _machine(machine: Machine, routes: dict[str, tuple[str, ...]]) -> Box:
    kind: Kind = machine.role if isinstance(machine, Node) else "router"
    lines = [f"{interface.name} {interface.cidr}" for interface in machine.interfaces]
    if isinstance(machine, Router):
        lines += [f"{dummy.name} {dummy.cidr} (dummy)" for dummy in machine.dummies]
    if has_nat(machine):
        lines.append(f"{NAT_INTERFACE} NAT")
    return Box(machine_id(machine.name), kind, machine.name, tuple(lines), routes[machine.name])


def _outside(topology: Topology, ends: set[str]) -> Iterator[Box]:
    if any(has_nat(machine) for machine in topology.machines):
        yield Box(
            NAT_ID, "nat", f"NAT {NAT.text}", (f"{NAT_INTERFACE} of every machine,", "on a side of its own")
        )
    if NOBODY_ID in ends:
        yield Box(NOBODY_ID, "nobody", "nobody", ("answers",))


def _steps(path: Path) -> Iterator[Step]:
    """Hops with somebody to go to; what is lost goes out of the NAT side, or to nobody."""
    for number, hop in enumerate(path.hops, 1):
        last = hop is path.hops[-1]
        if hop.to:
            yield Step(_end(hop.at), _end(hop.to), number, False)
        elif last and path.lost:
            yield Step(_end(hop.at), NAT_ID if hop.device == NAT_INTERFACE else NOBODY_ID, number, True)


def _end(at: str) -> str:
    node, _, pod = at.partition(":")
    return _pod_id(node) if pod else machine_id(node)


def told(hop: Hop) -> tuple[str, str, str, str, str]:
    """A hop in words for a table: where, what is done, out of which device to whom, headers, MTU."""
    leaves = f"{hop.device} to {hop.to}" if hop.to else hop.device
    headers = f"{hop.outer} ( {hop.inner} )" if hop.outer else str(hop.inner)
    return hop.at, hop.does, leaves, headers, str(hop.mtu)


HEADINGS = ("at", "what happens", "leaves by", "headers", "MTU")
