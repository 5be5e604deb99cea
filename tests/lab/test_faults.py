"""A cluster that is disturbed while it is made and while it runs: each run ends by naming host, stage and
cause, and the next one converges, or says why it must not.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from . import steps
from .locks import LOCKED, held
from .mirror import Mirror
from .running import RunningLab, running
from .steps import FAULTS

pytestmark = [pytest.mark.lab, pytest.mark.long]

_FIRST, _WORKER = "k8s-ctr", "k8s-w1"
_WORKERS = {_WORKER, "k8s-w0"}
_UNDONE = "kubeadm reset --force; rm -rf /var/lib/ciliumlab/kubeadm-started"


@pytest.fixture(scope="module")
def lab(mirror: Mirror) -> Iterator[RunningLab]:
    if not mirror.doubles:
        pytest.skip("these faults are the doubles' to have")
    with running("container", mirror.data, dummies=False, name="faults") as lab:
        yield lab


def test_a_cluster_is_made(lab: RunningLab) -> None:
    steps.come_up(lab)
    steps.deploy(lab)


# While it is made ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "phase",
    [
        "preflight",
        "certs",
        "kubeconfig",
        "etcd",
        "control-plane",
        "upload-config",
        "bootstrap-token",
        "addon",
    ],
)
def test_init_dies(lab: RunningLab, phase: str) -> None:
    """Whatever it has left, nobody has built on it yet: it is done again."""
    lab.shell(_FIRST, _UNDONE)
    with _fault(lab, _FIRST, "kubeadm-dies-in-phase", phase):
        run = lab.deploy("tasks/control_plane.py")
    assert (run.status, run.failed) == (1, [_FIRST]), run.said
    assert "The control plane is initialised" in run.said
    run = lab.deploy("tasks/control_plane.py")
    assert run.status == 0, run.said


def test_workers_of_a_former_cluster(lab: RunningLab) -> None:
    """They have credentials of an authority that is no more: told, and left to a person."""
    run = lab.deploy("tasks/workers.py")
    assert (run.status, set(run.failed)) == (1, _WORKERS), run.said
    assert "has joined, and the API server does not know it" in run.said
    for name in _WORKERS:
        lab.shell(name, _UNDONE)
    _converges(lab, _WORKERS, "tasks/workers.py")


@pytest.mark.parametrize("phase", ["preflight", "kubelet-start"])
def test_join_dies(lab: RunningLab, phase: str) -> None:
    lab.shell(_WORKER, _UNDONE)
    with _fault(lab, _WORKER, "kubeadm-dies-in-phase", phase):
        run = lab.deploy("tasks/workers.py")
    assert (run.status, run.failed) == (1, [_WORKER]), run.said
    assert "The workers have joined" in run.said
    _converges(lab, {_WORKER}, "tasks/workers.py")


def test_join_times_out(lab: RunningLab) -> None:
    lab.shell(_WORKER, _UNDONE)
    with _fault(lab, _WORKER, "join-times-out", "5"):
        run = lab.deploy("tasks/workers.py")
    assert (run.status, run.failed) == (1, [_WORKER]), run.said
    assert "timed out" in run.said
    _converges(lab, {_WORKER}, "tasks/workers.py")


def test_no_way_to_the_control_plane(lab: RunningLab) -> None:
    lab.shell(_WORKER, f"{_UNDONE}; ip route add unreachable 192.168.10.100/32")
    with _fault(lab, _WORKER, "discovery-is-in-vain", "10"):  # and not five minutes
        run = lab.deploy("tasks/workers.py")
    assert (run.status, run.failed) == (1, [_WORKER]), run.said
    lab.shell(_WORKER, "ip route del unreachable 192.168.10.100/32")
    _converges(lab, {_WORKER}, "tasks/workers.py")


def test_a_machine_dies_while_it_joins(lab: RunningLab) -> None:
    lab.shell(_WORKER, _UNDONE)

    def kill_at_work() -> None:
        lab.shell(_WORKER, "until pgrep -f 'kubeadm join'; do sleep 0.05; done")
        lab.kill(_WORKER)

    with ThreadPoolExecutor() as pool:
        killing = pool.submit(kill_at_work)
        run = lab.deploy("tasks/workers.py")
        killing.result()
    assert (run.status, run.failed) == (1, [_WORKER]), run.said
    lab.up()
    _converges(lab, {_WORKER}, "tasks/workers.py")


def test_the_cluster_is_whole_again(lab: RunningLab) -> None:
    """What ran in the clusters that were undone runs in this one."""
    with lab.step("deploy onto a cluster that was made anew", essential=True):
        run = lab.deploy()
    assert run.status == 0, run.said
    steps.nothing_changes(lab, "deploy onto a cluster that was made anew, with nothing to do")


# While it runs ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Drift:
    """What is done to a host, and whether the next run of a stage mends it or refuses with these words."""

    stage: str
    host: str
    done: str
    refused: str = ""
    undone: str = ""


_KUBERNETES = "/etc/apt/sources.list.d/kubernetes.sources"
_DRIFT = {
    "kubelet stopped and disabled": Drift("kubernetes", _WORKER, "systemctl disable --now kubelet"),
    "kubelet masked": Drift("kubernetes", _WORKER, "systemctl mask --now kubelet"),
    "containerd stopped and masked": Drift("containerd", _WORKER, "systemctl mask --now containerd"),
    "containerd's configuration edited": Drift(
        "containerd", _WORKER, "sed -i s/SystemdCgroup.*/SystemdCgroup=false/ /etc/containerd/config.toml"
    ),
    "crictl's configuration removed": Drift("containerd", _WORKER, "rm /etc/crictl.yaml"),
    "packages unheld": Drift("kubernetes", _WORKER, "apt-mark unhold kubelet kubeadm kubectl"),
    "a package unheld and upgraded": Drift(
        "kubernetes",
        _WORKER,
        "apt-mark unhold kubelet && apt-get -qq update && apt-get -qq -y install kubelet=1.33.3-1.1",
        refused="kubelet 1.33.3-1.1 is installed on a node of a cluster, and 1.33.2 is wanted",
        undone="apt-get -qq -y --allow-downgrades install kubelet=1.33.2-1.1",
    ),
    "the repository's key replaced": Drift(
        "kubernetes", _WORKER, "echo nothing > /etc/apt/keyrings/kubernetes.asc"
    ),
    "the repository moved": Drift(
        "kubernetes", _WORKER, f"sed -i 's|^URIs: .*|URIs: http://127.0.0.1:9/|' {_KUBERNETES}"
    ),
    "a program changed": Drift("control_plane", _FIRST, "echo >> /usr/local/bin/k9s"),
    "a program removed": Drift("control_plane", _FIRST, "rm /usr/local/bin/etcdctl"),
    "root's kubeconfig removed": Drift("control_plane", _FIRST, "rm /root/.kube/config"),
    "root's kubeconfig readable for all": Drift("control_plane", _FIRST, "chmod 644 /root/.kube/config"),
    "an image removed": Drift("kubernetes", _WORKER, "ctr -n k8s.io images rm registry.k8s.io/pause:3.10"),
    "the control plane tainted": Drift(
        "control_plane",
        _FIRST,
        "kubectl --kubeconfig /etc/kubernetes/admin.conf taint node k8s-ctr"
        " node-role.kubernetes.io/control-plane:NoSchedule",
    ),
    "a disk that is full": Drift(
        "containerd",
        _WORKER,
        "rm /etc/crictl.yaml; mkdir -p /run/full; mount -t tmpfs -o size=64k none /run/full;"
        " cp -a /etc/cni /run/full/ 2>/dev/null; mount --bind /run/full /etc/containerd;"
        # It ends by an error where other files are on that disk: Cilium's, for one.
        " head -c 64k /dev/zero > /etc/containerd/zero || true",
        refused="No space left on device",
        undone="umount /etc/containerd /run/full",
    ),
    "an API server that is not well": Drift(
        "control_plane",
        _FIRST,
        f"mkdir -p {FAULTS} && touch {FAULTS}/apiserver-never-ready",
        refused="was initialised and is not well",
        undone=f"rm -r {FAULTS}",
    ),
}


@pytest.mark.parametrize("title", _DRIFT)
def test_drift(lab: RunningLab, title: str) -> None:
    drift = _DRIFT[title]
    task = f"tasks/{drift.stage}.py"
    lab.shell(drift.host, drift.done)
    run = lab.deploy(task)
    if drift.refused:
        assert (run.status, run.failed) == (1, [drift.host]), run.said
        assert drift.refused in run.said
        assert "Traceback" not in run.said
        lab.shell(drift.host, drift.undone)
        run = lab.deploy(task)
    assert run.status == 0, run.said
    assert set(run.changed) <= {drift.host}
    assert drift.refused or set(run.changed) == {drift.host}
    steps.nothing_changes(lab, f"run {task} after drift", task)


# While another package manager is at work ---------------------------------------------------------


@pytest.mark.parametrize("title", LOCKED)
def test_another_package_manager_is_at_work(lab: RunningLab, title: str) -> None:
    """It is waited for, and told when that takes too long."""
    locked = LOCKED[title]
    task = f"tasks/{locked.task}.py"
    lab.shell(_WORKER, locked.undone)
    with held(lab, _WORKER, locked.lock):
        run = lab.deploy(task, apt_lock_timeout=3)
    assert (run.status, run.failed) == (1, [_WORKER]), run.said
    assert re.search(rf"\[{_WORKER}\].*{locked.said.format(lock=locked.lock)}", run.said), run.said
    assert "Traceback" not in run.said

    # It ends once it has been seen to be waited for, for a while.
    waits = f"pgrep -f '{locked.mended_by}'"
    end = f"until {waits}; do sleep 0.1; done; sleep 5; {waits} && systemctl stop holder.service"
    with held(lab, _WORKER, locked.lock), ThreadPoolExecutor() as pool:
        ending = pool.submit(lab.shell, _WORKER, end)
        run = lab.deploy(task)
        ending.result()
    assert run.status == 0, run.said
    assert set(run.changed) == {_WORKER}
    steps.nothing_changes(lab, f"run {task} after it had to wait", task)


# What it comes from -------------------------------------------------------------------------------


def test_a_wrong_checksum(lab: RunningLab, mirror: Mirror) -> None:
    steps.settled(lab)
    (archive,) = (mirror.folder / "archives").glob("k9s*amd64*")
    kept = archive.with_name("kept")
    shutil.copy(archive, kept)
    with archive.open("ab") as file:
        file.write(b"x")
    lab.shell(_FIRST, "rm /usr/local/bin/k9s")
    run = lab.deploy("tasks/control_plane.py")
    kept.rename(archive)
    assert (run.status, run.failed) == (1, [_FIRST]), run.said
    assert "k9s" in run.said
    assert lab.shell(_FIRST, "ls /usr/local/bin/k9s 2>/dev/null || true") == ""
    _converges(lab, {_FIRST})


def test_no_mirror(lab: RunningLab, mirror: Mirror) -> None:
    """Told before anything is changed."""
    lab.shell(_WORKER, "rm /etc/profile.d/ciliumlab.sh")
    mirror.stop()
    try:
        run = lab.deploy()
    finally:
        mirror.start()
    assert (run.status, set(run.failed)) == (1, set(lab.machines)), run.said
    assert "http://10.0.2.2" in run.said
    assert lab.shell(_WORKER, "ls /etc/profile.d/ciliumlab.sh 2>/dev/null || true") == ""
    _converges(lab, {_WORKER})


def test_states_hold_after_all_that(lab: RunningLab) -> None:
    steps.states_hold(lab, "after all faults")


@contextmanager
def _fault(lab: RunningLab, name: str, fault: str, value: str) -> Iterator[None]:
    lab.shell(name, f"mkdir -p {FAULTS} && echo {value} > {FAULTS}/{fault}")
    try:
        yield
    finally:
        lab.shell(name, f"rm -r {FAULTS}")


def _converges(lab: RunningLab, changed: set[str], task: str = "deploy.py") -> None:
    """One more run makes all as it must be, and the one after it finds nothing to do."""
    run = lab.deploy(task)
    assert run.status == 0, run.said
    assert set(run.changed) == changed
    steps.nothing_changes(lab, f"run {task} after a fault", task)
