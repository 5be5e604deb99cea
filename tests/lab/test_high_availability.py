"""Three control-plane nodes on two segments: no secret of theirs gets out, and one of them may go."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from ciliumlab.facts.etcd import ETCDCTL

from . import leaks, steps
from .leaks import Secrets
from .mirror import Mirror
from .running import RunningLab, running

pytestmark = [pytest.mark.lab, pytest.mark.long]

_FIRST, _OTHERS, _WORKER = "k8s-ctr", ("k8s-c2", "k8s-c3"), "k8s-w1"
_KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.conf --request-timeout 5s"


def _three(declared: dict[str, Any]) -> None:
    nodes = declared["nodes"]
    nodes["k8s-c2"] = {**nodes["k8s-ctr"], "address": "192.168.10.110"}
    nodes["k8s-c3"] = {**nodes["k8s-ctr"], "segment": "net20", "address": "192.168.20.110"}
    for name in _OTHERS:
        del nodes[name]["ssh_port"]
    del nodes["k8s-w0"]


# All that pyinfra can be asked to tell.
_TELLING = ("-y", "-vvv", "--debug", "--diff")


@pytest.fixture(scope="module")
def secrets() -> Secrets:
    return Secrets.new()


@pytest.fixture(scope="module")
def lab(mirror: Mirror) -> Iterator[RunningLab]:
    with running("container", mirror.data, dummies=False, name="three") as lab:
        lab.declare(_three)
        yield lab


def test_deploy(lab: RunningLab, secrets: Secrets) -> None:
    """With all that pyinfra can be asked to tell."""
    steps.come_up(lab)
    with leaks.processes_watched(lab), lab.step("deploy for the first time, watched", essential=True):
        run = lab.pyinfra(*_TELLING, "inventory/lab.py", "deploy.py", invitation=secrets.invitation)
        assert (run.status, run.failed) == (0, []), run.said[-5000:]
    assert set(run.changed) == set(lab.machines)
    assert secrets.with_keys(lab).within(run.said + json.dumps(run.answer)) == []


def test_no_secret_gets_out(lab: RunningLab, secrets: Secrets) -> None:
    """By an init and the joins of control-plane nodes and workers, each of which was seen to be looked at."""
    for name in lab.machines:
        seen = leaks.processes(lab, name)
        command = re.compile(f"^[^|]*kubeadm {'init' if name == _FIRST else 'join'} .*--config /dev/stdin")
        assert name == "router" or any(map(command.search, seen)), seen
    secrets = secrets.with_keys(lab)
    assert len(secrets.keys) > 20
    with lab.step("look for secrets on all machines"):
        assert leaks.found(lab, secrets) == {}


_PLANTED = "/etc/planted"


def test_a_secret_that_gets_out_is_seen(lab: RunningLab, secrets: Secrets) -> None:
    """The same look, where one is in each of the places that it looks at; what only root reads is none."""
    token, key = secrets.token, min(secrets.with_keys(lab).keys)
    with leaks.processes_watched(lab):
        lab.shell(
            _WORKER,
            f"""sh -c 'sleep 2; : --token {token}' & echo 'a token, {token}' | logger
            umask 077; echo {secrets.certificate_key} > /var/log/planted
            mkdir -m 755 {_PLANTED}; mkdir {_PLANTED}/closed
            for file in open own closed/file; do echo {key} > {_PLANTED}/$file; done
            chmod 644 {_PLANTED}/open {_PLANTED}/closed/file; wait""",
        )
    found = leaks.found(lab, secrets.with_keys(lab))
    lab.shell(_WORKER, f"rm -r {_PLANTED} /var/log/planted")
    assert found.keys() == {_WORKER}
    assert {line.strip() for line in found[_WORKER]} == {
        f"process: sh -c sleep 2; : --token {token}",
        f"journal: a token, {token}",
        "log: /var/log/planted",
        f"readable: {_PLANTED}/open",
    }
    assert secrets.within(f"one\ntwo {secrets.certificate_key}") == [f"two {secrets.certificate_key}"]


def test_states_hold(lab: RunningLab) -> None:
    steps.states_hold(lab, "of three control-plane nodes")


def test_second_deploy_changes_nothing(lab: RunningLab) -> None:
    steps.nothing_changes(lab, "deploy three control-plane nodes with nothing to do")


def test_etcd_has_three_members(lab: RunningLab) -> None:
    listed = lab.shell(_FIRST, f"{ETCDCTL} member list")
    assert {line.split(", ")[2] for line in listed.splitlines()} == {_FIRST, *_OTHERS}
    assert all(line.split(", ")[1] == "started" for line in listed.splitlines())


def test_the_cluster_outlives_a_node_of_its_control_plane(lab: RunningLab) -> None:
    """Of a request every 0.2 s, one in three would be the lost node's; each is answered by another.

    That goes on for twice as long as it takes until the node is known to be lost. Nobody asks etcd for
    /version, which answers nothing while it chooses a new leader.
    """
    lab.kill(_FIRST)
    with lab.step("ask for 12 s, with a node lost"):
        lab.shell(
            _OTHERS[0],
            f"""for _ in $(seq 60); do
                {_KUBECTL} get --raw /version > /dev/null & asked="$asked $!"
                sleep 0.2
            done
            for one in $asked; do wait $one || failed="$failed $one"; done
            [ -z "$failed" ]""",
        )
    lab.shell(_OTHERS[0], f"{_KUBECTL} create configmap written-meanwhile")
    lab.up()
    steps.settled(lab)
    assert "written-meanwhile" in lab.shell(_FIRST, f"{_KUBECTL} get configmaps -o name")
    steps.nothing_changes(lab, "deploy after a control-plane node was lost")


def test_destroy(lab: RunningLab) -> None:
    steps.destroy(lab)
