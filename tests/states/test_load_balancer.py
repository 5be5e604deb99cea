"""tasks/load_balancer.py: pools and policies as declared, and addresses that are given and answered."""

from __future__ import annotations

from ipaddress import IPv4Address

import pytest

from . import talks
from .declared import Declared, announced, at, by_bgp, objects, of_part
from .expect import each, expect
from .found.objects import Object, differences, name
from .found.pods import answering, read_outside
from .lab import Lab, Machine

_POOL, _POLICY = "CiliumLoadBalancerIPPool", "CiliumL2AnnouncementPolicy"
_REQUEST, _SHARING = "lbipam.cilium.io/ips", "lbipam.cilium.io/sharing-key"

NO_POOLS = "no pools in lab.yaml"
NO_SERVICES = "no services that get addresses in this lab (workloads = False, or no pools in lab.yaml)"
NOT_ANNOUNCED = f"{NO_SERVICES}, or nobody announces them (l2_announcements = False)"


# Declared objects ---------------------------------------------------------------------------------


@each(
    lambda lab: [
        (lab.first, Declared(one))
        for part in ("load-balancer", "bgp")
        for one in of_part(lab.first.data, part)
    ],
    none=NO_POOLS,
)
def test_object(machine: Machine, declared: Declared) -> None:
    found = machine.objects.find(declared.object)
    lines = list(differences(declared.object["spec"], found["spec"])) if found else ["it is not there"]
    expect(machine, f"{declared} other than declared", [], lines)


_KINDS = (_POOL, _POLICY, "CiliumBGPClusterConfig", "CiliumBGPPeerConfig", "CiliumBGPAdvertisement")


@each(lambda lab: [(lab.first, kind) for kind in _KINDS])
def test_no_other_object(machine: Machine, kind: str) -> None:
    """What was declared once and is no more is gone: policies, where announcements are off."""
    wanted = {name(one) for one in objects(machine.data, kind)}
    expect(machine, f"{kind} of this project", wanted, machine.objects.ours(kind))


# Pools --------------------------------------------------------------------------------------------


def pools(lab: Lab) -> list[tuple[Machine, Declared]]:
    return [(lab.first, Declared(pool)) for pool in objects(lab.first.data, _POOL)]


@each(pools, none=NO_POOLS)
def test_pool_is_counted(machine: Machine, pool: Declared) -> None:
    """All addresses of it, and those that are used or left are all of them."""
    found = machine.objects.pool(pool.object)
    wanted = sum(int(stop) - int(start) + 1 for start, stop in _blocks(pool.object))
    expect(machine, f"addresses of {pool}", wanted, found.total if found else None)
    if found:
        both = (found.used or 0) + (found.available or 0)
        expect(machine, f"used and available addresses of {pool}", wanted, both)


@each(pools, none=NO_POOLS)
def test_pool_has_no_conflict(machine: Machine, pool: Declared) -> None:
    found = machine.objects.pool(pool.object)
    expect(machine, f"conflict of {pool}", "", found.conflict if found else "it is not there")


def _blocks(pool: Object) -> list[tuple[IPv4Address, IPv4Address]]:
    blocks = pool["spec"]["blocks"]
    return [(IPv4Address(block["start"]), IPv4Address(block["stop"])) for block in blocks]


# Services -----------------------------------------------------------------------------------------


def services(lab: Lab) -> list[tuple[Machine, Declared]]:
    return [(lab.first, Declared(service)) for service in talks.services(lab)]


@each(services, none=NO_SERVICES)
def test_address(machine: Machine, service: Declared) -> None:
    """One, and of a pool."""
    found = machine.objects.service(service.object)
    expect(machine, f"what LB-IPAM says of {service}", "", found.trouble if found else "it is not there")
    addresses = found.addresses if found else []
    expect(machine, f"number of addresses of {service}", 1, len(addresses), "\n".join(addresses))
    blocks = [block for pool in objects(machine.data, _POOL) for block in _blocks(pool)]
    inside = any(start <= IPv4Address(addresses[0]) <= stop for start, stop in blocks)
    expect(machine, f"{addresses[0]} of {service} is of a pool", True, inside)


def requested(lab: Lab) -> list[tuple[Machine, Declared]]:
    return [case for case in services(lab) if _annotation(case[1].object, _REQUEST)]


@each(requested, none=NO_SERVICES)
def test_requested_address(machine: Machine, service: Declared) -> None:
    wanted = _annotation(service.object, _REQUEST)
    expect(machine, f"address of {service}", wanted, talks.address(machine.lab, service.object))


def shared(lab: Lab) -> list[tuple[Machine, Declared, Declared]]:
    """Pairs of services with one key, and so on one address."""
    keyed = [case for case in services(lab) if _annotation(case[1].object, _SHARING)]
    return [
        (machine, one, other)
        for number, (machine, one) in enumerate(keyed)
        for _, other in keyed[number + 1 :]
        if _annotation(one.object, _SHARING) == _annotation(other.object, _SHARING)
    ]


@each(shared, none=NO_SERVICES)
def test_shared_address(machine: Machine, service: Declared, other: Declared) -> None:
    one, two = (talks.address(machine.lab, each_of.object) for each_of in (service, other))
    expect(machine, f"{service} has an address", True, bool(one))
    expect(machine, f"address of {other}, as of {service}", one, two)


def _annotation(service: Object, key: str) -> str:
    return str(service["metadata"].get("annotations", {}).get(key, ""))


# Who answers for an address -----------------------------------------------------------------------


def led(lab: Lab) -> list[tuple[Machine, Declared]]:
    return services(lab) if lab.first.data["l2_announcements"] else []


def _policy(machine: Machine, service: Object) -> Object:
    """The one that has the service announced."""
    labels = service["metadata"].get("labels", {}).items()
    for policy in objects(machine.data, _POLICY):
        if at(policy["spec"], "serviceSelector.matchLabels", {}).items() <= labels:
            return policy
    pytest.skip(f"no policy selects {name(service)}: no node is on the segment of its pool")


@each(led, none=NOT_ANNOUNCED)
def test_leader(machine: Machine, service: Declared) -> None:
    """One of the nodes that the policy has, which are those of the pool's segment."""
    (among,) = _policy(machine, service.object)["spec"]["nodeSelector"]["matchExpressions"]
    found = machine.objects.holders.get(name(service.object))
    nodes = ", ".join(among["values"])
    expect(machine, f"{found or 'nobody'} leads {service}, of {nodes}", True, found in among["values"])


@each(lambda lab: shared(lab) if led(lab) else [], none=NOT_ANNOUNCED)
def test_shared_leader(machine: Machine, service: Declared, other: Declared) -> None:
    """Each service has an election of its own, and two winners would both answer for the address
    (cilium/cilium#48419). Deleting the lease that is held elsewhere has it elected anew.
    """
    holders = machine.objects.holders
    one, two = (holders.get(name(each_of.object)) for each_of in (service, other))
    expect(machine, f"leader of {other}, as of {service}", one, two)


# Who reaches an address ---------------------------------------------------------------------------


def seekers(lab: Lab) -> list[tuple[Machine, Declared]]:
    return [(node, service) for node in lab.nodes for _, service in services(lab)]


@each(seekers, none=NO_SERVICES)
def test_node_reaches(machine: Machine, service: Declared) -> None:
    _expect_answer(machine, service.object, machine.talks.get(talks.fetch(None, service.object), ""))


@each(seekers, none=NO_SERVICES)
def test_pods_reach(machine: Machine, service: Declared) -> None:
    own = [pod for pod in talks.workload_pods(machine.lab) if pod.node == machine.name]
    if not own:
        pytest.skip(f"no pod of the workloads is on {machine}")
    for pod in own:
        said = machine.talks.get(talks.fetch(pod, service.object), "")
        _expect_answer(machine, service.object, said, f" for {pod}")


@each(
    lambda lab: [(router, service) for router in lab.routers for _, service in services(lab)],
    none=NO_SERVICES,
)
def test_router_reaches(machine: Machine, service: Declared) -> None:
    """Only where somebody tells it who has the address."""
    lab = machine.lab
    said = machine.announced.get(talks.fetch(None, service.object), "")
    pods, _ = read_outside(said)
    leader = lab.first.objects.holders.get(name(service.object), "")
    if not announced(machine.data):
        wanted = set()
    elif by_bgp(machine.data):
        wanted = {pod.name for pod in talks.behind(lab, service.object)}
    else:
        _ = _policy(machine, service.object)
        wanted = talks.can_answer(lab, lab.node(leader), service.object) if leader else set()
    _expect_among(machine, service.object, wanted, pods, said)
    expect(machine, f"gets an answer of {service}", announced(machine.data), bool(pods), said)


@each(
    lambda lab: [(router, service) for router in lab.routers for _, service in led(lab)],
    none=NOT_ANNOUNCED,
)
def test_leader_answers(machine: Machine, service: Declared) -> None:
    """The address is the leader's, and nobody else's, in the router's eyes."""
    if by_bgp(machine.data):
        pytest.skip("the router has a route to the address (bgp_load_balancer_ips), and asks nobody")
    _policy(machine, service.object)
    lab = machine.lab
    holder = lab.first.objects.holders.get(name(service.object), "")
    expect(machine, f"somebody leads {service}", True, bool(holder))
    node = lab.node(holder)
    said = machine.announced.get(talks.fetch(None, service.object), "")
    _, macs = read_outside(said)
    wanted = {link.mac for key, link in node.network.links.items() if key in node.cards}
    expect(machine, f"MAC address of {service}, which {holder} leads", wanted, macs, said)


def _expect_answer(node: Machine, service: Object, said: str, whom: str = "") -> None:
    wanted = talks.can_answer(node.lab, node, service)
    _expect_among(node, service, wanted, answering(said), said, whom)
    where = talks.address(node.lab, service) or "no address"
    expect(node, f"{name(service)} at {where} answers{whom}", bool(wanted), bool(answering(said)), said)


def _expect_among(
    machine: Machine, service: Object, wanted: set[str], found: list[str], said: str, whom: str = ""
) -> None:
    others = [pod for pod in found if pod not in wanted]
    expect(machine, f"pods that answer for {name(service)}{whom} and cannot", [], others, said)
