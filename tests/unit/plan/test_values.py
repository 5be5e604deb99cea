"""Cilium's values: pinned for the reference lab, and what must hold for labs of other shapes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ciliumlab.plan import build
from ciliumlab.plan.cilium.computed import computed, merged, needed_qps, values
from ciliumlab.topology import load

from .lab import SHAPES, flat, plan, settings, topology

# lab.md's section 6, and what makes it work on two segments and through upgrades.
NATIVE = """
k8sServiceHost: 192.168.10.100
k8sServicePort: 6443
ipam:
  mode: cluster-pool
  operator: {clusterPoolIPv4PodCIDRList: [172.20.0.0/16], clusterPoolIPv4MaskSize: 24}
ipv4NativeRoutingCIDR: 172.20.0.0/16
routingMode: native
autoDirectNodeRoutes: true
directRoutingSkipUnreachable: true
installNoConntrackIptablesRules: true
devices: [eth1]
kubeProxyReplacement: true
bpf: {masquerade: true}
endpointHealthChecking: {enabled: false}
healthChecking: false
hubble:
  enabled: true
  relay: {enabled: true}
  ui: {enabled: true, service: {type: NodePort, nodePort: 30003}}
  metrics:
    enabled:
      - dns
      - drop
      - tcp
      - flow
      - port-distribution
      - icmp
      - "httpV2:exemplars=true;labelsContext=source_ip,source_namespace,source_workload,\\
        destination_ip,destination_namespace,destination_workload,traffic_direction"
    enableOpenMetrics: true
prometheus: {enabled: true}
operator: {replicas: 1, prometheus: {enabled: true}, rollOutPods: true}
debug: {enabled: true}
rollOutCiliumPods: true
upgradeCompatibility: "1.18"
"""


def switched(before: dict[str, Any], **after: Any) -> dict[str, tuple[Any, Any]]:
    """The values that differ between two plans of the reference lab, (before, after) by path."""
    old, new = (flat(plan(**changed)["helm_values"]) for changed in (before, after))
    paths = [*old, *(path for path in new if path not in old)]
    return {path: (old.get(path), new.get(path)) for path in paths if old.get(path) != new.get(path)}


class TestReferenceLab:
    def test_native(self) -> None:
        assert plan()["helm_values"] == yaml.safe_load(NATIVE)

    def test_native_to_vxlan(self) -> None:
        assert switched({}, datapath="vxlan") == {
            "routingMode": ("native", "tunnel"),
            "tunnelProtocol": (None, "vxlan"),
            "autoDirectNodeRoutes": (True, False),
            "directRoutingSkipUnreachable": (True, None),
            "installNoConntrackIptablesRules": (True, False),
        }

    def test_vxlan_to_geneve(self) -> None:
        assert switched({"datapath": "vxlan"}, datapath="geneve") == {"tunnelProtocol": ("vxlan", "geneve")}

    @pytest.mark.parametrize("datapath", ["native", "vxlan", "geneve"])
    def test_l2_announcements(self, datapath: str) -> None:
        changed = switched({"datapath": datapath}, datapath=datapath, l2_announcements=True)
        assert changed == {
            "l2announcements.enabled": (None, True),
            # Five addresses, renewed every five seconds, and ten requests a second for all else.
            "k8sClientRateLimit.qps": (None, 11),
            "k8sClientRateLimit.burst": (None, 22),
        }

    def test_bgp(self) -> None:
        assert switched({}, pod_routes="bgp") == {"bgpControlPlane.enabled": (None, True)}

    def test_static_routes_are_the_router_s_alone(self) -> None:
        assert switched({}, pod_routes="static") == {}

    def test_without_hubble_s_page(self) -> None:
        assert switched({}, hubble_ui=False) == {
            "hubble.ui.enabled": (True, False),
            "hubble.ui.service.type": ("NodePort", None),
            "hubble.ui.service.nodePort": (30003, None),
        }

    def test_another_minor_is_another_first_one(self) -> None:
        assert switched({}, cilium_version="1.19.6") == {"upgradeCompatibility": ("1.18", "1.19")}


class TestShapes:
    @pytest.mark.parametrize("path", SHAPES, ids=lambda path: path.stem)
    @pytest.mark.parametrize("datapath", ["native", "vxlan", "geneve"])
    def test_any_lab_has_values_that_can_be(self, path: Path, datapath: str) -> None:
        lab = load(path)
        built = build(lab, settings(datapath=datapath, l2_announcements=True, pod_routes="bgp"))
        found = built["helm_values"]
        segments = {node.interfaces[0].segment.name for node in lab.nodes}
        skipped = datapath == "native" and len(segments) > 1
        assert found.get("directRoutingSkipUnreachable", False) is skipped
        assert found["ipam"]["operator"]["clusterPoolIPv4PodCIDRList"] == [str(lab.kubernetes.pod_cidr)]
        assert set(found["devices"]) == {node.interfaces[0].name for node in lab.nodes}
        assert "eth0" not in found["devices"]

    def test_one_segment_has_no_unreachable_node(self) -> None:
        assert "directRoutingSkipUnreachable" not in plan("one-segment")["helm_values"]

    def test_several_control_planes_are_reached_through_the_router(self) -> None:
        found = plan("three-control-planes")["helm_values"]
        assert (found["k8sServiceHost"], found["k8sServicePort"]) == ("192.168.10.200", 6443)

    def test_devices_are_the_nodes_own(self) -> None:
        assert plan("direct-machines")["helm_values"]["devices"] == ["ens19", "eth1"]

    def test_the_more_addresses_the_more_requests(self) -> None:
        # 54 + 99 + 1 addresses.
        limit = plan("pools-on-two-segments", l2_announcements=True)["helm_values"]["k8sClientRateLimit"]
        assert limit == {"qps": 41, "burst": 82}

    def test_documented_example_of_the_rate(self) -> None:
        """Cilium's documentation, "Sizing client rate limit": 65 services within 2 seconds take 32.5."""
        assert needed_qps(65, 2) - needed_qps(0) == 33


class TestExtraValues:
    def test_are_merged_last_and_deep(self) -> None:
        extra = {"hubble": {"relay": {"replicas": 2}}, "MTU": 1400, "devices": ["eth1", "eth2"]}
        found = plan(cilium_extra_values=extra)["helm_values"]
        assert found["hubble"]["relay"] == {"enabled": True, "replicas": 2}
        assert found["hubble"]["enabled"] is True
        assert (found["MTU"], found["devices"]) == (1400, ["eth1", "eth2"])

    def test_may_change_what_was_computed(self) -> None:
        extra = {
            "routingMode": "tunnel",
            "autoDirectNodeRoutes": False,
            "directRoutingSkipUnreachable": False,
            "installNoConntrackIptablesRules": False,
        }
        assert plan(cilium_extra_values=extra)["helm_values"]["routingMode"] == "tunnel"

    def test_leave_what_they_are_merged_into_as_it_was(self) -> None:
        lab, chosen = topology(), settings(cilium_extra_values={"bpf": {"masquerade": None}})
        before = computed(lab, chosen)
        assert values(lab, chosen)["bpf"] == {"masquerade": None}
        assert computed(lab, chosen) == before

    def test_a_mapping_takes_the_place_of_a_plain_value_and_the_other_way_round(self) -> None:
        assert merged({"a": 1, "b": {"c": 1}}, {"a": {"d": 2}, "b": None}) == {"a": {"d": 2}, "b": None}
