"""Who tries to reach whom: for each node the questions that it and its pods ask, all in one script."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import TYPE_CHECKING

from . import declared
from .declared import ASKER, WEB, Place
from .found import pods, shell
from .found.objects import Object, Pod, name

if TYPE_CHECKING:
    from .lab import Lab, Machine

# Where the plan's workloads are.
NAMESPACE = "default"

# What a packet on a wire may have, which the reference lab tries between pods: 1472 bytes beside headers.
WHOLE = 1500

# Requests of which a service's pods must each get a share.
REQUESTS = 100

# As often as this a service is tried when some of its pods cannot answer, when all can, and when none can:
# with one in three the first of them miss it by chance once in 25 000 times.
_SOME, _ALL, _NONE = 25, 8, 2


# Who is there -------------------------------------------------------------------------------------


def workload_pods(lab: Lab) -> list[Pod]:
    """The pods that stand for a place of the plan's, on nodes of the lab, with addresses."""
    found = lab.first.objects.pods(NAMESPACE)
    names = {node.name for node in lab.nodes}
    there = [place.pod(found) for place in declared.places(lab.first.data)]
    return [pod for pod in there if pod and pod.address and pod.node in names]


def pod_at(lab: Lab, place: Place) -> Pod | None:
    pod = place.pod(lab.first.objects.pods(NAMESPACE))
    return pod if pod in workload_pods(lab) else None


def services(lab: Lab) -> list[Object]:
    """Those of the plan that get an address which others than pods reach."""
    found = declared.objects(lab.first.data, "Service")
    return [one for one in found if one["spec"]["type"] == "LoadBalancer"]


def url(address: str, service: Object) -> str:
    port = service["spec"]["ports"][0]["port"]
    return f"http://{address}:{port}/"


def address(lab: Lab, service: Object) -> str:
    """The one that it has been given, empty when none was."""
    found = lab.first.objects.service(service)
    return found.addresses[0] if found and found.addresses else ""


def behind(lab: Lab, service: Object) -> list[Pod]:
    selector = service["spec"]["selector"].items()
    return [pod for pod in workload_pods(lab) if selector <= pod.labels.items() and not pod.trouble]


def can_answer(lab: Lab, node: Machine, service: Object) -> set[str]:
    """The names of the service's pods that a node, and so its pods, get an answer of."""
    found = behind(lab, service)
    return {pod.name for pod in found if declared.reaches_pods(node.data, lab.node(pod.node).data)}


def sizes(one: Machine, other: Machine) -> list[int]:
    """The sizes of packets that are tried undivided from pods of a node to those of another one."""
    if one is other or not declared.reaches_pods(one.data, other.data):
        return []
    return sorted({declared.route_mtu(one.data), WHOLE})


# What is asked ------------------------------------------------------------------------------------


def ping(source: Pod, target: Pod) -> str:
    """The name of a question, as of those below."""
    return f"ping from {source.address} to {target.address}"


def fetch(source: Pod | None, service: Object) -> str:
    """``source`` is a pod, or the host itself."""
    return f"page of {name(service)} for {source.address if source else 'the host'}"


def spread(source: Pod, at: str) -> str:
    return f"{REQUESTS} pages of {at} for {source.address}"


def questions(lab: Lab, node: Machine) -> dict[str, str]:
    everybody = workload_pods(lab)
    own = [pod for pod in everybody if pod.node == node.name]
    return {
        **dict(_pings(lab, node, own, everybody)),
        **dict(_fetches(lab, node, own)),
        **dict(_spreads(lab, own)),
    }


def _pings(lab: Lab, node: Machine, own: list[Pod], everybody: list[Pod]) -> Iterator[tuple[str, str]]:
    for source in own:
        for target in everybody:
            if target is not source:
                other = lab.node(target.node)
                lost = not declared.reaches_pods(node.data, other.data)
                yield (
                    ping(source, target),
                    pods.ping(source.address, target.address, sizes(node, other), lost=lost),
                )


def _fetches(lab: Lab, node: Machine, own: list[Pod]) -> Iterator[tuple[str, str]]:
    for service in services(lab):
        at = address(lab, service)
        if at:
            for source in (None, *own):
                inside = source.address if source else ""
                yield fetch(source, service), pods.fetch(inside, url(at, service), _tries(lab, node, service))


def _tries(lab: Lab, node: Machine, service: Object) -> int:
    answering = can_answer(lab, node, service)
    if not answering:
        return _NONE
    return _ALL if len(answering) == len(behind(lab, service)) else _SOME


def _spreads(lab: Lab, own: list[Pod]) -> Iterator[tuple[str, str]]:
    for source in own:
        if source.labels.get("app") == ASKER:
            for service in declared.objects(lab.first.data, "Service"):
                if service["metadata"]["name"] == WEB:
                    for at in filter(None, spread_addresses(lab, service).values()):
                        yield spread(source, at), pods.fetches(source.address, url(at, service), REQUESTS)


def spread_addresses(lab: Lab, service: Object) -> dict[str, str]:
    """Where a service is reached, by the kind of the address."""
    found = lab.first.objects.service(service)
    return {"cluster": found.cluster_address if found else "", "LoadBalancer": address(lab, service)}


def router_questions(lab: Lab) -> dict[str, str]:
    """For the router, which is no part of the cluster."""
    tries = _SOME if declared.announced(lab.first.data) else _NONE
    found = {}
    for service in services(lab):
        at = address(lab, service)
        if at:
            found[fetch(None, service)] = pods.fetch_outside(url(at, service), at, tries)
    return found


# Across the router --------------------------------------------------------------------------------


def across(lab: Lab) -> list[tuple[Pod, Pod]]:
    """A pod of each segment with one of each other one, both ways: whose packets the router sees."""
    first = {}
    for pod in reversed(workload_pods(lab)):
        for segment in declared.segments(lab.node(pod.node).data):
            first[segment] = pod
    pairs = list(combinations(first.values(), 2))
    return [*pairs, *((other, one) for one, other in pairs)]


def talk_across(lab: Lab) -> None:
    for source, target in across(lab):
        lost = not declared.reaches_pods(lab.node(source.node).data, lab.node(target.node).data)
        question = {"talk": pods.ping(source.address, target.address, [], lost=lost)}
        script = shell.together(question, functions=pods.FUNCTIONS)
        lab.node(source.node).ask(script, lambda found: found)
