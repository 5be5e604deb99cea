"""tasks/workloads.py: the example workloads as declared, their pods ready, and requests spread over them."""

from __future__ import annotations

from collections import Counter

import pytest

from . import talks
from .declared import ASKER, WEB, Declared, Place, objects, of_part, places
from .expect import each, expect
from .found.objects import Pod, differences, name
from .found.pods import shares
from .lab import Lab, Machine
from .test_datapath import NO_PODS


@each(lambda lab: [(lab.first, Declared(one)) for one in of_part(lab.first.data, "workloads")], none=NO_PODS)
def test_object(machine: Machine, declared: Declared) -> None:
    found = machine.objects.find(declared.object)
    lines = list(differences(declared.object["spec"], found["spec"])) if found else ["it is not there"]
    expect(machine, f"{declared} other than declared", [], lines)


@each(lambda lab: [(lab.first, place) for place in places(lab.first.data)], none=NO_PODS)
def test_pod_is_ready(machine: Machine, place: Place) -> None:
    pod = place.pod(machine.objects.pods(talks.NAMESPACE))
    expect(machine, f"pod {place}", "ready", (pod.trouble or "ready") if pod else "not there")


@each(
    lambda lab: [(lab.first, app) for app in sorted({place.app for place in places(lab.first.data)})],
    none=NO_PODS,
)
def test_number_of_pods(machine: Machine, app: str) -> None:
    wanted = sum(place.app == app for place in places(machine.data))
    found = [pod.name for pod in machine.objects.pods(talks.NAMESPACE) if pod.labels.get("app") == app]
    expect(machine, f"number of pods of {app}", wanted, len(found), "\n".join(found))


def webs(lab: Lab) -> list[Machine]:
    return [lab.first] if any(place.app == WEB for place in places(lab.first.data)) else []


@each(webs, none=NO_PODS)
def test_one_web_a_node(machine: Machine) -> None:
    there = [pod for pod in machine.objects.pods(talks.NAMESPACE) if pod.labels.get("app") == WEB]
    count = Counter(pod.node for pod in there)
    found = [f"{number} on {node}" for node, number in count.items() if number > 1]
    expect(machine, f"pods of {WEB} that share a node", [], found, "\n".join(map(str, there)))


@each(lambda lab: [(lab.first, Declared(one)) for one in objects(lab.first.data, "Pod")], none=NO_PODS)
def test_pod_is_where_it_belongs(machine: Machine, declared: Declared) -> None:
    found = machine.objects.find(declared.object)
    wanted = declared.object["spec"]["nodeName"]
    expect(machine, f"node of {declared}", wanted, found["spec"].get("nodeName") if found else None)


# Spread -------------------------------------------------------------------------------------------


def spreads(lab: Lab) -> list[tuple[Machine, Declared, str]]:
    return [
        (lab.first, Declared(service), kind)
        for service in objects(lab.first.data, "Service")
        if service["metadata"]["name"] == WEB
        for kind in ("cluster", *(["LoadBalancer"] if service in talks.services(lab) else []))
    ]


@each(spreads, none=NO_PODS)
def test_spread(machine: Machine, declared: Declared, kind: str) -> None:
    """Every pod that is in reach gets its share of the requests, and all requests get to them if all are."""
    lab = machine.lab
    service = declared.object
    asker, node = _asker(lab)
    at = talks.spread_addresses(lab, service)[kind]
    expect(machine, f"{name(service)} has a {kind} address", True, bool(at))
    said = node.talks[talks.spread(asker, at)]
    counts = shares(said)
    what = f"requests of {asker} to {name(service)} at {at}"
    told = "\n".join([f"{pod}: {count}" for pod, count in counts.items()] or [said])
    everybody = {pod.name for pod in talks.behind(lab, service)}
    in_reach = talks.can_answer(lab, node, service)
    expect(node, f"{what} are answered by", in_reach, set(counts), told)
    least = _least(len(everybody))
    few = [pod for pod in in_reach if counts[pod] < least]
    expect(node, f"pods that got less than {least} of {talks.REQUESTS} {what}", [], few, told)
    if in_reach == everybody:
        expect(node, f"{what} that were answered", talks.REQUESTS, counts.total(), told)


def _least(pods: int) -> int:
    """15 of 100 with three of them, of which each gets 33: less is no chance any more (1 : 60 000)."""
    return talks.REQUESTS * 45 // (100 * pods)


def _asker(lab: Lab) -> tuple[Pod, Machine]:
    for pod in talks.workload_pods(lab):
        if pod.labels.get("app") == ASKER:
            return pod, lab.node(pod.node)
    pytest.skip("there is no pod to ask from: see test_pod_is_ready")
