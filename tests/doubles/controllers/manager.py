"""kube-controller-manager's place: certificates for kubelets, bootstrap tokens, pod CIDRs, lost nodes, and
workloads."""

from __future__ import annotations

import contextlib
import ipaddress
import sys
import threading
import time
from base64 import b64decode, b64encode
from datetime import UTC, datetime, timedelta

from common import jws, x509
from common.api import Api, ApiError, Object
from common.host import at
from controllers.component import moment, serve
from controllers.workloads import Workloads

REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
SECRETS = "/api/v1/namespaces/kube-system/secrets"
SIGNER = "kubernetes.io/kube-apiserver-client-kubelet"
CLUSTER_INFO = "/api/v1/namespaces/kube-public/configmaps/cluster-info"
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
# --node-monitor-grace-period
GRACE_SECONDS = 50
CHORE_SECONDS = 1
NOT_READY, UNREACHABLE = "node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"


class Manager:
    """All controllers; ``changed`` is set when they have to look before their time."""

    def __init__(self) -> None:
        self.changed = threading.Event()
        self.workloads: Workloads | None = None
        self.done = 0.0

    def work(self, api: Api, flags: dict[str, str]) -> None:
        """One round. A conflict is left to the next one."""
        if time.monotonic() > self.done + CHORE_SECONDS:
            for chore in (requests, tokens, nodes):
                with contextlib.suppress(Conflict):
                    chore(api, flags)
            self.done = time.monotonic()
        if self.workloads is None:
            self.workloads = Workloads(lambda: Api.of(flags["kubeconfig"]), self.changed)
        self.workloads.round(api)


class Conflict(Exception):
    """Somebody else has changed the object meanwhile, or deleted it."""


def _put(api: Api, path: str, body: Object) -> Object:
    try:
        return api.call("PUT", path, body)
    except ApiError as error:
        if error.status in (404, 409):
            raise Conflict from None
        raise


def requests(api: Api, flags: dict[str, str]) -> None:
    """Approve and sign what kubelets ask for, with a bootstrap token or with their own certificate."""
    for request in api.items(REQUESTS):
        status = request.get("status") or {}
        if (
            status.get("certificate")
            or request["spec"].get("signerName") != SIGNER
            or status.get("conditions")
        ):
            continue
        pem = b64decode(request["spec"]["request"]).decode()
        subject = x509.subject(pem, "req")
        user, groups = request["spec"].get("username", ""), request["spec"].get("groups") or []
        name = (subject["CN"] or [""])[0]
        entitled = "system:bootstrappers" in groups or user == name
        if not entitled or not name.startswith("system:node:") or subject["O"] != ["system:nodes"]:
            continue
        place = f"{REQUESTS}/{request['metadata']['name']}"
        condition = {
            "type": "Approved",
            "status": "True",
            "reason": "AutoApproved",
            "message": "Auto approving kubelet client certificate after SubjectAccessReview.",
            "lastUpdateTime": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        request["status"] = {**status, "conditions": [condition]}
        request = _put(api, f"{place}/approval", request)
        ca, key = at(flags["cluster-signing-cert-file"]), at(flags["cluster-signing-key-file"])
        certificate = x509.sign(pem, ca, key, [x509.CLIENT])
        request.setdefault("status", {})["conditions"] = [condition]
        request["status"]["certificate"] = b64encode(certificate.encode()).decode()
        _put(api, f"{place}/status", request)


def tokens(api: Api, flags: dict[str, str]) -> None:
    """Delete tokens whose time is over; have the others sign cluster-info."""
    signing = {}
    for secret in api.items(SECRETS):
        if secret.get("type") != "bootstrap.kubernetes.io/token":
            continue
        fields = {name: b64decode(value).decode() for name, value in (secret.get("data") or {}).items()}
        if over(fields):
            api.delete(f"{SECRETS}/{secret['metadata']['name']}")
        elif fields.get("usage-bootstrap-signing") == "true":
            signing[fields["token-id"]] = fields["token-secret"]
    info = api.find(CLUSTER_INFO)
    if info is None:
        return
    text = info["data"]["kubeconfig"]
    data = {"kubeconfig": text}
    data |= {f"jws-kubeconfig-{name}": jws.signature(text, name, secret) for name, secret in signing.items()}
    if data != info["data"]:
        _put(api, CLUSTER_INFO, {**info, "data": data})


def over(fields: dict[str, str]) -> bool:
    """Whether a token has ended. One whose end cannot be read has."""
    if "expiration" not in fields:
        return False
    try:
        return moment(fields["expiration"]) <= datetime.now(UTC)
    except ValueError:
        return True


def nodes(api: Api, flags: dict[str, str]) -> None:
    """Give each node its pods' addresses; say of those that are silent that nothing is known of them."""
    found = api.items("/api/v1/nodes")
    renewed = {lease["metadata"]["name"]: lease["spec"].get("renewTime") for lease in api.items(LEASES)}
    taken = {node["spec"].get("podCIDR") for node in found}
    for node in found:
        place = f"/api/v1/nodes/{node['metadata']['name']}"
        if flags.get("allocate-node-cidrs") == "true" and not node["spec"].get("podCIDR"):
            share = next(share for share in shares(flags) if share not in taken)
            taken.add(share)
            node["spec"] |= {"podCIDR": share, "podCIDRs": [share]}
            node = _put(api, place, node)
        seen = renewed.get(node["metadata"]["name"]) or node["metadata"]["creationTimestamp"]
        silent = moment(seen) + timedelta(seconds=GRACE_SECONDS) < datetime.now(UTC)
        conditions = node.get("status", {}).get("conditions") or []
        if silent and any(condition["status"] != "Unknown" for condition in conditions):
            now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
            for condition in conditions:
                condition |= {
                    "status": "Unknown",
                    "reason": "NodeStatusUnknown",
                    "message": "Kubelet stopped posting node status.",
                    "lastTransitionTime": now,
                }
            node = _put(api, f"{place}/status", node)
        _taint(api, place, node)


def shares(flags: dict[str, str]) -> list[str]:
    size = int(flags.get("node-cidr-mask-size") or flags.get("node-cidr-mask-size-ipv4") or 24)
    return [str(share) for share in ipaddress.ip_network(flags["cluster-cidr"]).subnets(new_prefix=size)]


def _taint(api: Api, place: str, node: Object) -> None:
    """Keep new pods away from a node that is not ready."""
    ready = next(
        (c["status"] for c in node["status"].get("conditions") or [] if c["type"] == "Ready"), "Unknown"
    )
    wanted = {"True": None, "False": NOT_READY}.get(ready, UNREACHABLE)
    before = node["spec"].get("taints") or []
    taints = [
        taint for taint in before if taint["key"] not in (NOT_READY, UNREACHABLE) or taint["key"] == wanted
    ]
    if wanted and all(taint["key"] != wanted for taint in taints):
        taints.append({"key": wanted, "effect": "NoSchedule"})
    if taints != before:
        _put(api, place, {**node, "spec": {**node["spec"], "taints": taints}})


if __name__ == "__main__":
    manager = Manager()
    serve("kube-controller-manager", 10257, sys.argv[1:], manager.work, manager.changed)
