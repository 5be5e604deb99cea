"""What is waited for: until it is so, or until the time is over; and what is said then."""

from __future__ import annotations

from typing import Any

import pytest

from ciliumlab.operations import waits
from ciliumlab.operations.waits import Until

from .harness import Host, context, run

_AGENT = {
    "state": "Ok",
    "message": "1.18.0 (v1.18.0-5b8b1f5e)",
    "version": "1.18.0",
    "routing": "native",
    "tunnel": "",
    "kube_proxy_replacement": False,
    "devices": ["eth1"],
    "masquerading": "iptables",
    "l2_announcements": False,
    "bgp": False,
    "route_mtu": 1500,
    "routes": [],
    "trouble": "",
}
_TUNNEL = {**_AGENT, "routing": "tunnel", "tunnel": "vxlan"}


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waits, "_PAUSE", 0)


def wait(wanted: dict[str, Any], *answers: dict[str, Any], seconds: int = 60) -> tuple[bool, list[str]]:
    """Whether the agent on k8s-w1, which answers so one time after another, comes to it; and what is said."""
    left = list(answers)
    host = Host({"Agent": left[0]})

    def get_fact(fact: type, **arguments: Any) -> Any:
        return left.pop(0) if len(left) > 1 else left[0]

    host.get_fact = get_fact  # type: ignore[method-assign]
    others = [Host({"Agent": _AGENT}, "k8s-ctr"), Host(None, "k8s-w0")]  # type: ignore[arg-type]
    arguments = {"values": wanted, "nodes": ["k8s-ctr", "k8s-w0", "k8s-w1"], "timeout": seconds}
    (command,) = run("cilium.running", host, arguments, elsewhere=others)
    assert isinstance(command, Until)
    with context(host, elsewhere=others):
        return command.execute(None, host, {}), host.lines  # type: ignore[arg-type, typeddict-item]


def test_an_agent_that_comes_to_it() -> None:
    gone = {**_AGENT, "trouble": "curl: (7) Failed to connect"}
    assert wait({"routingMode": "native"}, _TUNNEL, _TUNNEL, gone, _AGENT) == (True, [])


def test_an_agent_that_does_not() -> None:
    """What it runs, what is wanted, and that others run it already."""
    wanted = {"routingMode": "native", "bpf": {"masquerade": True}, "kubeProxyReplacement": True}
    found, said = wait(wanted, {**_TUNNEL, "devices": ["eth0"]}, seconds=0)
    assert not found
    assert said == [
        "not within 0 s: the agent on k8s-w1 runs what is declared",
        "the agent on k8s-w1 runs with routing mode tunnel (vxlan), and native is wanted",
        "the agent on k8s-w1 runs with kube-proxy replacement off, and on is wanted",
        "the agent on k8s-w1 runs with masquerading iptables, and bpf is wanted",
        "nodes in mixed modes drop each other's packets: k8s-ctr native, k8s-w1 tunnel (vxlan)",
    ]


@pytest.mark.parametrize(
    ("devices", "found", "fits"),
    [
        ("eth1", ["eth1"], True),
        ("eth1", ["eth0", "eth1"], False),
        ("eth1 enp2s0", ["enp2s0"], True),
        ("eth+", ["eth1", "eth2"], True),
        (["eth+", "!eth0"], ["eth0", "eth1"], False),
        ("!eth0", ["enp1s0"], True),
        ("", ["eth0"], True),
        (["eth1"], [], False),
    ],
)
def test_devices(devices: object, found: list[str], fits: bool) -> None:
    host = Host({"Agent": {**_AGENT, "devices": found}})
    commands = run("cilium.running", host, {"values": {"routingMode": "native", "devices": devices}})
    assert [type(command) for command in commands] == ([] if fits else [Until])
