"""A cluster's life, in containers: made, rebooted, grown and shrunk, restored, upgraded, reset."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from . import steps
from .mirror import Mirror
from .running import RunningLab
from .steps import FAULTS, KUBECTL, kubectl

pytestmark = pytest.mark.lab

_FIRST = "k8s-ctr"
_WORKERS = ("k8s-w1", "k8s-w0")


@pytest.fixture(scope="module")
def lab(containers: RunningLab, mirror: Mirror) -> RunningLab:
    containers.story(mirror.data)
    return containers


def members(lab: RunningLab) -> set[str]:
    return set(kubectl(lab, "get nodes -o jsonpath='{.items[*].metadata.name}'").split())


def versions(lab: RunningLab) -> set[str]:
    """kubelet's on every node, and the API server's."""
    kubelets = kubectl(lab, "get nodes -o jsonpath='{.items[*].status.nodeInfo.kubeletVersion}'").split()
    return {*kubelets, kubectl(lab, "get --raw /version").partition('"gitVersion"')[2].split('"')[1]}


def ready(lab: RunningLab) -> None:
    kubectl(lab, "wait node --all --for=condition=Ready --timeout=120s")


def test_all_have_joined(lab: RunningLab) -> None:
    steps.begin_deployed(lab)
    assert members(lab) == {_FIRST, *_WORKERS}


def test_states_hold(lab: RunningLab) -> None:
    steps.states_hold(lab, "of a cluster")


def test_second_deploy_changes_nothing(lab: RunningLab) -> None:
    steps.nothing_changes(lab, "deploy a cluster with nothing to do")


# When kubeadm join begins and ends on a worker, in Unix seconds, by the note that is there meanwhile.
_WATCH = """note=/var/lib/ciliumlab/kubeadm-started
until [ -e $note ]; do sleep 0.02; done; date +%s.%N
while [ -e $note ]; do sleep 0.02; done; date +%s.%N
"""


def test_workers_join_at_once(lab: RunningLab) -> None:
    for name in _WORKERS:
        lab.shell(name, "kubeadm reset --force")
        kubectl(lab, f"delete node {name}")
    with ThreadPoolExecutor() as pool:
        watching = [pool.submit(lab.shell, name, _WATCH) for name in _WORKERS]
        run = lab.deploy("tasks/workers.py")
        assert run.status == 0, run.said
        times = [[float(word) for word in watched.result().split()] for watched in watching]
    assert set(run.changed) == set(_WORKERS)
    one = max(end - start for start, end in times)
    both = max(end for _, end in times) - min(start for start, _ in times)
    lab.figure("join one worker", one)
    lab.figure("join two workers", both)
    assert both <= 1.3 * one, f"two take {both:.1f} s, one takes {one:.1f} s"


def test_a_node_is_added(lab: RunningLab) -> None:
    def add(declared: dict[str, Any]) -> None:
        declared["nodes"]["k8s-w2"] = {"role": "worker", "segment": "net10", "address": "192.168.10.102"}

    lab.declare(add)
    with lab.step("add a node"):
        lab.up()
        run = lab.deploy()
        assert run.status == 0, run.said
    assert members(lab) == {_FIRST, *_WORKERS, "k8s-w2"}
    assert "The workers have joined" in " ".join(run.changed["k8s-w2"])
    # The others learn its name and nothing else.
    assert all("/etc/hosts" in " ".join(run.changed[name]) for name in (_FIRST, *_WORKERS))


def test_states_hold_with_it(lab: RunningLab) -> None:
    steps.states_hold(lab, "of a cluster that has grown")


def test_a_node_is_removed(lab: RunningLab) -> None:
    ready(lab)
    with lab.step("remove a node"):
        run = lab.deploy("tasks/remove_node.py", node="k8s-w2")
    assert run.status == 0, run.said
    assert members(lab) == {_FIRST, *_WORKERS}
    lab.ciliumlab("down", "k8s-w2")
    lab.declare(lambda declared: declared["nodes"].pop("k8s-w2") and None)
    run = lab.deploy()
    assert run.status == 0, run.said
    steps.nothing_changes(lab, "deploy a cluster that has shrunk")


def test_a_snapshot_of_etcd_is_restored(lab: RunningLab) -> None:
    kubectl(lab, "create configmap kept")
    run = lab.deploy("tasks/backup.py")
    assert run.status == 0, run.said
    (name,) = lab.shell(_FIRST, "ls /var/backups/etcd").split()
    assert lab.shell(_FIRST, f"stat -c %a /var/backups/etcd /var/backups/etcd/{name}").split() == [
        "700",
        "600",
    ]
    kubectl(lab, "delete configmap kept && " + f"{KUBECTL} create configmap lost")
    with lab.step("restore etcd"):
        run = lab.deploy("tasks/restore.py", snapshot=name, confirm="cilium-lab")
    assert run.status == 0, run.said
    found = kubectl(lab, "get configmaps -o name")
    assert "configmap/kept" in found
    assert "configmap/lost" not in found
    ready(lab)
    steps.nothing_changes(lab, "deploy after a restore")


def test_an_upgrade_that_is_cut_is_resumed(lab: RunningLab, mirror: Mirror) -> None:
    if not mirror.doubles:
        pytest.skip("only a double can be made to die in a phase of its own")
    victim = _WORKERS[0]
    lab.shell(victim, f"mkdir -p {FAULTS} && echo kubelet-config > {FAULTS}/kubeadm-dies-in-phase")
    with lab.step("upgrade to the next patch, cut"):
        run = lab.deploy("tasks/upgrade.py", kubernetes_version="1.33.3")
    assert run.status == 1
    assert victim in run.failed
    lab.shell(victim, f"rm -r {FAULTS}")
    with lab.step("upgrade to the next patch, resumed"):
        run = lab.deploy("tasks/upgrade.py", kubernetes_version="1.33.3")
    assert run.status == 0, run.said
    assert versions(lab) == {"v1.33.3"}
    assert kubectl(lab, "get nodes -o jsonpath='{.items[*].spec.unschedulable}'").strip() == ""
    assert "kube-proxy" not in kubectl(lab, "-n kube-system get daemonsets -o name")
    lab.data["kubernetes_version"] = "1.33.3"


def test_upgrade_to_the_next_minor(lab: RunningLab) -> None:
    with lab.step("upgrade to the next minor"):
        run = lab.deploy("tasks/upgrade.py", kubernetes_version="1.34.0")
    assert run.status == 0, run.said
    assert versions(lab) == {"v1.34.0"}
    lab.data["kubernetes_version"] = "1.34.0"
    run = lab.deploy()  # the sandbox image of the next minor is another one
    assert run.status == 0, run.said
    steps.nothing_changes(lab, "deploy after the upgrades")


def test_states_hold_after_the_upgrades(lab: RunningLab) -> None:
    steps.states_hold(lab, "of a cluster after the upgrades")


@pytest.mark.parametrize(
    ("task", "data", "said"),
    [
        (
            "tasks/upgrade.py",
            {"kubernetes_version": "1.36.0", "containerd_version": "2.0.0"},
            "skips a minor version",
        ),
        ("tasks/upgrade.py", {"kubernetes_version": "1.33.2"}, "is older"),
        ("tasks/upgrade.py", {"kubernetes_version": "1.34.99"}, "has no kubeadm=1.34.99"),
        ("tasks/remove_node.py", {}, "say which node"),
        ("tasks/remove_node.py", {"node": _FIRST}, "first control-plane node"),
        ("tasks/reset.py", {}, "--data confirm=cilium-lab"),
        ("tasks/reset.py", {"confirm": "another"}, "--data confirm=cilium-lab"),
        ("tasks/restore.py", {"confirm": "cilium-lab", "snapshot": "none.db"}, "there is no snapshot"),
        ("deploy.py", {"kubernetes_version": "1.33.3"}, "a node moves by an upgrade alone"),
    ],
)
def test_bad_input_touches_nothing(lab: RunningLab, task: str, data: dict[str, str], said: str) -> None:
    before = steps.footprints(lab)
    run = lab.deploy(task, **data)
    assert run.status == 1
    assert said in run.said
    assert "Traceback" not in run.said
    assert steps.footprints(lab) == before


def test_reset(lab: RunningLab) -> None:
    with lab.step("reset the cluster"):
        run = lab.deploy("tasks/reset.py", confirm="cilium-lab")
    assert run.status == 0, run.said
    left = lab.everywhere(
        lambda name: lab.shell(name, "ls /etc/kubernetes/*.conf /var/lib/etcd/member 2>/dev/null || true")
    )
    assert set(left.values()) == {""}
    run = lab.deploy("tasks/reset.py", confirm="cilium-lab")
    assert (run.status, run.changed) == (0, {})
