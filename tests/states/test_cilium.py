"""tasks/cilium.py: the release as declared, and on every node an agent that runs with what it says."""

from __future__ import annotations

from ipaddress import IPv4Network
from itertools import combinations

import pytest

from .declared import at, configuration, pod_networks, runs, same_word
from .expect import each, expect, first, nodes
from .found.cilium import Rollout
from .found.objects import differences
from .lab import Machine

# The one value that a release keeps from its first installation on.
_KEPT = "upgradeCompatibility"


# The release --------------------------------------------------------------------------------------


@each(first)
def test_release(machine: Machine) -> None:
    wanted = f"cilium-{machine.data['helm_charts']['cilium']['version']} deployed"
    expect(machine, "release cilium", wanted, f"{machine.release.chart} {machine.release.status}".strip())


@each(first)
def test_values(machine: Machine) -> None:
    """Exactly the plan's: neither others, nor more."""
    wanted, found = ({**one, _KEPT: ""} for one in (machine.data["helm_values"], machine.release.values))
    lines = list(differences(wanted, found, exact=True))
    expect(machine, "values of the release that are not the plan's", [], lines)


@each(first)
def test_first_version(machine: Machine) -> None:
    """The minor that was first installed, by which the chart keeps what would break connections."""
    newest = str(machine.data["helm_values"][_KEPT])
    found = str(machine.release.values.get(_KEPT, ""))
    expect(machine, f"{_KEPT} is set", True, bool(found))
    expect(machine, f"{_KEPT} {found} is no later than {newest}", True, _minor(found) <= _minor(newest))


def _minor(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


@each(lambda lab: [(lab.first, key) for key in configuration(lab.first.data["helm_values"])])
def test_configuration(machine: Machine, key: str) -> None:
    wanted = configuration(machine.data["helm_values"])[key]
    expect(machine, f"cilium-config {key}", wanted, same_word(machine.release.configuration.get(key, "")))


@each(first)
def test_agents_have_rolled_out(machine: Machine) -> None:
    everywhere = len(machine.data["nodes"])
    wanted = Rollout(wanted=everywhere, updated=everywhere, available=everywhere)
    expect(machine, "pods of the agents", wanted, machine.release.agents)


@each(first)
def test_operator_has_rolled_out(machine: Machine) -> None:
    count = at(machine.data["helm_values"], "operator.replicas")
    wanted = Rollout(wanted=count, updated=count, available=count)
    expect(machine, "pods of the operator", wanted, machine.release.operators)


# What agents run ----------------------------------------------------------------------------------


@each(nodes)
def test_agent_is_well(machine: Machine) -> None:
    expect(machine, "the agent", "Ok", machine.agent.health)


@each(nodes)
def test_agent_version(machine: Machine) -> None:
    wanted = machine.data["helm_charts"]["cilium"]["version"]
    expect(machine, "version of the agent", wanted, machine.agent.version, machine.agent.said)


@each(lambda lab: [(node, what) for node in lab.nodes for what in runs(node.data)])
def test_agent_runs(machine: Machine, what: str) -> None:
    """Not what it was told: an agent that was not restarted runs what it did before."""
    found = machine.agent.runs[what]
    if found is None and machine.agent.health == "Ok":
        pytest.skip(f"{machine}: an agent {machine.agent.version} does not tell its {what}")
    expect(machine, f"{what} of the agent", runs(machine.data)[what], found, machine.agent.said)


@each(nodes)
def test_agent_serves_the_lab_side(machine: Machine) -> None:
    """Never the NAT side, whose address is every machine's."""
    found = machine.agent.devices
    expect(machine, "devices of the agent", frozenset(machine.cards), found, machine.agent.said)


@each(lambda lab: [(node, lab.nodes[0]) for node in lab.nodes[1:]])
def test_agents_run_the_same(machine: Machine, other: Machine) -> None:
    """Nodes in mixed modes drop each other's packets."""
    expect(machine, f"what {other} runs with", other.agent.runs, machine.agent.runs)


@each(lambda lab: [(lab.first, node) for node in lab.nodes])
def test_node_is_ready(machine: Machine, node: Machine) -> None:
    member = machine.cluster.nodes.get(node.name)
    expect(machine, f"{node} is ready", "True", member.ready if member else None)


# Addresses of pods --------------------------------------------------------------------------------


@each(first)
def test_cilium_nodes(machine: Machine) -> None:
    """One for each node of the lab, at its lab address."""
    wanted = {node.name: [str(node.addresses[0].ip)] for node in machine.lab.nodes}
    expect(machine, "Cilium's nodes and their addresses", wanted, machine.release.addresses)


@each(lambda lab: [(lab.first, node) for node in lab.nodes])
def test_pod_cidr(machine: Machine, node: Machine) -> None:
    """One share of the pool."""
    found = machine.release.pod_cidrs.get(node.name, [])
    expect(machine, f"number of pod CIDRs of {node}", 1, len(found), "\n".join(found))
    share = IPv4Network(found[0])
    mask = at(machine.data["helm_values"], "ipam.operator.clusterPoolIPv4MaskSize")
    expect(machine, f"prefix length of {share}, {node}'s pod CIDR", mask, share.prefixlen)
    inside = any(share.subnet_of(IPv4Network(pool)) for pool in pod_networks(machine.data))
    expect(machine, f"{share}, {node}'s pod CIDR, is in the pool", True, inside)


@each(first)
def test_pod_cidrs_are_disjoint(machine: Machine) -> None:
    shares = [
        (name, IPv4Network(cidr)) for name, cidrs in machine.release.pod_cidrs.items() for cidr in cidrs
    ]
    found = [
        f"{one} {a} and {other} {b}" for (one, a), (other, b) in combinations(shares, 2) if a.overlaps(b)
    ]
    expect(machine, "pod CIDRs that overlap", [], found)
