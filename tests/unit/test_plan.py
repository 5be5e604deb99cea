"""The plan: a pinned one for the reference lab, and what must hold for labs of other shapes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from ciliumlab.errors import LabError
from ciliumlab.plan import Plan, build, packages, render
from ciliumlab.settings import Settings
from ciliumlab.topology import load

ROOT = Path(__file__).parents[2]
VALID = Path(__file__).parent / "topologies" / "valid"
SETTINGS = ROOT / "group_data" / "all.py"


def plan(path: Path, *overrides: str) -> Plan:
    return build(load(path), Settings.read(SETTINGS, overrides))


def shape(name: str) -> Plan:
    return plan(VALID / f"{name}.yaml")


def routes(plan: Plan, host: str, interface: str = "eth1") -> list[str]:
    """A host's routes as `ip route` writes them."""
    return [
        f"{route['to']} via {route['via']}"
        for route in plan["hosts"][host]["interfaces"][interface]["routes"]
    ]


@pytest.fixture(scope="module")
def reference() -> Plan:
    return plan(ROOT / "inventory" / "lab.yaml")


class TestReferenceLab:
    """Literal lines of the reference lab: they pin the plan, and nothing is computed here."""

    ROUTER_PACKAGES = "apache2 arping jq net-tools ngrep tcpdump termshark tree vim yq"
    NODE_PACKAGES = (
        "apt-transport-https arping bash-completion bridge-utils ca-certificates conntrack curl gpg ipset jq "
        "kubecolor net-tools ngrep sshpass tcpdump termshark tree unzip vim wireguard yq"
    )

    def test_top_level(self, reference: Plan) -> None:
        assert list(reference) == ["hosts", "etc_hosts", "kubeadm", "helm_values", "manifests"]
        assert list(reference["hosts"]) == ["k8s-ctr", "k8s-w1", "k8s-w0", "router"]
        assert list(reference["kubeadm"]["join"]) == ["k8s-w1", "k8s-w0"]
        assert reference["helm_values"]["routingMode"] == "native"
        assert [made["kind"] for made in reference["manifests"]] == ["CiliumLoadBalancerIPPool"]

    def test_control_plane(self, reference: Plan) -> None:
        assert reference["hosts"]["k8s-ctr"] == {
            "groups": ["control_plane", "nodes", "net10"],
            "interfaces": {
                "eth1": {
                    "addresses": ["192.168.10.100/24"],
                    "routes": [
                        {"to": "10.10.0.0/16", "via": "192.168.10.200"},
                        {"to": "172.20.0.0/16", "via": "192.168.10.200"},
                        {"to": "192.168.20.0/24", "via": "192.168.10.200"},
                    ],
                }
            },
            "sysctls": {"net.ipv4.ip_forward": 1},
            "kernel_modules": ["overlay", "br_netfilter"],
            "packages": self.NODE_PACKAGES.split(),
        }

    def test_worker_on_the_same_segment(self, reference: Plan) -> None:
        host = reference["hosts"]["k8s-w1"]
        assert host["groups"] == ["workers", "nodes", "net10"]
        assert host["interfaces"]["eth1"]["addresses"] == ["192.168.10.101/24"]
        assert routes(reference, "k8s-w1") == routes(reference, "k8s-ctr")

    def test_worker_on_the_other_segment(self, reference: Plan) -> None:
        host = reference["hosts"]["k8s-w0"]
        assert host["groups"] == ["workers", "nodes", "net20"]
        assert host["interfaces"]["eth1"]["addresses"] == ["192.168.20.100/24"]
        assert routes(reference, "k8s-w0") == [
            "10.10.0.0/16 via 192.168.20.200",
            "172.20.0.0/16 via 192.168.20.200",
            "192.168.10.0/24 via 192.168.20.200",
        ]

    def test_router(self, reference: Plan) -> None:
        assert reference["hosts"]["router"] == {
            "groups": ["routers", "net10", "net20"],
            "interfaces": {
                "eth1": {"addresses": ["192.168.10.200/24"], "routes": []},
                "eth2": {"addresses": ["192.168.20.200/24"], "routes": []},
                "loop1": {"addresses": ["10.10.1.200/24"], "routes": [], "dummy": True},
                "loop2": {"addresses": ["10.10.2.200/24"], "routes": [], "dummy": True},
            },
            "sysctls": {"net.ipv4.ip_forward": 1},
            "kernel_modules": [],
            "packages": self.ROUTER_PACKAGES.split(),
        }

    def test_etc_hosts(self, reference: Plan) -> None:
        assert reference["etc_hosts"] == [
            {"address": "192.168.10.100", "name": "k8s-ctr"},
            {"address": "192.168.10.101", "name": "k8s-w1"},
            {"address": "192.168.20.100", "name": "k8s-w0"},
            {"address": "192.168.10.200", "name": "router"},
        ]

    def test_for_people(self, reference: Plan) -> None:
        lines = render(reference).splitlines()
        assert lines[:8] == [
            "k8s-ctr (control_plane, nodes, net10)",
            "  eth1 192.168.10.100/24",
            "    10.10.0.0/16 via 192.168.10.200",
            "    172.20.0.0/16 via 192.168.10.200",
            "    192.168.20.0/24 via 192.168.10.200",
            "  sysctl net.ipv4.ip_forward = 1",
            "  kernel modules overlay br_netfilter",
            f"  packages {self.NODE_PACKAGES}",
        ]
        assert "  loop1 10.10.1.200/24 (dummy)" in lines
        first = lines.index("Cilium (native)")
        assert lines[first - 3 : first] == ["  192.168.20.100 k8s-w0", "  192.168.10.200 router", ""]
        assert lines[first + 1 : first + 3] == ["  k8sServiceHost: 192.168.10.100", "  k8sServicePort: 6443"]
        assert lines[-3:] == ["", "Kubernetes objects", "  CiliumLoadBalancerIPPool cilium-lb-ippool"]


@pytest.mark.parametrize("path", sorted(VALID.glob("*.yaml")), ids=lambda path: path.stem)
class TestEveryShape:
    """What holds for any lab: a route never leads to where the host stands, and always through the router."""

    def test_is_plain_data(self, path: Path) -> None:
        built = plan(path)
        assert json.loads(json.dumps(built)) == built

    def test_nodes_route_to_each_other_segment_through_the_router_on_their_own(self, path: Path) -> None:
        topology = load(path)
        built = build(topology, Settings.read(SETTINGS))
        gateways = {i.segment.name: str(i.address) for i in topology.router.interfaces}
        for node in topology.nodes:
            (interface,) = node.interfaces
            planned = built["hosts"][node.name]["interfaces"][interface.name]["routes"]
            assert {route["via"] for route in planned} == {gateways[interface.segment.name]}
            others = {str(segment.cidr) for segment in topology.segments if segment != interface.segment}
            assert others < {route["to"] for route in planned}
            assert str(interface.segment.cidr) not in {route["to"] for route in planned}

    def test_every_machine_is_planned_and_named(self, path: Path) -> None:
        topology = load(path)
        built = build(topology, Settings.read(SETTINGS))
        names = [machine.name for machine in topology.machines]
        assert list(built["hosts"]) == names
        assert [entry["name"] for entry in built["etc_hosts"]] == names


class TestShapes:
    def test_one_segment_leaves_pods_and_dummies(self) -> None:
        built = shape("one-segment")
        assert routes(built, "w1") == ["10.10.0.0/16 via 192.168.10.200", "172.20.0.0/16 via 192.168.10.200"]
        assert built["hosts"]["router"]["groups"] == ["routers", "net10"]

    def test_one_node_routes_pods_only(self) -> None:
        built = shape("one-node")
        assert routes(built, "ctr") == ["172.20.0.0/16 via 192.168.10.200"]
        assert list(built["hosts"]) == ["ctr", "router"]

    def test_three_segments_are_sorted_by_number(self) -> None:
        built = shape("three-segments")
        assert routes(built, "w2") == [
            "172.20.0.0/16 via 192.168.100.1",
            "192.168.9.0/24 via 192.168.100.1",
            "192.168.10.0/24 via 192.168.100.1",
        ]
        assert routes(built, "ctr") == [
            "172.20.0.0/16 via 192.168.9.1",
            "192.168.10.0/24 via 192.168.9.1",
            "192.168.100.0/24 via 192.168.9.1",
        ]
        assert built["hosts"]["gateway"]["groups"] == ["routers", "net100", "net9", "net10"]
        assert built["etc_hosts"][-1] == {"address": "192.168.100.1", "name": "gateway"}

    def test_twenty_workers_keep_their_order(self) -> None:
        built = shape("twenty-workers")
        assert list(built["hosts"]) == ["ctr", *(f"w{n}" for n in range(1, 21)), "router"]
        assert built["hosts"]["w20"]["interfaces"]["eth1"]["addresses"] == ["192.168.10.120/24"]

    def test_two_control_planes(self) -> None:
        hosts = shape("two-control-planes")["hosts"]
        assert hosts["ctr"]["groups"] == ["control_plane", "nodes", "net10"]
        assert hosts["ctr2"]["groups"] == ["control_plane", "nodes", "net20"]
        assert hosts["w1"]["groups"] == ["workers", "nodes", "net10"]

    def test_three_control_planes(self) -> None:
        hosts = shape("three-control-planes")["hosts"]
        assert [name for name, host in hosts.items() if "control_plane" in host["groups"]] == [
            "ctr1",
            "ctr2",
            "ctr3",
        ]
        assert not any("workers" in host["groups"] for host in hosts.values())

    def test_no_pools(self) -> None:
        assert load(VALID / "no-pools.yaml").pools == ()

    def test_pools_on_two_segments(self) -> None:
        pools = load(VALID / "pools-on-two-segments.yaml").pools
        assert [(pool.name, pool.segment.name) for pool in pools] == [
            ("net20.first", "net20"),
            ("net10.first", "net10"),
            ("net10.second", "net10"),
        ]

    def test_no_dummies(self) -> None:
        built = shape("no-dummies")
        assert routes(built, "ctr") == [
            "172.20.0.0/16 via 192.168.10.200",
            "192.168.20.0/24 via 192.168.10.200",
        ]
        assert list(built["hosts"]["router"]["interfaces"]) == ["eth1", "eth2"]

    def test_dummies_without_a_summary_have_a_route_each(self) -> None:
        built = shape("dummies-without-summary")
        assert routes(built, "ctr") == [
            "10.10.1.1/32 via 192.168.10.200",
            "10.10.2.0/24 via 192.168.10.200",
            "172.20.0.0/16 via 192.168.10.200",
        ]
        assert built["hosts"]["router"]["interfaces"]["loop1"] == {
            "addresses": ["10.10.1.1/32"],
            "routes": [],
            "dummy": True,
        }

    def test_direct_machines(self) -> None:
        built = shape("direct-machines")
        assert routes(built, "ctr", "ens19") == ["172.20.0.0/16 via 192.168.10.200"]
        assert list(built["hosts"]["w1"]["interfaces"]) == ["eth1"]
        assert [
            (m.ssh_host, m.ssh_port, m.ssh_user, m.ssh_key)
            for m in load(VALID / "direct-machines.yaml").machines
        ] == [
            ("192.168.10.100", 22, "ops", "~/.ssh/lab"),
            ("w1.lab.example.org", 2222, "vagrant", None),
            ("192.168.10.200", 22, "vagrant", None),
        ]

    def test_smallest_segments(self) -> None:
        built = shape("smallest-segments")
        assert routes(built, "ctr") == ["172.20.0.0/16 via 192.168.10.1", "192.168.10.4/31 via 192.168.10.1"]
        assert routes(built, "w1") == ["172.20.0.0/16 via 192.168.10.4", "192.168.10.0/30 via 192.168.10.4"]

    def test_aliases_stand_for_what_they_repeat(self) -> None:
        hosts = shape("aliases")["hosts"]
        assert hosts["w1"]["groups"] == hosts["w2"]["groups"] == ["workers", "nodes", "net10"]

    def test_sizes(self) -> None:
        topology = load(VALID / "sizes.yaml")
        assert topology.name == "big-lab"
        assert [(m.cpus, m.memory_mib) for m in topology.machines] == [(4, 8192), (1, 256), (2, 1024)]


class TestDatapath:
    @pytest.mark.parametrize(
        ("datapath", "modules"),
        [
            ("native", ["overlay", "br_netfilter"]),
            ("vxlan", ["overlay", "br_netfilter", "vxlan"]),
            ("geneve", ["overlay", "br_netfilter", "geneve"]),
        ],
    )
    def test_decides_the_modules_of_nodes(self, datapath: str, modules: list[str]) -> None:
        hosts = plan(ROOT / "inventory" / "lab.yaml", f"datapath={datapath}")["hosts"]
        assert hosts["k8s-ctr"]["kernel_modules"] == hosts["k8s-w0"]["kernel_modules"] == modules
        assert hosts["router"]["kernel_modules"] == []


INIT = """
apiVersion: kubeadm.k8s.io/v1beta4
kind: InitConfiguration
bootstrapTokens:
  - {token: null, ttl: 1h0m0s}
localAPIEndpoint: {advertiseAddress: 192.168.10.100, bindPort: 6443}
nodeRegistration:
  name: k8s-ctr
  criSocket: unix:///run/containerd/containerd.sock
  imagePullPolicy: IfNotPresent
  kubeletExtraArgs:
    - {name: node-ip, value: 192.168.10.100}
  taints: []
patches: {directory: /etc/kubernetes/patches}
---
apiVersion: kubeadm.k8s.io/v1beta4
kind: ClusterConfiguration
kubernetesVersion: v1.33.2
controlPlaneEndpoint: 192.168.10.100:6443
networking: {podSubnet: 172.20.0.0/16, serviceSubnet: 10.96.0.0/16, dnsDomain: cluster.local}
apiServer: {certSANs: [192.168.10.100, k8s-ctr]}
controllerManager:
  extraArgs:
    - {name: node-cidr-mask-size, value: "24"}
proxy: {disabled: true}
---
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: systemd
"""

JOIN = """
apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery:
  bootstrapToken: {apiServerEndpoint: "192.168.10.100:6443", token: null, caCertHashes: null}
nodeRegistration:
  name: k8s-w0
  criSocket: unix:///run/containerd/containerd.sock
  imagePullPolicy: IfNotPresent
  kubeletExtraArgs:
    - {name: node-ip, value: 192.168.20.100}
patches: {directory: /etc/kubernetes/patches}
"""

JOIN_CONTROL_PLANE = """
apiVersion: kubeadm.k8s.io/v1beta4
kind: JoinConfiguration
discovery:
  bootstrapToken: {apiServerEndpoint: "192.168.10.200:6443", token: null, caCertHashes: null}
controlPlane:
  localAPIEndpoint: {advertiseAddress: 192.168.10.102, bindPort: 6443}
  certificateKey: null
nodeRegistration:
  name: ctr2
  criSocket: unix:///run/containerd/containerd.sock
  imagePullPolicy: IfNotPresent
  kubeletExtraArgs:
    - {name: node-ip, value: 192.168.10.102}
  taints: []
patches: {directory: /etc/kubernetes/patches}
"""


def named(value: Any, key: str) -> list[Any]:
    """The values of a key wherever it stands in plain data."""
    if isinstance(value, dict):
        return [*([value[key]] if key in value else []), *named([*value.values()], key)]
    return [found for item in value for found in named(item, key)] if isinstance(value, list) else []


class TestKubeadm:
    def test_the_reference_lab_s_control_plane(self, reference: Plan) -> None:
        assert reference["kubeadm"]["init"] == list(yaml.safe_load_all(INIT))

    def test_the_reference_lab_s_workers(self, reference: Plan) -> None:
        join = reference["kubeadm"]["join"]
        assert join["k8s-w0"] == list(yaml.safe_load_all(JOIN))
        (other,) = join["k8s-w1"]
        assert other["nodeRegistration"]["name"] == "k8s-w1"
        assert other["nodeRegistration"]["kubeletExtraArgs"] == [
            {"name": "node-ip", "value": "192.168.10.101"}
        ]

    def test_several_control_plane_nodes_stand_behind_the_router(self) -> None:
        documents = shape("three-control-planes")["kubeadm"]
        init, cluster, _ = documents["init"]
        assert init["localAPIEndpoint"] == {"advertiseAddress": "192.168.10.101", "bindPort": 6443}
        assert cluster["controlPlaneEndpoint"] == "192.168.10.200:6443"
        assert cluster["apiServer"]["certSANs"] == [
            *("192.168.10.200", "192.168.10.101", "192.168.10.102", "192.168.10.103"),
            *("ctr1", "ctr2", "ctr3"),
        ]
        assert list(documents["join"]) == ["ctr2", "ctr3"]
        assert documents["join"]["ctr2"] == list(yaml.safe_load_all(JOIN_CONTROL_PLANE))

    def test_workers_of_several_control_plane_nodes_go_through_the_router(self) -> None:
        (document,) = shape("two-control-planes")["kubeadm"]["join"]["w1"]
        assert "controlPlane" not in document
        assert document["discovery"]["bootstrapToken"]["apiServerEndpoint"] == "192.168.10.200:6443"

    def test_workloads_may_be_kept_away_from_the_control_plane(self) -> None:
        """Without taints of its own kubeadm taints the control plane; an empty list is none."""
        documents = plan(ROOT / "inventory" / "lab.yaml", "schedule_on_control_plane=false")["kubeadm"]
        assert named(documents["init"], "taints") == []

    def test_the_version_is_the_setting_s(self) -> None:
        documents = plan(ROOT / "inventory" / "lab.yaml", "kubernetes_version=1.34.0")["kubeadm"]
        assert named(documents["init"], "kubernetesVersion") == ["v1.34.0"]

    @pytest.mark.parametrize("path", sorted(VALID.glob("*.yaml")), ids=lambda path: path.stem)
    def test_nothing_secret_is_planned_for_any_lab(self, path: Path) -> None:
        documents: Any = plan(path)["kubeadm"]
        nodes = [node.name for node in load(path).nodes]
        assert documents["init"][0]["nodeRegistration"]["name"] == nodes[0]
        assert list(documents["join"]) == [name for name in nodes if name != nodes[0]]
        for secret in ("token", "caCertHashes", "certificateKey"):
            assert set(named(documents, secret)) <= {None}
        assert len(named(documents, "token")) == len(nodes)


class TestPackages:
    @pytest.mark.parametrize("distribution", ["debian-12", "debian-13", "ubuntu-24.04"])
    def test_what_is_missing_is_among_what_is_wanted(self, distribution: str) -> None:
        assert packages.missing_from(distribution) <= {*packages.NODE, *packages.ROUTER}

    def test_unknown_distribution(self) -> None:
        with pytest.raises(LabError) as caught:
            packages.missing_from("ubuntu-24.10")
        assert str(caught.value) == "ubuntu-24.10: is not a known distribution; did you mean ubuntu-24.04?"


def test_what_is_the_same_is_not_planned_again(tmp_path: Path) -> None:
    """The plan's size must not be machines times segments: nodes of a segment share their routes."""
    segments, nodes = 20, 200
    lines = ["segments:"]
    lines += [f"  net{s}: {{cidr: 10.{100 + s}.0.0/16}}" for s in range(segments)]
    lines += ["router:", "  name: router", "  ssh_port: 10000", "  interfaces:"]
    lines += [f"    eth{s + 1}: {{segment: net{s}, address: 10.{100 + s}.0.1}}" for s in range(segments)]
    lines += ["nodes:"]
    for n in range(nodes):
        role = "worker" if n else "control-plane"
        where = f"segment: net{n % segments}, address: 10.{100 + n % segments}.1.{n // segments + 1}"
        lines.append(f"  node{n}: {{role: {role}, {where}, ssh_port: {10001 + n}}}")
    lines.append("kubernetes: {pod_cidr: 172.16.0.0/12, pod_cidr_mask_size: 24, service_cidr: 10.96.0.0/16}")
    path = tmp_path / "lab.yaml"
    path.write_text("\n".join(lines))

    hosts = plan(path)["hosts"]
    planned = [hosts[f"node{n}"]["interfaces"]["eth1"]["routes"] for n in range(nodes)]
    assert {len(routes) for routes in planned} == {segments}  # the others, and the pods
    assert len({id(routes) for routes in planned}) == segments
