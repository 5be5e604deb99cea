"""Agents, operator and CNI plugin over namespaces: real routes, a real tunnel, pods that talk."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.unit.apiserver_double.cluster import Client, Cluster

from .network import NODES, Network, skip_unless_usable, wait

POOL = {"cluster-pool-ipv4-cidr": "172.20.0.0/16", "cluster-pool-ipv4-mask-size": "24"}
NATIVE = {
    **POOL,
    "routing-mode": "native",
    "tunnel-protocol": "vxlan",
    "auto-direct-node-routes": "true",
    "ipv4-native-routing-cidr": "172.20.0.0/16",
    "kube-proxy-replacement": "true",
    "enable-bpf-masquerade": "true",
    "install-no-conntrack-iptables-rules": "true",
    "devices": "eth1",
}
VXLAN = {
    **NATIVE,
    "routing-mode": "tunnel",
    "auto-direct-node-routes": "false",
    "install-no-conntrack-iptables-rules": "false",
}
GENEVE = {**VXLAN, "tunnel-protocol": "geneve"}


class Lab(Network):
    """A cluster whose nodes run agents."""

    def __init__(self, cluster: Cluster, kubectl: Client, folder) -> None:
        super().__init__(cluster, folder)
        self.kubectl = kubectl
        self.version = "1.18.3"
        for name in NODES:
            self.apply(
                {"apiVersion": "v1", "kind": "Node",
                 "metadata": {"name": name, "labels": {"kubernetes.io/hostname": name}}}
            )  # fmt: skip
            status = {"status": {"addresses": [{"type": "InternalIP", "address": self.address(name)}]}}
            kubectl("patch", "node", name, "--subresource=status", "--type=merge", f"-p={json.dumps(status)}")

    def apply(self, *objects: dict) -> None:
        text = json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)})
        self.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=text)

    def configure(self, data: dict[str, str]) -> None:
        self.kubectl("-n", "kube-system", "delete", "configmap", "cilium-config", "--ignore-not-found")
        self.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "data": data,
             "metadata": {"name": "cilium-config", "namespace": "kube-system"}}
        )  # fmt: skip

    def roll_out(self, data: dict[str, str], wanted: bool = True) -> None:
        """Restart all agents with this configuration and wait until they are ready."""
        self.configure(data)
        for name in NODES:
            pod = f"cilium-{name}"
            self.stop(pod)
            container = {"name": "cilium-agent", "image": f"quay.io/cilium/cilium:v{self.version}"}
            self.apply(
                {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": pod, "namespace": "kube-system"},
                 "spec": {"nodeName": name, "hostNetwork": True, "containers": [container]}}
            )  # fmt: skip
            self.start("cilium.agent", name, pod)
        if wanted:
            for name in NODES:
                wait(lambda name=name: self.ready(name, f"cilium-{name}"), f"the agent of {name} being ready")

    def shares(self) -> dict[str, str]:
        found = json.loads(self.kubectl("get", "ciliumnodes", "-o", "json"))["items"]
        return {each["metadata"]["name"]: each["spec"]["ipam"]["podCIDRs"][0] for each in found}


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    skip_unless_usable()
    folder = tmp_path_factory.mktemp("lab")
    with Cluster(folder) as cluster, Lab(cluster, cluster.client("kubectl"), folder) as lab:
        lab.configure(NATIVE)
        lab.start("cilium.operator", "n1", "cilium-operator")
        lab.roll_out(NATIVE)
        shares = lab.shares()
        for number, node in enumerate(NODES, 1):
            lab.pod(node, f"p{number}", shares[node].replace("0/24", "10"))
        yield lab


def pod(lab: Lab, node: str) -> str:
    return lab.shares()[node].replace("0/24", "10")


def internal(lab: Lab, node: str) -> str:
    return lab.shares()[node].replace("0/24", "254")


def test_every_node_has_a_share_of_the_pool(lab: Lab) -> None:
    assert set(lab.shares().values()) == {f"172.20.{number}.0/24" for number in range(3)}
    columns = lab.kubectl("get", "cn", "--no-headers").splitlines()
    assert sorted(line.split()[:3] for line in columns) == [
        [name, internal(lab, name), lab.address(name)] for name in NODES
    ]


def test_native_routes_are_those_of_the_reference(lab: Lab) -> None:
    shares, own = lab.shares(), internal(lab, "n1")
    expected = [
        f"{shares['n1']} via {own} dev cilium_host proto kernel src {own}",
        f"{own} dev cilium_host proto kernel scope link",
        f"{shares['n2']} via 192.168.10.102 dev eth1 proto kernel",
    ]
    wait(lambda: set(expected) <= set(lab.routes("n1")), f"{expected} in {lab.routes('n1')}", 10)
    assert not any(line.startswith(shares["n3"]) for line in lab.routes("n1"))
    assert "must be directly reachable" in lab.log("cilium-n1")


def test_native_carries_pods_on_one_segment_and_not_across(lab: Lab) -> None:
    assert lab.pings("p1", pod(lab, "n2"), 1472)
    assert lab.pings("n1", pod(lab, "n2"))
    assert lab.pings("n1", pod(lab, "n1"))
    assert not lab.pings("p1", pod(lab, "n3"))


def test_the_agent_says_what_it_runs(lab: Lab) -> None:
    health = lab.ask("n1", "/v1/healthz")
    assert health["cilium"]["state"] == "Ok"
    assert health["routing"] == {"intra-host-routing-mode": "BPF", "inter-host-routing-mode": "Native"}
    assert health["kube-proxy-replacement"]["mode"] == "True"
    assert health["kube-proxy-replacement"]["deviceList"] == [{"name": "eth1", "ip": ["192.168.10.101"]}]
    assert health["masquerading"]["mode"] == "BPF"
    status = lab.ask("n1", "/v1/config")["status"]
    assert (status["routeMTU"], status["deviceMTU"]) == (1500, 1500)
    assert status["addressing"]["ipv4"]["alloc-range"] == lab.shares()["n1"]
    assert status["daemonConfigurationMap"]["EnableL2Announcements"] is False


@pytest.mark.parametrize(("data", "protocol"), [(VXLAN, "vxlan"), (GENEVE, "geneve")])
def test_a_tunnel_carries_all_pods_with_its_mtu(lab: Lab, data, protocol: str) -> None:
    lab.roll_out(data)
    shares, own = lab.shares(), internal(lab, "n1")
    expected = {f"{shares['n1']} via {own} dev cilium_host proto kernel src {own}"} | {
        f"{shares[node]} via {own} dev cilium_host proto kernel src {own} mtu 1450" for node in ("n2", "n3")
    }
    wait(lambda: expected <= set(lab.routes("n1")), f"{expected} in {lab.routes('n1')}", 10)
    assert f"cilium_{protocol}" in lab.ip("n1", "link", "show")
    assert lab.ask("n1", "/v1/healthz")["routing"]["tunnel-protocol"] == protocol
    for node in ("n2", "n3"):
        assert wait(lambda node=node: lab.pings("p1", pod(lab, node)), f"p1 reaching {node}'s pod", 10)
        assert lab.pings("n1", pod(lab, node)), "from a host, too"
        assert lab.pings("p1", pod(lab, node), 1422)
        assert not lab.pings("p1", pod(lab, node), 1472)
    assert "Message too long" in lab.ping("n1", pod(lab, "n3"), 1472).stderr


def test_a_switch_back_takes_the_tunnel_away(lab: Lab) -> None:
    lab.roll_out(VXLAN)
    lab.roll_out(NATIVE)
    wait(lambda: not any("mtu 1450" in line for line in lab.routes("n1")), "the tunnel's routes going", 10)
    assert "cilium_vxlan" not in lab.ip("n1", "link", "show")
    assert lab.pings("p1", pod(lab, "n2"), 1472)
    assert not lab.pings("p1", pod(lab, "n3"))


def test_a_release_with_the_bug_leaves_routes_of_the_tunnel(lab: Lab) -> None:
    lab.roll_out(VXLAN)
    lab.version = "1.18.0"
    lab.roll_out(NATIVE)
    share = lab.shares()["n3"]
    assert any(line.startswith(share) and "cilium_host" in line for line in lab.routes("n1"))
    lab.version = "1.18.3"
    lab.roll_out(NATIVE)
    wait(lambda: not any(line.startswith(share) for line in lab.routes("n1")), "the stale route going", 10)
