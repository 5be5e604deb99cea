"""How pods' packets go: devices and routes of the mode, who reaches whom, and what is on the wire."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import talks
from .declared import (
    ASKER,
    WEB,
    Place,
    datapath,
    direct,
    places,
    pod_networks,
    reaches_pods,
    route_mtu,
    segments,
)
from .expect import each, expect, leads_to_pods, nodes
from .found.capture import TUNNEL_PORTS
from .found.objects import Pod
from .found.pods import Pinged, read_ping
from .lab import Lab, Machine

NO_PODS = "no pods of workloads in this lab (workloads = False)"
_HOST = "cilium_host"


# Devices and routes -------------------------------------------------------------------------------


@each(lambda lab: [(node, tunnel) for node in lab.nodes for tunnel in TUNNEL_PORTS])
def test_device(machine: Machine, tunnel: str) -> None:
    """There in its own mode, and gone in all others."""
    _ = machine.kubelet
    link = machine.network.links.get(f"cilium_{tunnel}")
    expect(machine, f"device cilium_{tunnel} is there", tunnel == datapath(machine.data), link is not None)


def ways(lab: Lab) -> list[tuple[Machine, Machine]]:
    return [*((node, node) for node in lab.nodes), *lab.pairs()]


@each(ways)
def test_route_to_pods_of(machine: Machine, node: Machine) -> None:
    """Straight to a node of the same segment in native mode, and by the agent's device in a tunnel; no route
    but the one to the router leads to what else there is.
    """
    cidrs = machine.lab.first.release.pod_cidrs.get(node.name, [])
    expect(machine, f"{node} has pod CIDRs", True, bool(cidrs))
    for cidr in cidrs:
        found = [_way(line) for line in machine.network.routes if line.split()[0] == cidr]
        wanted = list(_wanted_ways(machine, node))
        expect(machine, f"routes to {cidr}, pods of {node}", wanted, found, "\n".join(machine.network.routes))


def _wanted_ways(machine: Machine, node: Machine) -> Iterator[str]:
    if machine is node:
        yield f"dev {_HOST} proto kernel"
    elif datapath(machine.data) != "native":
        yield f"dev {_HOST} proto kernel mtu {route_mtu(machine.data)}"
    elif direct(machine.data, node.data):
        (interface,) = (
            name
            for name in machine.cards
            if any(own.network == node.addresses[0].network for own in machine.addresses)
        )
        yield f"via {node.addresses[0].ip} dev {interface} proto kernel"


def _way(line: str) -> str:
    """What counts in a line of ``ip route``: the address of the agent's own device does not."""
    words = line.split()
    found = {key: words[words.index(key) + 1] for key in ("via", "dev", "proto", "mtu") if key in words}
    if found.get("dev") == _HOST:
        found.pop("via", None)
    return " ".join(f"{key} {value}" for key, value in found.items())


@each(nodes)
def test_no_other_route_to_pods(machine: Machine) -> None:
    """Such as one that was left behind by a node that is gone, or by another mode."""
    shares = [cidr for cidrs in machine.lab.first.release.pod_cidrs.values() for cidr in cidrs]
    static = pod_networks(machine.data)
    others = [
        line
        for line in machine.network.routes
        if leads_to_pods(machine, line)
        and line.split()[0] not in (*shares, *static)
        # A single address is a pod's of this node, or its own in the pods' network.
        and "/" in line.split()[0]
    ]
    expect(machine, "other routes to pods", [], others)


# Pods and pods ------------------------------------------------------------------------------------


def pairs_of_pods(lab: Lab) -> list[tuple[Machine, Place, Place]]:
    """With the machine that knows where they are."""
    found = places(lab.first.data)
    return [(lab.first, one, other) for one in found for other in found if one != other]


@each(pairs_of_pods, none=NO_PODS)
def test_pod_reaches(machine: Machine, place: Place, other: Place) -> None:
    """Or not, where no route leads from one segment's pods to another's."""
    source, target, pinged = _pinged(machine.lab, place, other)
    node, its = machine.lab.node(source.node), machine.lab.node(target.node)
    wanted = reaches_pods(node.data, its.data)
    expect(node, f"{source} reaches {target}", wanted, pinged.answered, pinged.said)


def pairs_of_webs(lab: Lab) -> list[tuple[Machine, Place, Place]]:
    return [case for case in pairs_of_pods(lab) if {case[1].app, case[2].app} == {WEB}]


@each(pairs_of_webs, none=NO_PODS)
def test_whole_packet(machine: Machine, place: Place, other: Place) -> None:
    """1472 bytes that must not be divided are refused on the way into a tunnel, and pass without one."""
    source, target, pinged = _pinged(machine.lab, place, other)
    node, its = machine.lab.node(source.node), machine.lab.node(target.node)
    if not talks.sizes(node, its):
        pytest.skip(f"{source} and {target} are on one node, or out of each other's reach by plan")
    fits = route_mtu(node.data)
    for size in talks.sizes(node, its):
        wanted = "arrives" if size <= fits else "is refused before it leaves"
        what = f"a packet of {size} bytes from {source} to {target}"
        expect(node, what, wanted, pinged.whole.get(size), pinged.said)


def _pinged(lab: Lab, place: Place, other: Place) -> tuple[Pod, Pod, Pinged]:
    source, target = _pod(lab, place), _pod(lab, other)
    node, its = lab.node(source.node), lab.node(target.node)
    said = node.talks[talks.ping(source, target)]
    return source, target, read_ping(said, talks.sizes(node, its))


def _pod(lab: Lab, place: Place) -> Pod:
    pod = talks.pod_at(lab, place)
    if pod is None:
        pytest.skip(f"there is no pod {place} with an address on a node: see test_workloads.py")
    return pod


# On the wire --------------------------------------------------------------------------------------


def watched(lab: Lab) -> list[tuple[Machine, str]]:
    """Each router with each kind of packets, where pods of different segments talk through it."""
    several = len({segment for node in lab.nodes for segment in segments(node.data)}) > 1
    if not several or not places(lab.first.data):
        return []
    return [(router, kind) for router in lab.routers for kind in ("bare", *TUNNEL_PORTS)]


@each(watched, none="no pods of workloads on different segments in this lab (workloads = False)")
def test_packets_on_the_router(machine: Machine, kind: str) -> None:
    """Pods' own packets without a tunnel, and in one nothing but its packets from node to node."""
    lab = machine.lab
    pairs = talks.across(lab)
    if not pairs:
        pytest.skip("there are no pods on different segments: see test_workloads.py")
    seen = machine.capture
    bare, mode = kind == "bare", datapath(lab.first.data)
    packets = seen.bare if bare else seen.tunnelled[kind]
    if mode != ("native" if bare else kind):
        expect(machine, f"{kind} packets between pods of different segments", set(), packets, seen.said)
        return
    for source, target in pairs:
        ends = (source, target) if bare else (lab.node(source.node), lab.node(target.node))
        way = tuple(one.address if isinstance(one, Pod) else str(one.addresses[0].ip) for one in ends)
        what = f"saw {kind} packets from {ends[0]} to {ends[1]}"
        expect(machine, what, True, way in packets, seen.said)


# Hubble -------------------------------------------------------------------------------------------


def asker_and_webs(lab: Lab) -> list[tuple[Machine, Place, Place]]:
    return [case for case in pairs_of_pods(lab) if (case[1].app, case[2].app) == (ASKER, WEB)]


@each(asker_and_webs, none=NO_PODS)
def test_hubble_saw_it(machine: Machine, place: Place, other: Place) -> None:
    """Where a packet left the node, and that it did."""
    source, target, _ = _pinged(machine.lab, place, other)
    node = machine.lab.node(source.node)
    if node.name == target.node:
        pytest.skip(f"{source} and {target} are on one node, which no packet between them leaves")
    if "control_plane" not in node.groups:
        pytest.skip(f"{source} is not on the control plane, which alone has Hubble's program")
    flows = node.flows
    if flows.trouble:
        pytest.skip(f"{node}: Hubble tells no flows: {flows.trouble}")
    wanted = ("TO_NETWORK" if datapath(node.data) == "native" else "TO_OVERLAY", "FORWARDED")
    found = flows.seen(source.address, target.address)
    expect(node, f"Hubble saw {source} to {target} go {' '.join(wanted)}", True, wanted in found, str(found))
