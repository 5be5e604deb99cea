"""Workloads as real kubectl and real Helm see them: rolled out, failing, rolled back, moved."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from . import chart
from .cluster import Client, Cluster
from .machines import Machines


@pytest.fixture(scope="module")
def machines(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    from common import host
    from kubelet import programs

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(programs, "LIBRARY", tmp_path_factory.mktemp("library"))  # without a CNI plugin
        patched.setattr(host, "ROOT", tmp_path_factory.mktemp("root"))
        with Machines(cluster, host.ROOT) as running:
            running.control()
            running.node("n1", zone="a")
            running.node("n2", zone="a")
            running.node("n3", zone="b")
            running.connect_network()
            yield running


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


def until(right: Callable[[], Any], seconds: float = 120) -> Any:
    end = time.monotonic() + seconds
    while not (found := right()):
        assert time.monotonic() < end, "it does not come about"
        time.sleep(0.1)
    return found


def pods(kubectl: Client, app: str) -> list[dict[str, Any]]:
    return list(json.loads(kubectl("get", "pods", "-l", f"app={app}", "-o", "json"))["items"])


def test_a_deployment_rolls_out_and_back(kubectl: Client, machines: Machines) -> None:
    kubectl("apply", "-f", "-", stdin=workload("Deployment", "web", replicas=3))
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    first = pods(kubectl, "web")
    assert {pod["spec"]["nodeName"] for pod in first} == {"n1", "n2", "n3"}
    assert len({pod["status"]["podIP"] for pod in first}) == 3
    kubectl("set", "image", "deployment/web", "web=web:2")
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    until(lambda: {pod["spec"]["containers"][0]["image"] for pod in pods(kubectl, "web")} == {"web:2"})
    kubectl("rollout", "undo", "deployment/web")
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/web", "--timeout=120s")
    until(lambda: {pod["spec"]["containers"][0]["image"] for pod in pods(kubectl, "web")} == {"web:1"})
    assert "REVISION" in kubectl("rollout", "history", "deployment/web")
    kubectl("delete", "deployment", "web")
    until(lambda: kubectl("get", "pods,replicasets", "-l", "app=web", "-o", "name") == "")


def test_a_daemon_set_is_on_every_node_that_may_have_it(kubectl: Client, machines: Machines) -> None:
    kubectl("apply", "-f", "-", stdin=workload("DaemonSet", "agent", pod={"nodeSelector": {"zone": "a"}}))
    assert "successfully rolled out" in kubectl("rollout", "status", "daemonset/agent", "--timeout=120s")
    assert sorted(pod["spec"]["nodeName"] for pod in pods(kubectl, "agent")) == ["n1", "n2"]
    kubectl("set", "image", "daemonset/agent", "web=web:2")
    assert "successfully rolled out" in kubectl("rollout", "status", "daemonset/agent", "--timeout=120s")
    assert {pod["spec"]["containers"][0]["image"] for pod in pods(kubectl, "agent")} == {"web:2"}
    kubectl("label", "node", "n3", "zone=a", "--overwrite")
    until(lambda: len(pods(kubectl, "agent")) == 3)
    kubectl("label", "node", "n3", "zone=b", "--overwrite")
    until(lambda: len(pods(kubectl, "agent")) == 2)
    kubectl("delete", "daemonset", "agent")
    until(lambda: not pods(kubectl, "agent"))


def test_a_rollout_that_cannot_go_on_is_told(kubectl: Client, machines: Machines) -> None:
    machines.fault("image-pull-fails", "broken")
    kubectl("apply", "-f", "-", stdin=workload("Deployment", "late", replicas=2))
    kubectl("rollout", "status", "deployment/late", "--timeout=120s")
    # Both at once: the first rollout may take as long as it likes.
    broken = {"spec": {"containers": [{"name": "web", "image": "broken:1"}]}}
    late = {"spec": {"progressDeadlineSeconds": 4, "template": broken}}
    kubectl("patch", "deployment", "late", "-p", json.dumps(late))
    said = kubectl("rollout", "status", "deployment/late", "--timeout=60s", status=1)
    assert 'deployment "late" exceeded its progress deadline' in said
    shown = kubectl("get", "pods", "-l", "app=late")
    assert "ErrImagePull" in shown or "ImagePullBackOff" in shown
    available = "jsonpath={.status.availableReplicas}"
    assert kubectl("get", "deployment", "late", "-o", available) == "2", "the old ones stay"
    machines.heal()
    updated = "jsonpath={.status.updatedReplicas}/{.status.readyReplicas}/{.status.replicas}"
    until(lambda: kubectl("get", "deployment", "late", "-o", updated) == "2/2/2")
    assert "successfully rolled out" in kubectl("rollout", "status", "deployment/late", "--timeout=120s")
    kubectl("delete", "deployment", "late")


def test_helm_waits_for_what_a_release_runs(
    helm: Client, kubectl: Client, machines: Machines, tmp_path: Path
) -> None:
    demo, here = chart.write(tmp_path / "demo"), "--namespace=waiting"
    machines.fault("pod-never-ready", "demo")
    timeout = ("--wait", "--timeout=4s", "--set=workload=true")
    said = helm("install", "demo", demo, here, "--create-namespace", *timeout, status=1)
    assert "timed out waiting for the condition" in said
    machines.heal()
    helm("upgrade", "demo", demo, here, "--wait", "--timeout=60s", "--set=workload=true")
    ready = ("-n", "waiting", "get", "deployment", "demo", "-o", "jsonpath={.status.readyReplicas}")
    until(lambda: kubectl(*ready) == "1")  # Helm looks at the pods itself
    machines.fault("image-pull-fails", "demo:1")
    said = helm("upgrade", "demo", demo, here, *timeout, "--set=colour=blue", status=1)
    assert "timed out" in said
    assert kubectl(*ready) == "1", "the old pod stays until the new one is ready"
    machines.heal()
    helm("rollback", "demo", "2", here, "--wait", "--timeout=60s")
    colour = "jsonpath={.items[*].spec.containers[0].env[0].value}"
    until(lambda: kubectl("-n", "waiting", "get", "pods", "-o", colour) == "red")
    helm("uninstall", "demo", here, "--wait", "--timeout=60s")
    until(lambda: kubectl("-n", "waiting", "get", "pods", "-o", "name") == "")


def test_why_a_pod_has_no_node_is_told(kubectl: Client, machines: Machines) -> None:
    term = {"labelSelector": {"matchLabels": {"app": "apart"}}, "topologyKey": "kubernetes.io/hostname"}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    kubectl("cordon", "n3")
    apart = workload("Deployment", "apart", replicas=3, pod={"affinity": affinity})
    kubectl("apply", "-f", "-", stdin=apart)
    message = "jsonpath={.items[*].status.conditions[?(@.reason=='Unschedulable')].message}"
    said = until(lambda: kubectl("get", "pods", "-l", "app=apart", "-o", message))
    assert said.startswith(
        "0/3 nodes are available: 1 node(s) were unschedulable, "
        "2 node(s) didn't match pod anti-affinity rules. preemption: 0/3 nodes are available: "
    )
    kubectl("uncordon", "n3")
    kubectl("rollout", "status", "deployment/apart", "--timeout=120s")
    assert {pod["spec"]["nodeName"] for pod in pods(kubectl, "apart")} == {"n1", "n2", "n3"}
    assert kubectl("get", "pods", "-l", "app=apart", "-o", message) == ""
    kubectl("delete", "deployment", "apart")


def test_a_drained_node_gives_its_pods_away(kubectl: Client, machines: Machines) -> None:
    kubectl("apply", "-f", "-", stdin=workload("Deployment", "moved", replicas=3))
    kubectl("apply", "-f", "-", stdin=workload("DaemonSet", "stays"))
    kubectl("create", "service", "clusterip", "moved", "--tcp=80")
    for name in ("deployment/moved", "daemonset/stays"):
        kubectl("rollout", "status", name, "--timeout=120s")
    addresses = ("get", "endpoints", "moved", "-o", "jsonpath={.subsets[*].addresses[*].ip}")
    before = until(lambda: len(found := kubectl(*addresses).split()) == 3 and found)
    said = kubectl("drain", "n2", "--ignore-daemonsets", "--timeout=60s")
    assert "node/n2 drained" in said
    kubectl("rollout", "status", "deployment/moved", "--timeout=120s")
    assert {pod["spec"]["nodeName"] for pod in pods(kubectl, "stays")} == {"n1", "n2", "n3"}
    slices = ("get", "endpointslices", "-l", "kubernetes.io/service-name=moved", "-o")

    def is_elsewhere() -> bool:
        nodes = [pod["spec"].get("nodeName") for pod in pods(kubectl, "moved")]
        after = set(kubectl(*addresses).split())
        sliced = kubectl(*slices, "jsonpath={.items[*].endpoints[*].addresses[0]}").split()
        return (
            len(nodes) == len(after) == 3
            and set(nodes) == {"n1", "n3"}
            and after != set(before)
            and after == set(sliced)
        )

    until(is_elsewhere)
    kubectl("uncordon", "n2")
    kubectl("delete", "deployment/moved", "daemonset/stays", "service/moved")
    until(lambda: kubectl(*slices, "name") == "" and "moved" not in kubectl("get", "endpoints"))


def test_pods_wait_for_a_network_unless_they_use_the_hosts(kubectl: Client, machines: Machines) -> None:
    machines.disconnect_network()
    kubectl("apply", "-f", "-", stdin=workload("Deployment", "inside"))
    kubectl("apply", "-f", "-", stdin=workload("Deployment", "host", pod={"hostNetwork": True}))
    kubectl("rollout", "status", "deployment/host", "--timeout=120s")
    (pod,) = pods(kubectl, "host")
    assert pod["status"]["podIP"] == pod["status"]["hostIP"]
    until(lambda: "ContainerCreating" in kubectl("get", "pods", "-l", "app=inside"))
    machines.connect_network()
    kubectl("rollout", "status", "deployment/inside", "--timeout=120s")
    kubectl("delete", "deployment", "inside", "host")


def test_pods_outlive_kubelet_and_begin_anew_after_a_boot(kubectl: Client, machines: Machines) -> None:
    only = {"nodeSelector": {"kubernetes.io/hostname": "n3"}}
    kubectl("apply", "-f", "-", stdin=workload("Deployment", "kept", pod=only))
    kubectl("rollout", "status", "deployment/kept", "--timeout=120s")
    (before,) = pods(kubectl, "kept")
    machines.stop_kubelet("n3")
    machines.start_kubelet("n3")
    time.sleep(1)
    (after,) = pods(kubectl, "kept")
    assert after["status"] == before["status"]
    machines.stop_kubelet("n3")
    machines.forget_memory()
    machines.start_kubelet("n3")
    (booted,) = until(
        lambda: [p for p in pods(kubectl, "kept") if p["status"]["containerStatuses"][0]["restartCount"] == 1]
    )
    assert booted["metadata"]["uid"] == before["metadata"]["uid"]
    assert booted["status"]["containerStatuses"][0]["lastState"]["terminated"]["exitCode"] == 255
    kubectl("rollout", "status", "deployment/kept", "--timeout=120s")
    kubectl("delete", "deployment", "kept")


def test_what_a_node_had_goes_with_it(kubectl: Client, machines: Machines) -> None:
    machines.node("n4", zone="c")
    kubectl("apply", "-f", "-", stdin=workload("DaemonSet", "gone", pod={"nodeSelector": {"zone": "c"}}))
    kubectl("rollout", "status", "daemonset/gone", "--timeout=120s")
    machines.stop_kubelet("n4")
    kubectl("delete", "node", "n4")
    until(lambda: not pods(kubectl, "gone"))
    kubectl("delete", "daemonset", "gone")
