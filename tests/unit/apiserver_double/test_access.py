"""Who may do what: certificates, bootstrap tokens, nobody."""

from __future__ import annotations

import json
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from .cluster import Client, Cluster

ADMIN = "/O=system:masters/CN=kubernetes-admin"


def write(cluster: Cluster, path: str, body: dict[str, Any]) -> None:
    status, said = cluster.api.send("POST", path, body, user=cluster.certificates.sign("admin", ADMIN))
    assert status == 201, said


def token(cluster: Cluster, token_id: str, seconds: float = 3600, **changed: str) -> str:
    """A bootstrap token's secret as kubeadm makes it."""
    data = {
        "token-id": token_id,
        "token-secret": "0123456789abcdef",
        "usage-bootstrap-authentication": "true",
        "auth-extra-groups": "system:bootstrappers:kubeadm:default-node-token",
        "expiration": (datetime.now(UTC) + timedelta(seconds=seconds)).isoformat(timespec="seconds"),
        **changed,
    }
    secret = {
        "metadata": {"name": f"bootstrap-token-{token_id}"},
        "type": "bootstrap.kubernetes.io/token",
        "data": {key: b64encode(value.encode()).decode() for key, value in data.items()},
    }
    write(cluster, "/api/v1/namespaces/kube-system/secrets", secret)
    return f"{token_id}.0123456789abcdef"


@pytest.mark.parametrize("path", ["/version", "/healthz", "/livez", "/readyz"])
def test_anybody_may_ask_how_it_is(cluster: Cluster, path: str) -> None:
    assert cluster.api.get(path)[0] == 200


@pytest.mark.parametrize("path", ["/api", "/apis", "/openapi/v2", "/api/v1/nodes", "/"])
def test_nobody_may_see_more(cluster: Cluster, path: str) -> None:
    status, said = cluster.api.get(path)
    assert status == 403 and 'User \\"system:anonymous\\" cannot' in said


def test_anybody_may_read_cluster_info(cluster: Cluster) -> None:
    path = "/api/v1/namespaces/kube-public/configmaps"
    write(cluster, path, {"metadata": {"name": "cluster-info"}, "data": {"kubeconfig": "…"}})
    status, said = cluster.api.get(f"{path}/cluster-info")
    assert status == 200 and json.loads(said)["data"] == {"kubeconfig": "…"}
    assert cluster.api.get(path)[0] == 403


def test_a_bootstrap_token_may_join_and_no_more(cluster: Cluster) -> None:
    bearer = token(cluster, "aaaaaa")
    settings = "/api/v1/namespaces/kube-system/configmaps"
    write(cluster, settings, {"metadata": {"name": "kubeadm-config"}})
    write(cluster, settings, {"metadata": {"name": "private"}})
    assert cluster.api.get(f"{settings}/kubeadm-config", token=bearer)[0] == 200
    assert cluster.api.get(f"{settings}/private", token=bearer)[0] == 403
    assert cluster.api.get("/api/v1/nodes/missing", token=bearer)[0] == 404
    status, said = cluster.api.get("/api/v1/nodes", token=bearer)
    assert status == 403
    assert json.loads(said)["message"] == (
        'nodes is forbidden: User "system:bootstrap:aaaaaa" cannot list resource "nodes" in API group "" '
        "at the cluster scope"
    )
    request = {
        "metadata": {"name": "csr-1"},
        "spec": {"request": "", "signerName": "lab.test/s", "usages": []},
    }
    path = "/apis/certificates.k8s.io/v1/certificatesigningrequests"
    status, said = cluster.api.send("POST", path, request, token=bearer)
    assert status == 201
    asked_by = json.loads(said)["spec"]
    assert asked_by["username"] == "system:bootstrap:aaaaaa"
    assert "system:bootstrappers:kubeadm:default-node-token" in asked_by["groups"]


@pytest.mark.parametrize(
    ("token_id", "seconds", "changed"),
    [
        ("bbbbbb", -1, {}),
        ("cccccc", 3600, {"usage-bootstrap-authentication": "false"}),
        ("dddddd", 3600, {"token-secret": "another-secret00"}),
        ("eeeeee", 3600, {"token-id": "ffffff"}),
    ],
    ids=["expired", "for another use", "wrong secret", "wrong id"],
)
def test_a_bad_token_is_nobody(
    cluster: Cluster, token_id: str, seconds: float, changed: dict[str, str]
) -> None:
    bearer = token(cluster, token_id, seconds, **changed)
    status, said = cluster.api.get("/api/v1/nodes/n", token=bearer)
    assert (status, json.loads(said)["reason"]) == (401, "Unauthorized")
    assert cluster.api.get("/api/v1/nodes/n", token="unknown.token")[0] == 401


def test_a_node_writes_itself_only(cluster: Cluster) -> None:
    node = cluster.certificates.sign("node", "/O=system:nodes/CN=system:node:mine")
    send = cluster.api.send
    assert send("POST", "/api/v1/nodes", {"metadata": {"name": "mine"}}, user=node)[0] == 201
    write(cluster, "/api/v1/nodes", {"metadata": {"name": "other"}})
    status = {"status": {"conditions": [{"type": "Ready", "status": "True"}]}}
    merge = "application/merge-patch+json"
    assert send("PATCH", "/api/v1/nodes/mine/status", status, user=node, kind=merge)[0] == 200
    assert send("PATCH", "/api/v1/nodes/other/status", status, user=node, kind=merge)[0] == 403
    assert cluster.api.get("/api/v1/nodes/other", user=node)[0] == 200
    leases = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
    assert send("POST", leases, {"metadata": {"name": "mine"}, "spec": {}}, user=node)[0] == 201
    assert send("DELETE", "/api/v1/nodes/other", user=node)[0] == 403
    assert (
        send("POST", "/api/v1/namespaces/default/configmaps", {"metadata": {"name": "x"}}, user=node)[0]
        == 403
    )


def test_others_are_known_and_refused(cluster: Cluster) -> None:
    kubectl: Client = cluster.client("kubectl", "guest", subject="/O=guests/CN=guest")
    core = 'in API group ""'
    said = kubectl("get", "pods", status=1)
    assert (
        f'pods is forbidden: User "guest" cannot list resource "pods" {core} in the namespace "default"'
        in said
    )
    said = kubectl("delete", "node", "n", status=1)
    assert (
        f'nodes "n" is forbidden: User "guest" cannot delete resource "nodes" {core} at the cluster scope'
        in said
    )
    assert kubectl("auth", "can-i", "get", "pods", status=1).startswith("no")
