"""An API server that is only starting is waited for by the fact that asks it, with a real shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from ciliumlab.facts import kubernetes
from ciliumlab.facts.kubernetes import STARTED, Node, NodeState
from tests.unit.operations.machine import Machine

_KUBECTL = """
echo asked >> "$ROOT/asked"
[ "$(wc -l < "$ROOT/asked")" -gt {silent} ] || {{ echo "connection refused"; exit 1; }}
echo "readyz check passed"
"""
_SYSTEMCTL = """
case "$*" in
*is-active*) {active} ;;
*) echo "$(($(cut -d. -f1 /proc/uptime) - {age}))000000" ;;
esac
"""


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path, "/etc/kubernetes", "/var/lib")
    machine.program("sleep", ":")
    for path in ("/etc/kubernetes/manifests/kube-apiserver.yaml", "/var/lib/etcd/member/wal"):
        machine.at(path).parent.mkdir(parents=True)
        machine.at(path).touch()
    return machine


def look(machine: Machine, *, silent: int, age: int, active: str = "true") -> tuple[NodeState, int]:
    """What is found where kubelet, so many seconds old, has an API server that is silent so many times; and
    how often that was asked.
    """
    machine.program("kubectl", _KUBECTL.format(silent=silent))
    machine.program("systemctl", _SYSTEMCTL.format(age=age, active=active))
    found = machine.read(Node())
    return found, len(machine.at("/asked").read_text().splitlines())


def test_one_that_is_starting_is_waited_for(machine: Machine) -> None:
    found, times = look(machine, silent=3, age=10)
    assert (found["initialised"], found["trouble"], times) == (True, [], 4)


@pytest.mark.parametrize(
    ("age", "active", "note"),
    [
        pytest.param(kubernetes._STARTING_SECONDS + 5, "true", False, id="kubelet has run for long"),
        pytest.param(10, "false", False, id="kubelet does not run"),
        pytest.param(10, "true", True, id="kubeadm init was cut"),
    ],
)
def test_one_that_will_not_come_is_not(machine: Machine, age: int, active: str, note: bool) -> None:
    if note:
        machine.at(STARTED).parent.mkdir(parents=True)
        machine.at(STARTED).write_text("init\n")
    found, times = look(machine, silent=1000, age=age, active=active)
    assert (found["trouble"], times) == (["connection refused"], 1)


def test_one_that_never_served_a_cluster_is_not(machine: Machine) -> None:
    machine.at("/var/lib/etcd/member/wal").unlink()
    machine.at("/var/lib/etcd/member").rmdir()
    found, times = look(machine, silent=1000, age=10)
    assert (found["trouble"], times) == (["connection refused"], 1)
