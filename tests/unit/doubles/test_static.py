"""Static pods as processes: begun, begun again, replaced and ended with their manifests."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
import yaml
from kubelet import static


def manifest(*command: str, image: str = "registry.k8s.io/kube-scheduler:v1.33.2") -> str:
    container = {"name": command[0], "image": image, "command": list(command)}
    return yaml.safe_dump(
        {
            "metadata": {"name": command[0], "namespace": "kube-system", "annotations": {"a": "b"}},
            "spec": {"containers": [container]},
        }
    )


@pytest.fixture
def pods(root, monkeypatch):
    monkeypatch.setitem(static.PROGRAMS, "etcd", lambda flags, _: ["sleep", *flags])
    (root / "etc/kubernetes/manifests").mkdir(parents=True)
    found = static.StaticPods("/etc/kubernetes/manifests", "node")
    yield found
    found.stop()


def until(right: Callable[[], bool], pods: static.StaticPods) -> None:
    end = time.monotonic() + 10
    while not right() and time.monotonic() < end:
        pods.tend()
        time.sleep(0.05)
    assert right()


def test_a_pod_lives_as_its_manifest_says(root, pods) -> None:
    path = root / "etc/kubernetes/manifests/etcd.yaml"
    path.write_text(manifest("etcd", "1000"))
    (path.parent / ".hidden.yaml").write_text(manifest("etcd", "1"))
    pods.tend()
    (pod,) = pods.pods.values()
    first = pod.process
    assert pod.name == "etcd-node"
    assert pod.running()
    assert first is not None
    first.kill()
    until(lambda: pod.running() and pod.process is not first, pods)
    assert pod.restarts == 1
    path.write_text(manifest("etcd", "2000"))
    pods.tend()
    (new,) = pods.pods.values()
    assert new.running()
    assert not pod.running()
    path.unlink()
    pods.tend()
    assert not new.running()
    assert pods.pods == {}
    assert pods.gone == ["etcd-node", "etcd-node"]


def test_the_api_server_does_not_come_up_with_the_fault(root, pods, fault, monkeypatch) -> None:
    monkeypatch.setitem(static.PROGRAMS, "kube-apiserver", lambda flags, _: ["sleep", "1000"])
    (root / "etc/kubernetes/manifests/kube-apiserver.yaml").write_text(manifest("kube-apiserver"))
    fault("api-never-ready")
    pods.tend()
    (pod,) = pods.pods.values()
    assert not pod.running()
    assert pod.mirror("uid", "10.0.0.1")["status"]["phase"] == "Pending"
    (root / "etc/kubernetes-double/faults/api-never-ready").unlink()
    pods.tend()
    assert pod.running()


def test_a_mirror_pod_tells_where_it_is_from(root, pods) -> None:
    (root / "etc/kubernetes/manifests/etcd.yaml").write_text(manifest("etcd", "1000"))
    pods.tend()
    (pod,) = pods.pods.values()
    mirror = pod.mirror("uid", "10.0.0.1")
    assert (
        mirror["metadata"]["annotations"].items() >= {"a": "b", "kubernetes.io/config.source": "file"}.items()
    )
    assert mirror["metadata"]["ownerReferences"][0]["uid"] == "uid"
    assert mirror["spec"]["nodeName"] == "node"
    assert mirror["status"]["phase"] == "Running"


def test_the_api_server_is_told_its_version() -> None:
    command = static.PROGRAMS["kube-apiserver"](
        ["--secure-port=6443"], "registry.k8s.io/kube-apiserver:v1.33.3"
    )
    assert command[-2:] == ["--secure-port=6443", "--double-version=v1.33.3"]
