"""tasks/workers.py: every node of the lab in the cluster, at its lab address, and no other."""

from __future__ import annotations

from .expect import control_plane, each, expect
from .lab import Lab, Machine


@each(control_plane)
def test_members(machine: Machine) -> None:
    expect(machine, "nodes of the cluster", set(machine.data["nodes"]), set(machine.cluster.nodes))


def _seen(lab: Lab) -> list[tuple[Machine, Machine]]:
    """The first control-plane node, with each node of the lab."""
    return [(lab.control_plane[0], node) for node in lab.nodes]


@each(_seen)
def test_address(machine: Machine, node: Machine) -> None:
    """The lab's, and not that of the NAT, which all have."""
    member = machine.cluster.nodes.get(node.name)
    expect(machine, f"address of {node}", str(node.addresses[0].ip), member.address if member else None)


@each(_seen)
def test_version(machine: Machine, node: Machine) -> None:
    member = machine.cluster.nodes.get(node.name)
    wanted = f"v{node.data['kubernetes_version']}"
    expect(machine, f"kubelet of {node}", wanted, member.version if member else None)


@each(_seen)
def test_takes_pods(machine: Machine, node: Machine) -> None:
    member = machine.cluster.nodes.get(node.name)
    expect(machine, f"{node} is cordoned", False, member.cordoned if member else None)


@each(lambda lab: [node for node in lab.nodes if node not in lab.control_plane])
def test_endpoint(machine: Machine) -> None:
    """A control-plane node's kubelet talks to the API server beside it."""
    expect(machine, "kubelet's API server", f"https://{machine.data['endpoint']}", machine.kubelet.server)
