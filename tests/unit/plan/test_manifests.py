"""The Kubernetes objects: pinned for the reference lab, and valid for their definitions in any lab."""

from __future__ import annotations

import copy
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from ciliumlab.plan import build
from ciliumlab.topology import load

from . import crd
from .lab import SHAPES, facts, plan, settings

ALL: dict[str, Any] = {
    "l2_announcements": True,
    "pod_routes": "bgp",
    "bgp_load_balancer_ips": True,
    "workloads": True,
}

REFERENCE = """
apiVersion: cilium.io/v2
kind: CiliumLoadBalancerIPPool
metadata:
  name: cilium-lb-ippool
  labels: {app.kubernetes.io/managed-by: ciliumlab, ciliumlab.io/part: load-balancer}
spec: {blocks: [{start: 192.168.10.211, stop: 192.168.10.215}]}
---
apiVersion: cilium.io/v2alpha1
kind: CiliumL2AnnouncementPolicy
metadata:
  name: net10
  labels: {app.kubernetes.io/managed-by: ciliumlab, ciliumlab.io/part: load-balancer}
spec:
  nodeSelector:
    matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [k8s-ctr, k8s-w1]}]
  interfaces: [^eth1$]
  externalIPs: true
  loadBalancerIPs: true
---
apiVersion: cilium.io/v2
kind: CiliumBGPClusterConfig
metadata:
  name: net10
  labels: {app.kubernetes.io/managed-by: ciliumlab, ciliumlab.io/part: bgp}
spec:
  nodeSelector:
    matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [k8s-ctr, k8s-w1]}]
  bgpInstances:
    - name: lab
      localASN: 65001
      peers: [{name: router, peerASN: 65000, peerAddress: 192.168.10.200, peerConfigRef: {name: router}}]
---
apiVersion: cilium.io/v2
kind: CiliumBGPClusterConfig
metadata:
  name: net20
  labels: {app.kubernetes.io/managed-by: ciliumlab, ciliumlab.io/part: bgp}
spec:
  nodeSelector:
    matchExpressions: [{key: kubernetes.io/hostname, operator: In, values: [k8s-w0]}]
  bgpInstances:
    - name: lab
      localASN: 65001
      peers: [{name: router, peerASN: 65000, peerAddress: 192.168.20.200, peerConfigRef: {name: router}}]
---
apiVersion: cilium.io/v2
kind: CiliumBGPPeerConfig
metadata:
  name: router
  labels: {app.kubernetes.io/managed-by: ciliumlab, ciliumlab.io/part: bgp}
spec:
  timers: {connectRetryTimeSeconds: 5, keepAliveTimeSeconds: 3, holdTimeSeconds: 9}
  gracefulRestart: {enabled: true, restartTimeSeconds: 120}
  families:
    - afi: ipv4
      safi: unicast
      advertisements:
        matchLabels: {app.kubernetes.io/managed-by: ciliumlab, ciliumlab.io/part: bgp}
---
apiVersion: cilium.io/v2
kind: CiliumBGPAdvertisement
metadata:
  name: pods
  labels: {app.kubernetes.io/managed-by: ciliumlab, ciliumlab.io/part: bgp}
spec: {advertisements: [{advertisementType: PodCIDR}]}
---
apiVersion: cilium.io/v2
kind: CiliumBGPAdvertisement
metadata:
  name: load-balancer
  labels: {app.kubernetes.io/managed-by: ciliumlab, ciliumlab.io/part: bgp}
spec:
  advertisements:
    - advertisementType: Service
      service: {addresses: [LoadBalancerIP]}
      selector: {matchExpressions: [{key: ciliumlab.io/announced, operator: NotIn, values: ["false"]}]}
"""


def named(objects: list[dict[str, Any]], kind: str, name: str) -> dict[str, Any]:
    (found,) = [made for made in objects if made["kind"] == kind and made["metadata"]["name"] == name]
    return found


def kinds(objects: list[dict[str, Any]]) -> list[str]:
    return [f"{made['kind']} {made['metadata']['name']}" for made in objects]


@pytest.fixture(scope="module")
def everything() -> list[dict[str, Any]]:
    return plan(**ALL)["manifests"]


@pytest.fixture(scope="module")
def workloads() -> list[dict[str, Any]]:
    return plan(workloads=True)["manifests"]


class TestReferenceLab:
    def test_cilium_s_own_objects(self, everything: list[dict[str, Any]]) -> None:
        own = [made for made in everything if made["apiVersion"].startswith("cilium.io/")]
        assert own == list(yaml.safe_load_all(REFERENCE))

    def test_only_what_is_wanted(self) -> None:
        assert kinds(plan()["manifests"]) == ["CiliumLoadBalancerIPPool cilium-lb-ippool"]
        assert kinds(plan(l2_announcements=True)["manifests"])[1:] == ["CiliumL2AnnouncementPolicy net10"]
        assert kinds(plan(pod_routes="bgp")["manifests"])[1:] == [
            "CiliumBGPClusterConfig net10",
            "CiliumBGPClusterConfig net20",
            "CiliumBGPPeerConfig router",
            "CiliumBGPAdvertisement pods",
        ]

    def test_the_numbers_of_the_autonomous_systems_are_a_setting(self) -> None:
        objects = plan(pod_routes="bgp", bgp_asns={"router": 64512, "nodes": 4200000000})["manifests"]
        (instance,) = named(objects, "CiliumBGPClusterConfig", "net20")["spec"]["bgpInstances"]
        assert (instance["localASN"], instance["peers"][0]["peerASN"]) == (4200000000, 64512)

    @pytest.mark.parametrize("kind", ["CiliumLoadBalancerIPPool", "CiliumBGPPeerConfig"])
    def test_the_minor_before_has_other_versions(self, kind: str) -> None:
        objects = plan(cilium_version="1.17.9", **ALL)["manifests"]
        assert {made["apiVersion"] for made in objects if made["kind"] == kind} == {"cilium.io/v2alpha1"}


class TestWorkloads:
    def test_which(self, workloads: list[dict[str, Any]]) -> None:
        assert kinds(workloads)[1:] == [
            "Deployment webpod",
            "Service webpod",
            "Pod curl-pod",
            "Deployment netshoot-web",
            "Service netshoot-web",
            "Service netshoot-web2",
        ]
        assert {made["metadata"]["namespace"] for made in workloads[1:]} == {"default"}

    def test_webpod_is_one_a_node_by_its_own_label(self, workloads: list[dict[str, Any]]) -> None:
        spec = named(workloads, "Deployment", "webpod")["spec"]
        (term,) = spec["template"]["spec"]["affinity"]["podAntiAffinity"][
            "requiredDuringSchedulingIgnoredDuringExecution"
        ]
        assert term == {
            "labelSelector": {"matchLabels": {"app": "webpod"}},
            "topologyKey": "kubernetes.io/hostname",
        }
        assert spec["replicas"] == 3
        assert spec["template"]["metadata"]["labels"] == {"app": "webpod"}
        # With a pod on every node there is no room for one more beside them.
        assert spec["strategy"]["rollingUpdate"] == {"maxSurge": 0, "maxUnavailable": 1}

    def test_webpod_s_pods_are_no_more_than_nodes_that_take_them(self) -> None:
        def replicas(shape: str, **changed: Any) -> int:
            objects = plan(shape, workloads=True, **changed)["manifests"]
            found: int = named(objects, "Deployment", "webpod")["spec"]["replicas"]
            return found

        assert replicas("one-node") == 1
        assert replicas("", schedule_on_control_plane=False) == 2
        assert replicas("twenty-workers") == 3
        assert replicas("three-control-planes", schedule_on_control_plane=False) == 1

    def test_curl_pod_is_on_the_first_control_plane_node(self, workloads: list[dict[str, Any]]) -> None:
        spec = named(workloads, "Pod", "curl-pod")["spec"]
        assert (spec["nodeName"], spec["terminationGracePeriodSeconds"]) == ("k8s-ctr", 0)
        assert spec["containers"][0]["command"] == ["sleep", "infinity"]

    def test_two_services_share_the_last_address(self, workloads: list[dict[str, Any]]) -> None:
        one, two = (named(workloads, "Service", name) for name in ("netshoot-web", "netshoot-web2"))
        for service in (one, two):
            assert service["metadata"]["annotations"] == {
                "lbipam.cilium.io/ips": "192.168.10.215",
                "lbipam.cilium.io/sharing-key": "1234",
            }
            assert service["spec"]["selector"] == {"app": "netshoot-web"}
            assert service["spec"]["type"] == "LoadBalancer"
        assert [(port["port"], port["targetPort"]) for port in one["spec"]["ports"]] == [(80, 8080)]
        assert [(port["port"], port["targetPort"]) for port in two["spec"]["ports"]] == [(8080, 8080)]

    def test_webpod_takes_any_address(self, workloads: list[dict[str, Any]]) -> None:
        service = named(workloads, "Service", "webpod")
        assert service["spec"]["type"] == "LoadBalancer"
        assert "annotations" not in service["metadata"]

    def test_without_pools_services_are_the_cluster_s_own(self) -> None:
        objects = plan("no-pools", workloads=True)["manifests"]
        services = [made for made in objects if made["kind"] == "Service"]
        assert {made["spec"]["type"] for made in services} == {"ClusterIP"}
        assert not any("annotations" in made["metadata"] for made in services)

    def test_images_are_pinned_by_their_published_digests(self, workloads: list[dict[str, Any]]) -> None:
        images = set(re.findall(r"'image': '([^']+)'", str(workloads)))
        assert {image.partition("@")[0] for image in images} == {
            "docker.io/traefik/whoami:v1.11.0",
            "docker.io/nicolaka/netshoot:v0.13",
        }
        assert all(re.search("@sha256:[0-9a-f]{64}$", image) for image in images)

    def test_an_image_without_a_digest_is_taken_by_its_tag(self) -> None:
        images = {
            "whoami": "docker.io/traefik/whoami:v1.12.0",
            "netshoot": "docker.io/nicolaka/netshoot:v0.13",
        }
        objects = plan(workloads=True, workload_images=images)["manifests"]
        (container,) = named(objects, "Deployment", "webpod")["spec"]["template"]["spec"]["containers"]
        assert container["image"] == "docker.io/traefik/whoami:v1.12.0"

    def test_netshoot_answers_with_its_pod_s_name(self, workloads: list[dict[str, Any]]) -> None:
        """The container's own script, with nc's place taken by a file."""
        spec = named(workloads, "Deployment", "netshoot-web")["spec"]["template"]["spec"]
        shell, option, script = spec["containers"][0]["command"]
        assert (shell, option) == ("sh", "-c")
        assert "nc -l" in script
        once = script.replace('nc -l -p "$PORT" -q 1 > /dev/null', "cat; exit")
        ran = subprocess.run(
            ["sh", "-c", once],
            env={"POD_NAME": "netshoot-web-1", "PORT": "8080", "PATH": "/usr/bin:/bin"},
            capture_output=True,
            check=True,
        )
        head, body = ran.stdout.split(b"\r\n\r\n")
        assert body == b"OK from netshoot-web-1\n"
        assert head.startswith(b"HTTP/1.1 200 OK\r\n")
        assert f"Content-Length: {len(body)}".encode() in head


class TestSegments:
    def test_with_pools_on_several_segments_a_label_says_which(self) -> None:
        objects = plan("pools-on-two-segments", **ALL)["manifests"]
        selectors = {
            made["metadata"]["name"]: made["spec"]["serviceSelector"]["matchLabels"]
            for made in objects
            if made["kind"] in ("CiliumLoadBalancerIPPool", "CiliumL2AnnouncementPolicy")
        }
        assert selectors == {
            "net20.first": {"ciliumlab.io/segment": "net20"},
            "net10.first": {"ciliumlab.io/segment": "net10"},
            "net10.second": {"ciliumlab.io/segment": "net10"},
            "net10": {"ciliumlab.io/segment": "net10"},
        }
        service = named(objects, "Service", "netshoot-web")["metadata"]
        assert service["labels"]["ciliumlab.io/segment"] == "net20"
        assert service["annotations"]["lbipam.cilium.io/ips"] == "192.168.20.254"

    def test_a_segment_without_nodes_has_no_policy_and_no_neighbours(self) -> None:
        objects = plan("pools-on-two-segments", **ALL)["manifests"]
        assert "CiliumL2AnnouncementPolicy net20" not in kinds(objects)
        assert "CiliumBGPClusterConfig net20" not in kinds(objects)

    def test_interfaces_are_the_nodes_own(self, tmp_path: Path) -> None:
        lab = (SHAPES[0].parent / "direct-machines.yaml").read_text()
        path = tmp_path / "lab.yaml"
        path.write_text(
            f"{lab}load_balancer: {{pools: {{a: {{start: 192.168.10.9, stop: 192.168.10.9}}}}}}\n"
        )
        objects = build(load(path), settings(l2_announcements=True))["manifests"]
        policy = named(objects, "CiliumL2AnnouncementPolicy", "net10")
        assert policy["spec"]["interfaces"] == ["^ens19$", "^eth1$"]

    def test_names_that_kubernetes_refuses_give_way_to_the_network(self, tmp_path: Path) -> None:
        lab = (SHAPES[0].parent / "one-segment.yaml").read_text()
        path = tmp_path / "lab.yaml"
        path.write_text(re.sub(r"\bnet10\b", "Net_10", lab))
        objects = build(load(path), settings(pod_routes="bgp"))["manifests"]
        assert "CiliumBGPClusterConfig segment-192-168-10-0-24" in kinds(objects)


@pytest.mark.parametrize("path", SHAPES, ids=lambda path: path.stem)
def test_every_object_is_valid_for_its_definition(path: Path) -> None:
    known = crd.schemas(facts("crds"))
    objects = build(load(path), settings(**ALL))["manifests"]
    checked = 0
    for made in objects:
        if made["apiVersion"].startswith("cilium.io/"):
            schema = known[made["apiVersion"], made["kind"]]
            assert list(crd.wrong(made, schema)) == []
            checked += 1
        labels = made["metadata"]["labels"]
        assert labels["app.kubernetes.io/managed-by"] == "ciliumlab"
        assert labels["ciliumlab.io/part"] in ("load-balancer", "bgp", "workloads")
    assert checked >= 4


@pytest.mark.parametrize(
    ("kind", "path", "value", "line"),
    [
        ("CiliumLoadBalancerIPPool", ["spec", "block"], [], ".spec.block: is no field"),
        ("CiliumLoadBalancerIPPool", ["spec", "disabled"], "no", ".spec.disabled: is no boolean: 'no'"),
        ("CiliumL2AnnouncementPolicy", ["spec", "nodeSelector", "matchExpressions", 0, "operator"], "is",
         ".spec.nodeSelector.matchExpressions[0].operator: is none of"),
        ("CiliumBGPClusterConfig", ["spec", "bgpInstances"], [],
         ".spec.bgpInstances: has fewer items than 1"),
        ("CiliumBGPClusterConfig", ["spec", "bgpInstances", 0, "localASN"], 0,
         ".spec.bgpInstances[0].localASN: is below 1: 0"),
        ("CiliumBGPClusterConfig", ["spec", "bgpInstances", 0, "peers", 0, "peerAddress"], "router",
         ".spec.bgpInstances[0].peers[0].peerAddress: does not match"),
        ("CiliumBGPPeerConfig", ["spec", "timers", "holdTimeSeconds"], 2,
         ".spec.timers.holdTimeSeconds: is below 3: 2"),
        ("CiliumBGPPeerConfig", ["spec", "families", 0, "safi"], "any", ".spec.families[0].safi: is none of"),
        ("CiliumBGPAdvertisement", ["spec", "advertisements", 0, "selector"], {},
         ".spec.advertisements[0]: selector field is not allowed"),
    ],
)  # fmt: skip
def test_the_definitions_refuse_what_is_wrong(
    everything: list[dict[str, Any]], kind: str, path: list[Any], value: Any, line: str
) -> None:
    made = copy.deepcopy(next(made for made in everything if made["kind"] == kind))
    *above, last = path
    found: Any = made
    for key in above:
        found = found[key]
    found[last] = value
    lines = list(crd.wrong(made, crd.schemas(facts("crds"))[made["apiVersion"], kind]))
    assert any(told.startswith(line) for told in lines), lines
