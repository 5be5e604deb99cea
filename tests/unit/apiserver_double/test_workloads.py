"""Workloads as real kubectl and real Helm see them: rolled out, failing, rolled back, moved."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from .cluster import Client, Cluster
from .machines import Machines


@pytest.fixture(scope="module")
def machines(
    cluster: Cluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Machines]:
    from common import host

    before, host.ROOT = host.ROOT, tmp_path_factory.mktemp("root")
    try:
        with Machines(cluster, host.ROOT) as running:
            running.control()
            running.node("n1", zone="a")
            running.node("n2", zone="a")
            running.node("n3", zone="b")
            running.connect_network()
            yield running
    finally:
        host.ROOT = before


@pytest.fixture(autouse=True)
def healthy(machines: Machines) -> Iterator[None]:
    yield
    machines.heal()


def workload(kind: str, name: str, image: str = "web:1", **spec: Any) -> str:
    pod = {"containers": [{"name": "web", "image": image}], **spec.pop("pod", {})}
    obj = {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": pod},
            **spec,
        },
    }
    return json.dumps(obj)


def until(right: Callable[[], Any], seconds: float = 20) -> Any:
    end = time.monotonic() + seconds
    while not (found := right()):
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.1)
    return found


def pods(kubectl: Client, app: str) -> list[dict[str, Any]]:
    return list(json.loads(kubectl("get", "pods", "-l", f"app={app}", "-o", "json"))["items"])


def test_a_deployment_rolls_out_and_back(kubectl: Client, machines: Machines) -> None:
    kubectl("apply", "-f", "-", stdin=workload("Deployment", "web", replicas=3))
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    first = pods(kubectl, "web")
    assert {pod["spec"]["nodeName"] for pod in first} == {"n1", "n2", "n3"}
    assert len({pod["status"]["podIP"] for pod in first}) == 3
    kubectl("set", "image", "deployment/web", "web=web:2")
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    until(lambda: {pod["spec"]["containers"][0]["image"] for pod in pods(kubectl, "web")} == {"web:2"})
    kubectl("rollout", "undo", "deployment/web")
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=30s")
    until(lambda: {pod["spec"]["containers"][0]["image"] for pod in pods(kubectl, "web")} == {"web:1"})
    assert "REVISION" in kubectl("rollout", "history", "deployment/web")
    kubectl("delete", "deployment", "web")
    until(lambda: kubectl("get", "pods,replicasets", "-l", "app=web", "-o", "name") == "")
