"""Cilium's life in containers: rolled out, switched from mode to mode, cut, failed, announced, upgraded."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from . import steps
from .mirror import Mirror
from .running import RunningLab
from .steps import FAULTS, KUBECTL, kubectl, settled

pytestmark = pytest.mark.lab

_TASK = "tasks/cilium.py"
_FIRST, _WORKER = "k8s-ctr", "k8s-w1"

# From the reference lab's first mode through all others, and one of them with addresses announced.
_SWITCHES: dict[str, dict[str, object]] = {
    "vxlan": {"datapath": "vxlan"},
    "geneve": {"datapath": "geneve"},
    "native again": {"datapath": "native"},
    "geneve with L2 announcements": {"datapath": "geneve", "l2_announcements": True},
}


@pytest.fixture(scope="module")
def lab(containers: RunningLab, mirror: Mirror) -> RunningLab:
    containers.story(mirror.data)
    return containers


def test_native(lab: RunningLab) -> None:
    """As in the reference lab: pods on different segments do not reach one another."""
    steps.begin_deployed(lab)
    with lab.step("add workloads", essential=True):
        lab.data["workloads"] = True
        run = lab.deploy()
        assert (run.status, run.failed) == (0, []), run.said
    assert _FIRST in run.changed
    steps.states_hold(lab, "of native routing")
    steps.nothing_changes(lab, "deploy Cilium with nothing to do")


def test_native_with_static_routes(lab: RunningLab) -> None:
    """With each node's pods known to the router, they do."""
    lab.data["pod_routes"] = "static"
    run = lab.deploy("tasks/pod_routes.py")
    assert (run.status, set(run.changed)) == (0, {"router"}), run.said
    steps.states_hold(lab, "of native routing with static routes")
    lab.data["pod_routes"] = "none"
    run = lab.deploy("tasks/pod_routes.py")
    assert (run.status, set(run.changed)) == (0, {"router"}), run.said


@pytest.mark.parametrize("title", _SWITCHES)
def test_switch(lab: RunningLab, title: str) -> None:
    """One command is the whole switch."""
    _switch(lab, f"switch to {title}", **_SWITCHES[title])
    steps.nothing_changes(lab, f"switch to {title} when it runs", _TASK)
    if lab.data.get("l2_announcements"):
        run = lab.deploy("tasks/load_balancer.py")
        assert run.status == 0, run.said
        steps.nothing_changes(lab, "declare addresses when they are", "tasks/load_balancer.py")
    steps.states_hold(lab, f"after the switch to {title}")


def test_report(lab: RunningLab, tmp_path: Path) -> None:
    steps.a_report_tells_all(lab, tmp_path)


# Cut ----------------------------------------------------------------------------------------------

_SECRETS = f"{KUBECTL} -n kube-system get secrets --selector owner=helm,name=cilium"


@dataclass(frozen=True)
class Cut:
    """A moment of a switch: a shell condition that holds then, and the agents' fault that makes it last."""

    sign: str
    fault: str


# Helm waits until no more agents are missing than the DaemonSet allows, so that a revision stays pending
# only where they all are; and with them all, none is replaced before the others.
_PENDING = Cut(f"{_SECRETS},status=pending-upgrade -o name | grep -q .", "cilium-agent-unhealthy")
_DAEMON_SET = f"{KUBECTL} -n kube-system get daemonset cilium -o jsonpath="
_CUTS = {
    "Helm has begun": Cut("pgrep -a -x helm | grep -q ' upgrade '", "cilium-agent-unhealthy"),
    "a revision is pending": _PENDING,
    "a first agent is new": Cut(
        f"[ $({_DAEMON_SET}'{{.status.updatedNumberScheduled}}') != 3 ]", "cilium-agent-never-ready"
    ),
}


@pytest.mark.parametrize("when", _CUTS)
def test_a_controller_that_is_killed(lab: RunningLab, mirror: Mirror, when: str) -> None:
    """Wherever it was cut, one more run ends in the mode that is declared."""
    datapath = _other(lab)
    with _agents_that_wait(lab, mirror, _CUTS[when].fault):
        lab.cut(_FIRST, _CUTS[when].sign, _TASK, datapath=datapath)
    _switch(lab, f"come to {datapath} after a cut when {when}", datapath=datapath)
    steps.nothing_changes(lab, f"switch when it runs, after a cut when {when}", _TASK)


def test_a_machine_that_is_killed(lab: RunningLab, mirror: Mirror) -> None:
    datapath = _other(lab)
    with _agents_that_wait(lab, mirror, _PENDING.fault):
        lab.cut(_FIRST, _PENDING.sign, _TASK, datapath=datapath)
        lab.kill(_FIRST)
        lab.up()
    settled(lab)
    _switch(lab, f"come to {datapath} after the control plane was killed", datapath=datapath)
    steps.nothing_changes(lab, "switch when it runs, after the control plane was killed", _TASK)
    steps.states_hold(lab, "after all cuts")


# Failed -------------------------------------------------------------------------------------------


def test_an_agent_that_never_becomes_ready(lab: RunningLab, mirror: Mirror) -> None:
    """Told with its reason, within its time; the former revision is back, and runs."""
    if not mirror.doubles:
        pytest.skip("only a double can be told to stay unready")
    before = str(lab.data["datapath"])
    lab.shell(_WORKER, f"mkdir -p {FAULTS} && touch {FAULTS}/cilium-agent-crashes")
    started = time.monotonic()
    with lab.step("give up a switch that fails"):
        run = lab.deploy(_TASK, datapath=_other(lab), rollout_timeout=40)
    assert time.monotonic() - started < 180
    lab.shell(_WORKER, f"rm -r {FAULTS}")
    assert (run.status, _FIRST in run.failed) == (1, True), run.said
    assert "has not rolled out" in run.said
    assert f"on {_WORKER}" in run.said
    assert "CrashLoopBackOff" in run.said
    _switch(lab, "find the former revision in force", datapath=before)
    steps.states_hold(lab, "after a switch that failed")


def test_bad_input_touches_nothing(lab: RunningLab) -> None:
    before = steps.footprints(lab)
    for data, said in (
        ({"cilium_version": "1.18.99"}, "1.18.99"),
        (
            {"datapath": "vxlan", "cilium_extra_values": {"autoDirectNodeRoutes": True}},
            "autoDirectNodeRoutes",
        ),
        ({"cilium_extra_values": {"routingModee": "native"}}, "did you mean routingMode?"),
    ):
        run = lab.refused(_TASK, **data)
        assert run.returncode == 2
        assert said in run.stderr
        assert "Traceback" not in run.stderr
    assert steps.footprints(lab) == before


# By hand ------------------------------------------------------------------------------------------

_BY_HAND = {
    "a pool widened": "patch ciliumloadbalancerippool cilium-lb-ippool --type json -p"
    ' \'[{"op": "replace", "path": "/spec/blocks/0/stop", "value": "192.168.10.220"}]\'',
    "a policy for other nodes": "patch ciliuml2announcementpolicy net10 --type json -p"
    ' \'[{"op": "replace", "path": "/spec/nodeSelector/matchExpressions/0/values", "value": ["k8s-w0"]}]\'',
    "a policy for fewer services": "patch ciliuml2announcementpolicy net10 --type merge -p"
    ' \'{"spec": {"serviceSelector": {"matchLabels": {"app": "webpod"}}}}\'',
    "a policy deleted": "delete ciliuml2announcementpolicy net10",
}


@pytest.mark.parametrize("title", _BY_HAND)
def test_objects_edited_by_hand(lab: RunningLab, title: str) -> None:
    """Shown by a dry run, and put back by the next one."""
    kubectl(lab, _BY_HAND[title])
    dry = lab.pyinfra("--dry", "inventory/lab.py", "tasks/load_balancer.py")
    assert set(dry.planned) == {_FIRST}, dry.said
    run = lab.deploy("tasks/load_balancer.py")
    assert (run.status, set(run.changed)) == (0, {_FIRST}), run.said
    # That addresses are given out anew may have to be waited for besides.
    assert set(dry.planned[_FIRST]) <= set(run.changed[_FIRST])
    steps.nothing_changes(lab, f"declare addresses after {title}", "tasks/load_balancer.py")


def test_an_object_that_is_no_longer_declared_goes(lab: RunningLab) -> None:
    run = lab.deploy("tasks/load_balancer.py", l2_announcements=False)
    assert (run.status, set(run.changed)) == (0, {_FIRST}), run.said
    assert kubectl(lab, "get ciliuml2announcementpolicies -o name") == ""
    run = lab.deploy("tasks/load_balancer.py")
    assert run.status == 0, run.said


# Who answers for webpod's address, and a pause in a loop that ends with an error.
_LEASE = "cilium-l2announce-default-webpod"
_LEADER = f"{KUBECTL} -n kube-system get lease {_LEASE} -o jsonpath='{{.spec.holderIdentity}}'"
_DROP = f"{KUBECTL} -n kube-system delete lease {_LEASE} --ignore-not-found"
_PATIENT = "[ $((n += 1)) -le 60 ] || exit 1; sleep 0.5"

# Announced ----------------------------------------------------------------------------------------


def test_another_node_answers_when_the_leader_is_gone(lab: RunningLab) -> None:
    address = kubectl(lab, "get service webpod -o jsonpath='{.status.loadBalancer.ingress[0].ip}'")
    answered = f"until curl -s -m 1 -o /dev/null http://{address}/; do {_PATIENT}; done"
    # A worker leads: with the only API server, nobody could tell that its own node is gone.
    led = f'until [ "$({_LEADER})" = {_WORKER} ]; do {_DROP}; sleep 2; {_PATIENT}; done'
    lab.shell(_FIRST, led)
    lab.shell("router", answered)
    lab.kill(_WORKER)
    with lab.step("reach an address whose leader was killed"):
        lab.shell(_FIRST, f'until [ "$({_LEADER})" = {_FIRST} ]; do {_PATIENT}; done')
        lab.shell("router", answered)
    lab.up()
    settled(lab)
    steps.states_hold(lab, "after the leader was killed")


# Upgraded -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["1.18.3", "1.19.0"])
def test_upgrade(lab: RunningLab, version: str) -> None:
    """Another patch, and the next minor after its own checks have passed."""
    _switch(lab, f"upgrade Cilium to {version}", cilium_version=version)
    steps.nothing_changes(lab, f"upgrade Cilium to {version} when it runs", _TASK)
    values = kubectl(lab, "version > /dev/null; helm get values cilium -n kube-system -o json")
    assert '"upgradeCompatibility":"1.18"' in values
    steps.states_hold(lab, f"of Cilium {version}")


def test_no_way_back(lab: RunningLab) -> None:
    run = lab.deploy(_TASK, cilium_version="1.18.3")
    assert run.status == 1
    assert "is older" in run.said


# What it takes ------------------------------------------------------------------------------------


def _switch(lab: RunningLab, title: str, **data: object) -> None:
    lab.data |= data
    with lab.step(title, essential=True):
        run = lab.deploy(_TASK)
    assert (run.status, run.failed) == (0, []), run.said


@contextmanager
def _agents_that_wait(lab: RunningLab, mirror: Mirror, fault: str) -> Iterator[None]:
    """Agents of the doubles are not ready before this ends, so that there is time to cut a switch: all of
    them, or only those that are new.
    """
    nodes = [name for name in lab.machines if name != "router"] if mirror.doubles else []
    for name in nodes:
        lab.shell(name, f"mkdir -p {FAULTS} && touch {FAULTS}/{fault}")
    try:
        if nodes and fault == "cilium-agent-unhealthy":
            ready = f"[ $({_DAEMON_SET}'{{.status.numberReady}}') = 0 ]"
            lab.shell(_FIRST, f"until {ready}; do [ $((n += 1)) -lt 300 ] || exit 1; sleep 0.1; done")
        yield
    finally:
        for name in nodes:
            lab.shell(name, f"rm -r {FAULTS}")


def _other(lab: RunningLab) -> str:
    return "vxlan" if lab.data["datapath"] == "geneve" else "geneve"
