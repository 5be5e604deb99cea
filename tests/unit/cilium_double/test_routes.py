"""Routes and rules as functions."""

from __future__ import annotations

from ipaddress import IPv4Interface

import pytest
from cilium import ipam
from cilium.configuration import Configuration
from cilium.routes import Node, Route, missing, stale, wanted

from .test_configuration import NATIVE, VXLAN

ME = Node("k8s-ctr", "192.168.10.100", ("172.20.0.0/24",), "172.20.0.254")
W1 = Node("k8s-w1", "192.168.10.101", ("172.20.1.0/24",), "172.20.1.254")
W0 = Node("k8s-w0", "192.168.20.100", ("172.20.2.0/24",), "172.20.2.254")
DEVICES = {"eth1": [IPv4Interface("192.168.10.100/24")]}
OWN = [
    Route("172.20.0.254", "cilium_host"),
    Route("172.20.0.0/24", "cilium_host", "172.20.0.254", "172.20.0.254"),
]


def test_native() -> None:
    routes, unreachable = wanted(Configuration(NATIVE), ME, [ME, W1, W0], DEVICES)
    assert routes == [*OWN, Route("172.20.1.0/24", "eth1", "192.168.10.101")]
    assert unreachable == ["k8s-w0"]
    assert routes[2].arguments() == (
        ["172.20.1.0/24", "dev", "eth1", "proto", "kernel", "via", "192.168.10.101"]
    )


def test_native_without_direct_routes() -> None:
    config = Configuration({**NATIVE, "auto-direct-node-routes": "false"})
    assert wanted(config, ME, [W1, W0], DEVICES) == (OWN, [])


def test_tunnel() -> None:
    routes, unreachable = wanted(Configuration(VXLAN), ME, [W0, W1], DEVICES)
    host = ("cilium_host", "172.20.0.254", "172.20.0.254", 1450)
    assert routes == [*OWN, Route("172.20.2.0/24", *host), Route("172.20.1.0/24", *host)]
    assert unreachable == []


def test_a_node_without_addresses_has_no_route() -> None:
    late = Node("late", "", ())
    for data in (NATIVE, VXLAN):
        assert wanted(Configuration(data), ME, [late], DEVICES) == (OWN, [])


PRESENT = [
    {"dst": "default", "gateway": "10.0.2.2", "dev": "eth0", "protocol": "dhcp"},
    {"dst": "192.168.10.0/24", "dev": "eth1", "protocol": "kernel"},
    {"dst": "172.20.0.0/16", "gateway": "192.168.10.200", "dev": "eth1", "protocol": "static"},
    {"dst": "172.20.0.254", "dev": "cilium_host", "protocol": "kernel"},
    {"dst": "172.20.0.0/24", "gateway": "172.20.0.254", "dev": "cilium_host", "protocol": "kernel"},
    {"dst": "172.20.1.0/24", "gateway": "172.20.0.254", "dev": "cilium_host", "protocol": "kernel"},
    {"dst": "172.20.2.0/24", "gateway": "172.20.0.254", "dev": "cilium_host", "protocol": "kernel"},
    {"dst": "172.20.9.0/24", "gateway": "192.168.10.109", "dev": "eth1", "protocol": "kernel"},
]


@pytest.mark.parametrize(
    ("version", "expected"),
    [
        ("1.18.3", ["172.20.1.0/24", "172.20.2.0/24", "172.20.9.0/24"]),
        ("1.18.0", ["172.20.9.0/24"]),
    ],
)
def test_what_is_left_of_a_tunnel(version: str, expected: list[str]) -> None:
    config = Configuration(NATIVE, version)
    routes, _ = wanted(config, ME, [W1, W0], DEVICES)
    assert stale(config, PRESENT, routes) == expected


def test_a_node_that_is_gone_leaves_no_route_in_a_tunnel() -> None:
    config = Configuration(VXLAN, "1.18.0")
    routes, _ = wanted(config, ME, [W1], DEVICES)
    assert stale(config, PRESENT, routes) == ["172.20.2.0/24", "172.20.9.0/24"]


def test_what_somebody_deleted_is_missing() -> None:
    routes, _ = wanted(Configuration(VXLAN), ME, [W1, W0], DEVICES)
    assert not missing(PRESENT, routes)
    assert missing(PRESENT[:-3], routes)


def test_shares_of_the_pools() -> None:
    pools = ["10.0.0.0/23", "10.1.0.0/24"]
    assert ipam.next_share(pools, 24, []) == "10.0.0.0/24"
    assert ipam.next_share(pools, 24, ["10.0.0.0/24"]) == "10.0.1.0/24"
    # A share of an earlier, larger mask is not cut into.
    assert ipam.next_share(pools, 25, ["10.0.0.0/24"]) == "10.0.1.0/25"
    with pytest.raises(ipam.Exhausted):
        ipam.next_share(pools, 24, ["10.0.0.0/23", "10.1.0.0/24"])
