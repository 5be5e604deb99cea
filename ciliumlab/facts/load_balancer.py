"""LoadBalancer addresses as Cilium's operator gives them out, asked on a control-plane node.

Names, reasons and messages: operator/pkg/lbipam of cilium/cilium.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, TypedDict

from typing_extensions import override

from ciliumlab.facts.kubernetes import KUBECTL
from ciliumlab.facts.shell import Sections, State, sections

_CONFLICT = "cilium.io/PoolConflict"
_SATISFIED = "cilium.io/IPAMRequestSatisfied"

# Services of another class are another controller's; those of none are taken by Cilium's as by default.
_CLASSES = ("io.cilium/l2-announcer", "io.cilium/bgp-control-plane")

_UNKNOWN = "the server doesn't have a resource type"


class Verdict(TypedDict):
    """A condition: ``status`` is "True", "False", or "" where there is none for the object as it is now."""

    status: str
    reason: str
    message: str


class Pool(TypedDict):
    """A pool of addresses, and whether it is in conflict with another."""

    name: str
    conflict: Verdict


class Service(TypedDict):
    """A service of type LoadBalancer that is Cilium's to serve.

    ``name`` is "default/webpod", ``key`` its sharing key or "", ``ports`` such as "80/TCP", ``satisfied``
    whether it has got what it asks for.
    """

    name: str
    key: str
    ports: list[str]
    satisfied: Verdict


class LoadBalancerState(TypedDict):
    """``trouble`` is what kubectl said when it got no answer; the rest is empty then."""

    pools: list[Pool]
    services: list[Service]
    trouble: list[str]


class LoadBalancer(State[LoadBalancerState]):
    """Pools and services of a cluster. Where Cilium has no pools yet, there are none."""

    @override
    def command(self) -> str:
        return sections(
            pools=f"{KUBECTL} get ciliumloadbalancerippools.cilium.io --output json 2>&1",
            services=f"{KUBECTL} get services --all-namespaces --output json 2>&1",
        )

    @override
    def parse(self, found: Sections) -> LoadBalancerState:
        pools, services = _items(found["pools"]), _items(found["services"])
        if pools is None and any(_UNKNOWN in line for line in found["pools"]):
            pools = []
        if pools is None or services is None:
            said = found["pools"] if pools is None else found["services"]
            return LoadBalancerState(pools=[], services=[], trouble=said or ["kubectl said nothing"])
        return LoadBalancerState(
            pools=[Pool(name=one["metadata"]["name"], conflict=_verdict(one, _CONFLICT)) for one in pools],
            services=[_service(one) for one in services if _is_served(one)],
            trouble=[],
        )


def _items(lines: list[str]) -> list[dict[str, Any]] | None:
    """What kubectl lists, without the warnings around it; None where it lists nothing."""
    if "{" not in lines or "}" not in lines:
        return None
    text = "\n".join(lines[lines.index("{") : len(lines) - lines[::-1].index("}")])
    items: list[dict[str, Any]] = json.loads(text)["items"]
    return items


def _is_served(one: Mapping[str, Any]) -> bool:
    spec = one["spec"]
    return spec.get("type") == "LoadBalancer" and spec.get("loadBalancerClass", _CLASSES[0]) in _CLASSES


def _service(one: Mapping[str, Any]) -> Service:
    metadata = one["metadata"]
    notes = metadata.get("annotations", {})
    return Service(
        name=f"{metadata['namespace']}/{metadata['name']}",
        key=notes.get("lbipam.cilium.io/sharing-key") or notes.get("io.cilium/lb-ipam-sharing-key") or "",
        ports=[f"{port['port']}/{port.get('protocol', 'TCP')}" for port in one["spec"].get("ports", [])],
        satisfied=_verdict(one, _SATISFIED),
    )


def _verdict(one: Mapping[str, Any], kind: str) -> Verdict:
    generation = one["metadata"].get("generation", 0)
    for condition in (one.get("status") or {}).get("conditions") or []:
        # Services have no generation, and what was said of a former one does not count.
        if condition["type"] == kind and condition.get("observedGeneration", generation) == generation:
            return Verdict(
                status=condition["status"], reason=condition["reason"], message=condition.get("message", "")
            )
    return Verdict(status="", reason="", message="")
