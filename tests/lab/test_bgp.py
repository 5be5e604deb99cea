"""Routes to pods on the router, with FRR in the place of Cilium's agents on the nodes: no cluster is needed.

What the router asks of a cluster, the nodes' pod CIDRs, a stand-in for kubectl answers on the control plane.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

import pytest

from . import steps
from .running import MACHINE_TASKS, NO_SOURCES, Deploy, RunningLab, running
from .speaker import RECONNECT, announce

pytestmark = pytest.mark.lab

_TASK = "tasks/pod_routes.py"
_FIRST, _ROUTER = "k8s-ctr", "router"
_PODS = {_FIRST: "172.20.0", "k8s-w1": "172.20.1", "k8s-w0": "172.20.2"}
_SHARED = "192.168.10.211"
# Seconds without a word after which the session has ended.
_HOLD = 9
# FRR's unit lets nobody start it more than three times in three minutes.
_RESTART = "systemctl reset-failed frr; systemctl restart frr"
_FILE = "/etc/netplan/62-ciliumlab-pods.yaml"

# What becomes of the router's routes while somebody looks on.
_WATCH, _WATCHED = "watched-routes.service", "/run/watched-routes"

# A node's pods and a LoadBalancer address are the agent's to announce; this nobody asked for.
_FOREIGN = "10.99.0.0/16"


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    with running("container", NO_SOURCES, dummies=False, name="bgp") as lab:
        yield lab


def test_machines(lab: RunningLab) -> None:
    steps.come_up(lab)
    with lab.step("deploy the machines' own stages", essential=True):
        for task in MACHINE_TASKS:
            run = lab.deploy(task)
            assert (run.status, run.failed) == (0, []), run.said
    _tell_pods(lab, _PODS)
    _put_pods(lab)


# None ---------------------------------------------------------------------------------------------


def test_by_default_there_is_nothing_to_do(lab: RunningLab) -> None:
    before = lab.shell(_ROUTER, "ip -4 route; ls /etc/netplan")
    run = _deploy(lab)
    assert run.changed == {}
    assert lab.shell(_ROUTER, "ip -4 route; ls /etc/netplan") == before
    assert not _reaches(lab, "k8s-w1", "k8s-w0")


# Static -------------------------------------------------------------------------------------------


def test_static_routes(lab: RunningLab) -> None:
    lab.data["pod_routes"] = "static"
    with lab.step("put static routes to pods on the router"):
        run = _deploy(lab)
    assert run.changed == {_ROUTER: ["Each node's pods have a static route on the router, or none"]}
    assert _routes(lab, "static") == {f"{pods}.0/24": {name} for name, pods in _PODS.items()}
    assert _reaches(lab, "k8s-w1", "k8s-w0")
    assert _deploy(lab).changed == {}


def test_a_pod_cidr_changes(lab: RunningLab) -> None:
    changed = {**_PODS, "k8s-w0": "172.20.7"}
    _tell_pods(lab, changed)
    assert set(_deploy(lab).changed) == {_ROUTER}
    assert _routes(lab, "static") == {f"{pods}.0/24": {name} for name, pods in changed.items()}
    _tell_pods(lab, _PODS)
    assert set(_deploy(lab).changed) == {_ROUTER}
    assert _routes(lab, "static") == {f"{pods}.0/24": {name} for name, pods in _PODS.items()}


def test_the_network_stage_leaves_them_alone(lab: RunningLab) -> None:
    steps.nothing_changes(lab, "run the network stage with routes to pods", "tasks/network.py")


def test_a_route_deleted_by_hand_comes_back(lab: RunningLab) -> None:
    lab.shell(_ROUTER, "ip route delete 172.20.2.0/24")
    assert set(_deploy(lab).changed) == {_ROUTER}
    assert _reaches(lab, "k8s-w1", "k8s-w0")


def test_states_hold_with_static_routes(lab: RunningLab) -> None:
    steps.states_hold(lab, "with static routes to pods")


def test_no_cluster_to_ask(lab: RunningLab) -> None:
    """What is there is not taken away because nobody can be asked."""
    lab.shell(_FIRST, "mv /usr/local/bin/kubectl /usr/local/bin/kubectl.away")
    run = _run(lab)
    assert run.status == 1, run.said
    assert "the nodes' pod CIDRs cannot be read" in run.said
    assert "Traceback" not in run.said
    lab.shell(_FIRST, "mv /usr/local/bin/kubectl.away /usr/local/bin/kubectl")
    assert _reaches(lab, "k8s-w1", "k8s-w0")


# BGP ----------------------------------------------------------------------------------------------


def test_nodes_speak_bgp(lab: RunningLab) -> None:
    with lab.step("install FRR on the nodes", essential=True):
        for name, pods in _PODS.items():
            announce(lab, name, [f"{pods}.0/24", f"{_SHARED}/32", _FOREIGN])


def test_from_static_to_bgp(lab: RunningLab) -> None:
    lab.data["pod_routes"] = "bgp"
    with lab.step("go from static routes to BGP"):
        run = _deploy(lab)
    assert set(run.changed) == {_ROUTER}
    assert lab.shell(_ROUTER, f"ls {_FILE} 2>/dev/null || true") == ""
    assert _routes(lab, "static") == {}
    assert _pods_by_bgp(lab) == _all_pods()
    assert _reaches(lab, "k8s-w1", "k8s-w0")
    assert _deploy(lab).changed == {}


def test_states_hold_with_bgp(lab: RunningLab) -> None:
    steps.states_hold(lab, "with routes to pods by BGP")


def test_an_address_of_several_nodes_has_several_ways(lab: RunningLab) -> None:
    _within(10, lambda: _routes(lab, "bgp").get(_SHARED) == set(_PODS))


def test_nothing_else_is_let_in_or_told(lab: RunningLab) -> None:
    assert set(_routes(lab, "bgp")) == {*_all_pods(), _SHARED}
    told = lab.shell("k8s-w1", "vtysh -c 'show bgp ipv4 unicast summary json'")
    assert '"pfxRcd":0' in told.replace(" ", "")


def test_routes_arrive_soon(lab: RunningLab) -> None:
    lab.shell(_ROUTER, _RESTART)
    seconds = _within(10, lambda: _pods_by_bgp(lab) == _all_pods())
    lab.figure("learn all pods after FRR's restart on the router", seconds)


def test_a_node_that_goes_loses_its_routes(lab: RunningLab) -> None:
    """Its power is cut: no word comes from it any more."""
    lab.kill("k8s-w1")
    seconds = _within(_HOLD + 3, lambda: "172.20.1.0/24" not in _routes(lab, "bgp"))
    lab.figure("forget a node that has gone", seconds)
    assert _routes(lab, "bgp").get(_SHARED) == {_FIRST, "k8s-w0"}
    run = _run(lab, rollout_timeout=4)
    assert run.status == 1, run.said
    assert "k8s-w1 (192.168.10.101): the session is Active" in run.said
    assert "k8s-w0 (" not in run.said
    # Nor is a node that does not come waited for by a router that starts.
    lab.shell(_ROUTER, _RESTART)
    seconds = _within(10, lambda: _routes(lab, "bgp").get(_SHARED) == {_FIRST, "k8s-w0"})
    lab.figure("learn the others' pods after FRR's restart, while a node is gone", seconds)


def test_a_node_that_comes_back_has_its_routes(lab: RunningLab) -> None:
    with lab.step("boot a node", essential=True):
        lab.up()
    seconds = _within(2 * RECONNECT, lambda: _pods_by_bgp(lab) == _all_pods())
    lab.figure("learn of a node that came back", seconds)
    _put_pods(lab)
    assert _reaches(lab, "k8s-w1", "k8s-w0")


def test_routes_outlive_an_agent_that_starts_anew(lab: RunningLab) -> None:
    """Killed without a word, as a container's process is; its node goes on passing packets."""
    # It was only just booted: until it has told all of its routes, there is nothing to keep.
    _within(10, lambda: _has_told_all(lab, "192.168.10.101"))
    into = f"--property=StandardOutput=truncate:{_WATCHED}"
    lab.shell(_ROUTER, f"systemd-run --quiet --unit={_WATCH} {into} ip -4 monitor route")
    lab.shell("k8s-w1", "systemctl kill --signal=KILL frr; systemctl stop frr")
    time.sleep(_HOLD + 3)
    assert _pods_by_bgp(lab) == _all_pods()
    assert _reaches(lab, "k8s-w0", "k8s-w1")
    lab.shell("k8s-w1", "systemctl reset-failed frr; systemctl start frr")
    _within(20, lambda: _has_told_all(lab, "192.168.10.101"))
    assert _pods_by_bgp(lab) == _all_pods()
    # Nor were they away for a moment: packets were passed on all the while.
    watched = lab.shell(_ROUTER, f"systemctl is-active {_WATCH} && systemctl stop {_WATCH} && cat {_WATCHED}")
    assert "Deleted 172.20.1.0/24" not in watched


def test_reboot(lab: RunningLab) -> None:
    steps.reboot(lab)
    seconds = _within(20, lambda: _pods_by_bgp(lab) == _all_pods())
    lab.figure("learn all pods after a reboot of all machines", seconds)
    _put_pods(lab)
    assert _reaches(lab, "k8s-w1", "k8s-w0")
    assert _deploy(lab).changed == {}
    steps.nothing_changes(lab, "run the network stage with BGP", "tasks/network.py")


def test_configuration_edited_by_hand(lab: RunningLab) -> None:
    lab.shell(
        _ROUTER, "sed -i 's/maximum-paths 64/maximum-paths 1/' /etc/frr/frr.conf; systemctl restart frr"
    )
    run = _deploy(lab)
    # Sessions that begin anew may have to be waited for besides.
    assert "FRR listens to what nodes announce" in run.changed[_ROUTER]
    _within(10, lambda: _routes(lab, "bgp").get(_SHARED) == set(_PODS))


# Back ---------------------------------------------------------------------------------------------


def test_back_to_none(lab: RunningLab) -> None:
    lab.data["pod_routes"] = "none"
    run = _deploy(lab)
    assert run.changed == {_ROUTER: ["There is no BGP"]}
    assert _routes(lab, "bgp") == {}
    assert lab.shell(_ROUTER, "pgrep -l 'bgpd|zebra|watchfrr' || true") == ""
    assert lab.shell(_ROUTER, "systemctl is-enabled frr || true") == "disabled\n"
    assert not _reaches(lab, "k8s-w1", "k8s-w0")
    assert _deploy(lab).changed == {}


def test_states_hold_with_none(lab: RunningLab) -> None:
    steps.states_hold(lab, "without routes to pods")


def test_what_frr_left_when_it_was_killed_goes_too(lab: RunningLab) -> None:
    lab.data["pod_routes"] = "bgp"
    assert set(_deploy(lab).changed) == {_ROUTER}
    lab.shell(_ROUTER, "systemctl kill --signal=KILL frr; systemctl stop frr; ip route | grep -q 'proto bgp'")
    lab.data["pod_routes"] = "none"
    assert set(_deploy(lab).changed) == {_ROUTER}
    assert _routes(lab, "bgp") == {}
    assert _deploy(lab).changed == {}


def test_somebody_elses_frr_is_left_alone(lab: RunningLab) -> None:
    lab.shell(_ROUTER, "echo 'frr defaults traditional' > /etc/frr/frr.conf; systemctl start frr")
    assert _deploy(lab).changed == {}
    assert lab.shell(_ROUTER, "systemctl is-active frr") == "active\n"


def test_destroy(lab: RunningLab) -> None:
    steps.destroy(lab)


# What it takes ------------------------------------------------------------------------------------


def _run(lab: RunningLab, **data: object) -> Deploy:
    """The router's part of the stage alone."""
    settings = [f"--data={key}={value}" for key, value in data.items()]
    return lab.pyinfra("-y", "--limit", _ROUTER, *settings, "inventory/lab.py", _TASK)


def _deploy(lab: RunningLab) -> Deploy:
    run = _run(lab)
    assert (run.status, run.failed) == (0, []), run.said
    return run


def _tell_pods(lab: RunningLab, pods: Mapping[str, str]) -> None:
    """Let the control plane answer who has which pods."""
    lines = [
        f"ciliumnode|{name}|{lab.machines[name].interfaces[0].address}|{cidr}.0/24"
        for name, cidr in pods.items()
    ]
    program = "\n".join(["#!/bin/sh", "cat <<'END'", *lines, "END"])
    lab.shell(
        _FIRST,
        f"cat > /usr/local/bin/kubectl <<'PROGRAM'\n{program}\nPROGRAM\nchmod 755 /usr/local/bin/kubectl",
    )


def _put_pods(lab: RunningLab) -> None:
    """An address of its own pods on each node: a pod, as far as routes are concerned."""
    for name, pods in _PODS.items():
        lab.shell(name, f"ip address replace {pods}.1/32 dev lo")


def _routes(lab: RunningLab, protocol: str) -> dict[str, set[str]]:
    """The router's routes of a protocol, with the nodes that they lead to."""
    names = {str(machine.interfaces[0].address): name for name, machine in lab.machines.items()}
    found: dict[str, set[str]] = {}
    to = ""
    for line in lab.shell(_ROUTER, f"ip -4 route show proto {protocol}").splitlines():
        words = line.split()
        if not line.startswith(("\t", " ")):
            to = words[0]
        if "via" in words and (name := names.get(words[words.index("via") + 1])):
            found.setdefault(to, set()).add(name)
    return found


def _all_pods() -> dict[str, set[str]]:
    return {f"{pods}.0/24": {name} for name, pods in _PODS.items()}


def _pods_by_bgp(lab: RunningLab) -> dict[str, set[str]]:
    return {to: nodes for to, nodes in _routes(lab, "bgp").items() if to != _SHARED}


def _has_told_all(lab: RunningLab, address: str) -> bool:
    """Whether a node has told the router all of its routes in the session that there is now."""
    shown = lab.shell(_ROUTER, f"vtysh -c 'show bgp neighbors {address}'")
    return "BGP state = Established" in shown and "End-of-RIB received: Yes" in shown


def _reaches(lab: RunningLab, one: str, other: str) -> bool:
    """Whether a pod's address on one node reaches one on another node."""
    ping = f"ping -c 1 -W 2 -I {_PODS[one]}.1 {_PODS[other]}.1 > /dev/null && echo yes || echo no"
    return lab.shell(one, ping) == "yes\n"


def _within(seconds: float, so: Callable[[], bool]) -> float:
    """How many seconds it took until it was so; a test fails when it is not within these."""
    started = time.monotonic()
    while not so():
        passed = time.monotonic() - started
        assert passed < seconds, f"not within {seconds} s"
        time.sleep(0.2)
    return time.monotonic() - started
