"""The cluster's objects that the lab declares, and what became of them: pods, addresses, leases."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .kubernetes import KUBECTL
from .shell import Answers

Object = dict[str, Any]

# The label of what this project has made, and what else may carry it.
_OURS = ("app.kubernetes.io/managed-by", "ciliumlab")
_LEASE = "cilium-l2announce-"

# By group and without version, as the API server prefers one.
_KINDS = {
    "CiliumLoadBalancerIPPool": "ciliumloadbalancerippools.cilium.io",
    "CiliumL2AnnouncementPolicy": "ciliuml2announcementpolicies.cilium.io",
    "CiliumBGPClusterConfig": "ciliumbgpclusterconfigs.cilium.io",
    "CiliumBGPPeerConfig": "ciliumbgppeerconfigs.cilium.io",
    "CiliumBGPAdvertisement": "ciliumbgpadvertisements.cilium.io",
    "Deployment": "deployments.apps",
    "Service": "services",
    "Pod": "pods",
}


@dataclass(frozen=True)
class Pod:
    """``trouble`` is why it is not ready, empty when it is."""

    name: str
    node: str
    address: str
    labels: dict[str, str]
    trouble: str

    def __str__(self) -> str:
        return f"{self.name} ({self.address} on {self.node})"


@dataclass(frozen=True)
class Service:
    """``trouble`` is what LB-IPAM says when it did not give what was asked for."""

    cluster_address: str
    addresses: list[str]
    trouble: str


@dataclass(frozen=True)
class Pool:
    """Counts of addresses, None where nobody has counted; ``conflict`` is empty without one."""

    total: int | None
    used: int | None
    available: int | None
    conflict: str


class Objects:
    """All objects of the kinds that a lab declares."""

    def __init__(self, found: Mapping[str, list[Object]], holders: Mapping[str, str]) -> None:
        self._found = found
        self.holders = dict(holders)
        """Which node answers for a service, "default/webpod", by the lease for it."""

    def find(self, wanted: Object) -> Object | None:
        """The object of this kind and name."""
        return next((one for one in self._found[wanted["kind"]] if name(one) == name(wanted)), None)

    def ours(self, kind: str) -> set[str]:
        """The names of those that this project has made."""
        key, value = _OURS
        return {
            name(one) for one in self._found[kind] if (one["metadata"].get("labels") or {}).get(key) == value
        }

    def pods(self, namespace: str) -> list[Pod]:
        return sorted(
            (_pod(one) for one in self._found["Pod"] if one["metadata"]["namespace"] == namespace),
            key=lambda pod: pod.name,
        )

    def service(self, wanted: Object) -> Service | None:
        found = self.find(wanted)
        return _service(found) if found else None

    def pool(self, wanted: Object) -> Pool | None:
        found = self.find(wanted)
        return _pool(found) if found else None


def name(one: Object) -> str:
    """With the namespace, where there is one: "default/webpod"."""
    metadata = one["metadata"]
    return "/".join(filter(None, (metadata.get("namespace"), metadata["name"])))


def questions() -> dict[str, str]:
    found = {kind: f"{KUBECTL} get {resource} --all-namespaces -o json" for kind, resource in _KINDS.items()}
    return {**found, "Lease": f"{KUBECTL} --namespace kube-system get leases.coordination.k8s.io -o json"}


def read(found: Answers) -> Objects:
    # kubectl says nothing where a kind is not known.
    items = {kind: json.loads(text)["items"] if text.strip() else [] for kind, text in found.items()}
    return Objects(items, dict(_holders(items)))


def _holders(items: Mapping[str, list[Object]]) -> Iterator[tuple[str, str]]:
    leases = {one["metadata"]["name"]: one["spec"].get("holderIdentity") or "" for one in items["Lease"]}
    for service in items["Service"]:
        # A lease is named after namespace and name with a hyphen, which may be in both of them.
        lease = f"{_LEASE}{name(service).replace('/', '-')}"
        if lease in leases:
            yield name(service), leases[lease]


def _pod(one: Object) -> Pod:
    metadata, status = one["metadata"], one.get("status") or {}
    ready = next((told for told in status.get("conditions") or [] if told["type"] == "Ready"), {})
    trouble = "" if ready.get("status") == "True" else str(ready.get("message") or status.get("phase"))
    return Pod(
        name=metadata["name"],
        node=one["spec"].get("nodeName", ""),
        address=status.get("podIP", ""),
        labels=metadata.get("labels") or {},
        trouble="is about to go" if metadata.get("deletionTimestamp") else trouble,
    )


def _service(one: Object) -> Service:
    status = one.get("status") or {}
    satisfied = _conditions(one).get("IPAMRequestSatisfied", {})
    ingress = (status.get("loadBalancer") or {}).get("ingress") or []
    return Service(
        cluster_address=one["spec"].get("clusterIP", ""),
        addresses=[entry["ip"] for entry in ingress if entry.get("ip")],
        trouble="" if satisfied.get("status") == "True" else str(satisfied.get("message", "")),
    )


def _pool(one: Object) -> Pool:
    told = _conditions(one)
    conflict = told.get("PoolConflict", {})
    return Pool(
        total=_count(told.get("IPsTotal")),
        used=_count(told.get("IPsUsed")),
        available=_count(told.get("IPsAvailable")),
        conflict=str(conflict.get("message")) if conflict.get("status") == "True" else "",
    )


def _count(condition: Object | None) -> int | None:
    """LB-IPAM's numbers are the messages of conditions."""
    return int(condition["message"]) if condition else None


def _conditions(one: Object) -> dict[str, Object]:
    """The conditions of Cilium's own, by their names without cilium.io/."""
    conditions = (one.get("status") or {}).get("conditions") or []
    return {
        told["type"].removeprefix("cilium.io/"): told
        for told in conditions
        if told["type"].startswith("cilium.io/")
    }


def differences(wanted: Any, found: Any, where: str = "", *, exact: bool = False) -> Iterator[str]:
    """In what an object is not as declared, a line each; what the API server added is no difference, unless
    the two have to be ``exact``ly the same.
    """
    if isinstance(wanted, dict) and isinstance(found, dict):
        for key in {**wanted, **(found if exact else {})}:
            path = f"{where}.{key}" if where else key
            yield from differences(wanted.get(key), found.get(key), path, exact=exact)
    elif isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        for number, (one, other) in enumerate(zip(wanted, found, strict=True)):
            yield from differences(one, other, f"{where}[{number}]", exact=exact)
    elif wanted != found:
        yield f"{where} is {json.dumps(found)} instead of {json.dumps(wanted)}"
