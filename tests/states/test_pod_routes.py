"""tasks/pod_routes.py: the router's routes to pods, which lead to their nodes and are made as was set."""

from __future__ import annotations

import pytest

from .expect import each, expect, expect_service, leads_to_pods, routers
from .found.network import FRR
from .lab import Lab, Machine


def neighbours(lab: Lab) -> list[tuple[Machine, str]]:
    return [
        (router, node["name"]) for router in lab.routers for node in router.data["pod_routing"]["neighbours"]
    ]


def routes_to_pods(machine: Machine) -> list[str]:
    found = [line for line in machine.network.routes if leads_to_pods(machine, line)]
    if machine.data["cluster"] == "auto" and not found and machine.data["pod_routes"] != "none":
        pytest.skip(f"{machine}: no cluster was deployed here, as cluster=auto allows")
    return found


def by(machine: Machine) -> str:
    """Who makes the routes, in the words of ``ip route``."""
    return f"proto {machine.data['pod_routes']}"


@each(neighbours)
def test_routes_to_pods_of(machine: Machine, node: str) -> None:
    (one,) = (one for one in machine.data["pod_routing"]["neighbours"] if one["name"] == node)
    way = f"via {one['address']} dev {one['interface']} "
    found = [line for line in routes_to_pods(machine) if f"{way}{by(machine)}" in line]
    wanted = machine.data["pod_routes"] != "none"
    expect(machine, f"a route to pods of {node}", wanted, bool(found), "\n".join(machine.network.routes))


@each(neighbours)
def test_routes_are_to_its_pods(machine: Machine, node: str) -> None:
    """To exactly the networks that the node has its pods' addresses from."""
    cidrs = machine.lab.first.release.pod_cidrs.get(node, [])
    wanted = set(cidrs) if machine.data["pod_routes"] != "none" else set()
    (one,) = (one for one in machine.data["pod_routing"]["neighbours"] if one["name"] == node)
    way = f"via {one['address']} dev {one['interface']} "
    found = {line.split()[0] for line in routes_to_pods(machine) if way in line}
    expect(machine, f"networks of pods by {node}", wanted, found, "\n".join(machine.network.routes))


@each(routers)
def test_no_other_route_to_pods(machine: Machine) -> None:
    """None to what is no node, none by other means than those that were set."""
    ways = [
        f"via {one['address']} dev {one['interface']} {by(machine)}"
        for one in machine.data["pod_routing"]["neighbours"]
    ]
    others = [line for line in routes_to_pods(machine) if not any(way in line for way in ways)]
    expect(machine, "other routes to pods", [], others)


@each(routers)
def test_frr(machine: Machine) -> None:
    if machine.data["pod_routes"] == "bgp":
        routes_to_pods(machine)
        expect_service(machine, FRR, machine.network.frr)
    else:
        expect(machine, f"{FRR} runs", False, machine.network.frr.active)
