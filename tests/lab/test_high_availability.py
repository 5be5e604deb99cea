"""Three control-plane nodes on two segments, behind the router: one of them may go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from ciliumlab.facts.etcd import ETCDCTL

from . import steps
from .mirror import Mirror
from .running import RunningLab, running

pytestmark = pytest.mark.lab

_FIRST, _OTHERS = "k8s-ctr", ("k8s-c2", "k8s-c3")
_KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout 5s"


def _three(declared: dict[str, Any]) -> None:
    nodes = declared["nodes"]
    nodes["k8s-c2"] = {**nodes["k8s-ctr"], "address": "192.168.10.110"}
    nodes["k8s-c3"] = {**nodes["k8s-ctr"], "segment": "net20", "address": "192.168.20.110"}
    for name in _OTHERS:
        del nodes[name]["ssh_port"]
    del nodes["k8s-w0"]


@pytest.fixture(scope="module")
def lab(mirror: Mirror) -> Iterator[RunningLab]:
    with running("container", mirror.data, dummies=False, name="three") as lab:
        lab.declare(_three)
        yield lab


def test_deploy(lab: RunningLab) -> None:
    steps.come_up(lab)
    steps.deploy(lab)


def test_states_hold(lab: RunningLab) -> None:
    steps.states_hold(lab, "of three control-plane nodes")


def test_second_deploy_changes_nothing(lab: RunningLab) -> None:
    steps.nothing_changes(lab, "deploy three control-plane nodes with nothing to do")


def test_etcd_has_three_members(lab: RunningLab) -> None:
    listed = lab.shell(_FIRST, f"{ETCDCTL} member list")
    assert {line.split(", ")[2] for line in listed.splitlines()} == {_FIRST, *_OTHERS}
    assert all(line.split(", ")[1] == "started" for line in listed.splitlines())


def test_the_cluster_outlives_a_node_of_its_control_plane(lab: RunningLab) -> None:
    lab.kill(_FIRST)
    with lab.step("find another API server"):
        lab.shell(
            _OTHERS[0], f"until {_KUBECTL} get nodes; do [ $((n += 1)) -lt 30 ] || exit 1; sleep 1; done"
        )
    lab.shell(_OTHERS[0], f"{_KUBECTL} create configmap written-meanwhile")
    lab.up()
    lab.shell(
        _FIRST, f"until {_KUBECTL} get --raw /readyz; do [ $((n += 1)) -lt 60 ] || exit 1; sleep 1; done"
    )
    assert "written-meanwhile" in lab.shell(_FIRST, f"{_KUBECTL} get configmaps -o name")
    steps.nothing_changes(lab, "deploy after a control-plane node was lost")


def test_destroy(lab: RunningLab) -> None:
    steps.destroy(lab)
