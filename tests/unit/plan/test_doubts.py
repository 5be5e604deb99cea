"""What is told and stops nothing."""

from __future__ import annotations

import json
from typing import Any

import pytest
from click.testing import CliRunner

from ciliumlab.cli import main
from ciliumlab.plan import doubts

from .lab import REFERENCE, SHAPES, plan, settings, topology

EXTRA = "cilium_extra_values: "


def told(shape: str = "", **changed: Any) -> list[str]:
    assert plan(shape, **changed)
    return [str(problem) for problem in doubts(topology(shape), settings(**changed))]


@pytest.mark.parametrize("datapath", ["native", "vxlan", "geneve"])
@pytest.mark.parametrize("l2_announcements", [False, True])
def test_nothing_is_said_of_the_reference_lab(datapath: str, l2_announcements: bool) -> None:
    assert told(datapath=datapath, l2_announcements=l2_announcements, workloads=True) == []


@pytest.mark.parametrize("pod_routes", ["none", "static", "bgp"])
def test_nor_of_routes_in_native_mode(pod_routes: str) -> None:
    assert told(pod_routes=pod_routes, bgp_load_balancer_ips=pod_routes == "bgp") == []


@pytest.mark.parametrize("shape", [path.stem for path in SHAPES])
def test_nor_of_any_lab_as_it_comes(shape: str) -> None:
    assert told(shape) == []


class TestRefusedNowhere:
    """cilium.md's list, in its order."""

    def test_announcements_beside_kube_proxy(self) -> None:
        extra = {"kubeProxyReplacement": False, "bpf": {"masquerade": False}}
        assert told(datapath="vxlan", l2_announcements=True, cilium_extra_values=extra) == [
            f"{EXTRA}kubeProxyReplacement: nobody answers where kube-proxy is not replaced, and nobody"
            " says so; set it to true"
        ]

    @pytest.mark.parametrize(
        ("lease", "lines"),
        [
            ({"leaseDuration": "3s", "leaseRenewDeadline": "1s", "leaseRetryPeriod": "200ms"}, []),
            ({"leaseDuration": "1m30s", "leaseRenewDeadline": "1m"}, []),
            (
                {"leaseDuration": "900ms", "leaseRenewDeadline": "500ms", "leaseRetryPeriod": "100ms"},
                ["leaseDuration: is below one second, and the agent takes one second instead"],
            ),
            (
                {"leaseRenewDeadline": "15s"},
                ["leaseRenewDeadline: is not shorter than leaseDuration, and the agent shortens it; give a"
                 " shorter one"],
            ),
            (
                {"leaseRetryPeriod": "5s"},
                ["leaseRetryPeriod: is not shorter than leaseRenewDeadline, and the agent shortens it; give a"
                 " shorter one"],
            ),
        ],
    )  # fmt: skip
    def test_lease_timings(self, lease: dict[str, str], lines: list[str]) -> None:
        found = told(l2_announcements=True, cilium_extra_values={"l2announcements": lease})
        assert found == [f"{EXTRA}l2announcements.{line}" for line in lines]

    def test_too_few_requests_for_the_services(self) -> None:
        """Of 154 addresses each is renewed within five seconds: 31 requests a second."""
        extra = {"k8sClientRateLimit": {"qps": 30}}
        assert told("pools-on-two-segments", l2_announcements=True, cilium_extra_values=extra)[1:] == [
            f"{EXTRA}k8sClientRateLimit.qps: 30 requests a second are too few to renew 154 leases, which"
            " takes 31; leave it out, or raise it"
        ]


@pytest.mark.parametrize(
    ("shape", "changed", "line"),
    [
        (
            "",
            {"datapath": "vxlan", "pod_routes": "static"},
            "pod_routes: static changes nothing between pods, which reach those of other nodes through the"
            " tunnel; set it to none, or datapath to native",
        ),
        (
            "",
            {"bgp_load_balancer_ips": True},
            "bgp_load_balancer_ips: has no effect with pod_routes none; set that to bgp, or this to false",
        ),
        (
            "",
            {"pod_routes": "bgp", "cilium_extra_values": {"bgpControlPlane": {"enabled": False}}},
            f"{EXTRA}bgpControlPlane.enabled: without it nothing is announced to the router; leave it out",
        ),
        (
            "",
            {"l2_announcements": True, "cilium_extra_values": {"l2announcements": {"enabled": False}}},
            f"{EXTRA}l2announcements.enabled: without it no agent answers for any address; leave it out",
        ),
        (
            "no-pools",
            {"l2_announcements": True},
            "l2_announcements: there is no address to announce; add a pool to load_balancer in lab.yaml",
        ),
        (
            "no-pools",
            {"workloads": True},
            "workloads: without a pool in lab.yaml, their services have no address outside of the cluster",
        ),
        (
            "pools-on-two-segments",
            {"l2_announcements": True},
            "l2_announcements: no node stands on net20 to answer for the pools there; add one, or move them",
        ),
        (
            "",
            {
                "cilium_extra_values": {
                    "ipam": {"operator": {"clusterPoolIPv4PodCIDRList": ["172.21.0.0/16"]}}
                }
            },
            f"{EXTRA}ipam.operator.clusterPoolIPv4PodCIDRList: 172.21.0.0/16 comes before lab.yaml's"
            " 172.20.0.0/16, which nodes have routes for; add pools behind it only",
        ),
        (
            "",
            {"cilium_extra_values": {"ipam": {"operator": {"clusterPoolIPv4MaskSize": 25}}}},
            f"{EXTRA}ipam.operator.clusterPoolIPv4MaskSize: differs from lab.yaml's pod_cidr_mask_size,"
            " 24; leave it out, and change it there",
        ),
        (
            "",
            {"cilium_extra_values": {"ipam": {"mode": "kubernetes"}}},
            f"{EXTRA}ipam.mode: shares of pod addresses then do not come from lab.yaml's pod CIDR by"
            " itself; leave it out",
        ),
        (
            "",
            {"datapath": "vxlan", "cilium_extra_values": {"tunnelProtocol": "geneve"}},
            f"{EXTRA}routingMode: the agents would run geneve, while kernel modules and checks follow"
            " datapath (vxlan); set datapath instead",
        ),
        (
            "",
            {"cilium_extra_values": {"agent": False}},
            f"{EXTRA}agent: without the agents nothing works; leave it out",
        ),
        (
            "",
            {"cilium_extra_values": {"operator": {"enabled": False}}},
            f"{EXTRA}operator.enabled: without the operator nothing works; leave it out",
        ),
        (
            "",
            {"cilium_extra_values": {"preflight": {"enabled": True}}},
            f"{EXTRA}preflight.enabled: is for a release of its own, before an upgrade; leave it out",
        ),
        (
            "",
            {"kubernetes_version": "1.34.1"},
            "kubernetes_version: 1.34.1: Cilium 1.18.0 is tested with Kubernetes 1.30 to 1.33; it may"
            " work nevertheless",
        ),
    ],
)
def test_what_only_misleads(shape: str, changed: dict[str, Any], line: str) -> None:
    assert told(shape, **changed) == [line]


class TestCommand:
    """``ciliumlab plan``: doubts beside the plan, refusals instead of it."""

    def run(self, *data: str) -> tuple[int, str, str]:
        arguments = [part for override in data for part in ("--data", override)]
        result = CliRunner().invoke(main, ["plan", "--topology", str(REFERENCE), "--json", *arguments])
        return result.exit_code, result.stdout, result.stderr

    def test_a_doubt_is_on_stderr(self) -> None:
        status, output, errors = self.run("datapath=geneve", "pod_routes=static")
        assert status == 0
        assert "k8s-ctr" in json.loads(output)["hosts"]
        assert errors.startswith("pod_routes: static changes nothing between pods, ")

    def test_a_refusal_is_all_there_is(self) -> None:
        status, output, errors = self.run('cilium_extra_values={"routingModee": "native", "devices": "eth0"}')
        assert (status, output) == (2, "")
        assert errors.splitlines() == [
            f"{EXTRA}routingModee: is no key of Cilium's chart 1.18, which would not look at it; did you"
            " mean routingMode?",
            f"{EXTRA}devices: eth0 is the NAT side, whose address is every machine's; leave it out",
            f"{EXTRA}devices: lacks eth1, where nodes stand in the lab; leave it out, then it is in it",
        ]

    def test_nothing_is_said_without_a_doubt(self) -> None:
        assert self.run()[2] == ""
