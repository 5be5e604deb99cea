"""Literal lines of the reference lab, as the post shows them: they pin the plan itself.

Everything else here expects what the plan computes; a plan that computes something wrong is found out here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .expect import each, expect
from .lab import Lab, Machine

MACHINES = {
    "k8s-ctr": "192.168.10.100",
    "k8s-w1": "192.168.10.101",
    "k8s-w0": "192.168.20.100",
    "router": "192.168.10.200",
}
ROUTES = [
    ("k8s-ctr", "172.20.0.0/16 via 192.168.10.200 dev eth1 proto static"),
    ("k8s-ctr", "192.168.20.0/24 via 192.168.10.200 dev eth1 proto static"),
    ("k8s-w1", "172.20.0.0/16 via 192.168.10.200 dev eth1 proto static"),
    ("k8s-w1", "192.168.20.0/24 via 192.168.10.200 dev eth1 proto static"),
    ("k8s-w0", "172.20.0.0/16 via 192.168.20.200 dev eth1 proto static"),
    ("k8s-w0", "192.168.10.0/24 via 192.168.20.200 dev eth1 proto static"),
]
ROUTES_TO_DUMMIES = [
    ("k8s-ctr", "10.10.0.0/16 via 192.168.10.200 dev eth1 proto static"),
    ("k8s-w1", "10.10.0.0/16 via 192.168.10.200 dev eth1 proto static"),
    ("k8s-w0", "10.10.0.0/16 via 192.168.20.200 dev eth1 proto static"),
]
TTLS = [("k8s-ctr", "192.168.20.100", 63), ("k8s-w0", "192.168.10.100", 63)]
TTLS_OF_DUMMIES = [("k8s-ctr", "10.10.1.200", 64), ("k8s-w0", "10.10.1.200", 64)]
PATHS = [
    ("k8s-ctr", "192.168.20.100", ("192.168.10.200", "192.168.20.100")),
    ("k8s-w0", "192.168.10.100", ("192.168.20.200", "192.168.10.100")),
]


def of_reference(cases: list[tuple], of_dummies: Sequence[tuple] = ()) -> Callable[[Lab], list[tuple]]:
    """The cases with their machines in the place of names; none of them if this is another lab."""

    def found(lab: Lab) -> list[tuple]:
        machines = {machine.name: machine for machine in lab.machines}
        if {name: str(machine.addresses[0].ip) for name, machine in machines.items()} != MACHINES:
            return []
        # The same lab without dummy interfaces is what runs in containers of a kernel that has none.
        wanted = [*cases, *of_dummies] if machines["router"].dummies else cases
        return [(machines[name], *rest) for name, *rest in wanted]

    return found


@each(of_reference(ROUTES, ROUTES_TO_DUMMIES))
def test_route(machine: Machine, line: str) -> None:
    routes = machine.network.routes
    expect(machine, f"its routes have {line}", True, line in routes, "\n".join(routes))


@each(of_reference(TTLS, TTLS_OF_DUMMIES))
def test_ttl(machine: Machine, address: str, ttl: int) -> None:
    reached = machine.reached[address]
    expect(machine, f"TTL of what {address} answers", ttl, reached.ttl, reached.said)


@each(of_reference(PATHS))
def test_path(machine: Machine, address: str, hops: tuple[str, ...]) -> None:
    reached = machine.reached[address]
    expect(
        machine, f"way to {address} and its MTU", (*hops, 1500), (*reached.hops, reached.pmtu), reached.said
    )


@each(of_reference([("k8s-ctr",), ("k8s-w1",), ("k8s-w0",)]))
def test_page(machine: Machine) -> None:
    found = machine.pages["192.168.10.200"]
    expect(machine, "the router's page", "<h1>Web Server : router</h1>\n", found)
