"""What agent and operator die of, and what they make of cilium-config."""

from __future__ import annotations

import pytest
from cilium.configuration import Configuration, Fatal, check_agent, check_operator

NATIVE = {
    "routing-mode": "native",
    "tunnel-protocol": "vxlan",
    "auto-direct-node-routes": "true",
    "ipv4-native-routing-cidr": "172.20.0.0/16",
    "kube-proxy-replacement": "true",
    "enable-ipv4-masquerade": "true",
    "enable-bpf-masquerade": "true",
    "install-no-conntrack-iptables-rules": "true",
    "ipam": "cluster-pool",
    "cluster-pool-ipv4-cidr": "172.20.0.0/16",
    "cluster-pool-ipv4-mask-size": "24",
}
VXLAN = {
    **NATIVE,
    "routing-mode": "tunnel",
    "auto-direct-node-routes": "false",
    "install-no-conntrack-iptables-rules": "false",
}


@pytest.mark.parametrize(
    "data",
    [
        NATIVE,
        VXLAN,
        {},
        {**VXLAN, "tunnel-protocol": "geneve", "bpf-lb-mode": "dsr"},
        {**NATIVE, "direct-routing-skip-unreachable": "true"},
        {**NATIVE, "enable-ipv4-masquerade": "false", "enable-bpf-masquerade": "false"},
        {**VXLAN, "ipv4-native-routing-cidr": ""},
        {**VXLAN, "kube-proxy-replacement": "false", "enable-bpf-masquerade": "false"},
        {**NATIVE, "enable-l2-announcements": "true", "enable-bgp-control-plane": "true"},
    ],
)
def test_the_agent_runs(data: dict[str, str]) -> None:
    check_agent(Configuration(data))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({**VXLAN, "auto-direct-node-routes": "true"}, "cannot be used with tunneling"),
        ({**VXLAN, "install-no-conntrack-iptables-rules": "true"}, "to run in direct routing mode"),
        ({**NATIVE, "kube-proxy-replacement": "false"}, "with kube-proxy-replacement=true"),
        ({**NATIVE, "enable-bpf-masquerade": "false"}, "to run with enable-bpf-masquerade"),
        (
            {**NATIVE, "kube-proxy-replacement": "false", "install-no-conntrack-iptables-rules": "false"},
            "BPF masquerade requires NodePort",
        ),
        (
            {**NATIVE, "auto-direct-node-routes": "false", "direct-routing-skip-unreachable": "true"},
            "direct-routing-skip-unreachable cannot be enabled",
        ),
        ({**NATIVE, "ipv4-native-routing-cidr": ""}, "native routing cidr must be configured"),
        ({**NATIVE, "ipv4-native-routing-cidr": "172.20.0.0/33"}, "Unable to parse CIDR"),
        ({**NATIVE, "routing-mode": "bridge"}, "Invalid routing mode"),
        ({**NATIVE, "tunnel-protocol": "gre"}, "invalid tunnel protocol"),
        ({**VXLAN, "bpf-lb-mode": "dsr"}, "cannot be used with vxlan"),
    ],
)
def test_the_agent_dies_of(data: dict[str, str], said: str) -> None:
    with pytest.raises(Fatal, match=said):
        check_agent(Configuration(data))


@pytest.mark.parametrize(
    ("pools", "mask", "said"),
    [
        ("", "24", "must be provided"),
        ("172.20.0.0/16 172.20.128.0/17", "24", "collides with"),
        ("172.20.0.0", "33", "mask size 33"),
        ("172.20.0.0/x", "24", "invalid CIDR address"),
        ("172.20.0.0/16", "33", "mask size 33"),
        ("172.20.0.0/16", "15", "mask size 15"),
    ],
)
def test_the_operator_dies_of(pools: str, mask: str, said: str) -> None:
    data = {**NATIVE, "cluster-pool-ipv4-cidr": pools, "cluster-pool-ipv4-mask-size": mask}
    with pytest.raises(Fatal, match=said):
        check_operator(Configuration(data))


def test_the_operator_runs() -> None:
    check_operator(Configuration({**NATIVE, "cluster-pool-ipv4-cidr": "172.20.0.0/16 172.21.0.0/16"}))


def test_mtu_is_smaller_in_a_tunnel() -> None:
    assert Configuration(NATIVE).route_mtu == 1500
    assert Configuration(VXLAN).route_mtu == 1450
    assert Configuration({**VXLAN, "mtu": "9000"}).route_mtu == 8950


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        ("", ["eth0", "eth1", "eth2"]),
        ("eth1", ["eth1"]),
        ("eth+", ["eth0", "eth1", "eth2"]),
        ("eth+ !eth0", ["eth1", "eth2"]),
        ("!eth0", ["eth1", "eth2"]),
        ("enp1", []),
    ],
)
def test_devices(asked: str, expected: list[str]) -> None:
    present = ["lo", "eth0", "eth1", "eth2", "cilium_host", "lxc12345"]
    assert Configuration({"devices": asked}).devices(present) == expected


@pytest.mark.parametrize(
    ("version", "leaves"),
    [("1.17.9", False), ("1.18.0", True), ("1.18.2", True), ("1.18.3", False), ("1.19.0", False)],
)
def test_which_releases_leave_routes(version: str, leaves: bool) -> None:
    assert Configuration(NATIVE, version).leaves_stale_routes is leaves


def test_durations() -> None:
    data = {"l2-announcements-lease-duration": "1m30s", "l2-announcements-retry-period": "500ms"}
    config = Configuration(data)
    assert config.seconds("l2-announcements-lease-duration", 15) == 90
    assert config.seconds("l2-announcements-retry-period", 2) == 0.5
    assert config.seconds("l2-announcements-renew-deadline", 5) == 5
