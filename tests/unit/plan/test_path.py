"""The way of a packet, against a walk over the plan's own tables, and what the reference lab shows."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from itertools import product
from pathlib import Path

import pytest

from ciliumlab import plan
from ciliumlab.errors import DeclarationError
from ciliumlab.plan import path as ways
from ciliumlab.settings import Settings
from ciliumlab.topology import Topology, load

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "inventory" / "lab.yaml"
VALID = sorted((ROOT / "tests" / "unit" / "topologies" / "valid").glob("*.yaml"))
MODES = {
    "native": [],
    "static": ["pod_routes=static"],
    "bgp": ["pod_routes=bgp"],
    "vxlan": ["datapath=vxlan"],
    "geneve": ["datapath=geneve", "pod_routes=static"],
}


def settings(*overrides: str) -> Settings:
    return Settings.read(ROOT / "group_data" / "all.py", overrides)


def way(source: str, target: str, *overrides: str, lab: Path = REFERENCE) -> ways.Path:
    return ways.path(source, target, load(lab), settings(*overrides))


def stations(found: ways.Path) -> list[str]:
    """The machines that the packet was at, pods aside."""
    return [hop.at for hop in found.hops if ":" not in hop.at]


class Kernels:
    """The machines' routes with numbers in the place of words, from the plan as JSON has it.

    Every node gets a share of the pod CIDR, as Cilium's operator would give it, and what agents and the
    router add to the plan's routes is written here by what their documentation says.
    """

    def __init__(self, topology: Topology, mode: str) -> None:
        planned = plan.build(topology, settings(*MODES[mode]))
        self.hosts = {
            name: [IPv4Interface(one) for entry in host["interfaces"].values() for one in entry["addresses"]]
            for name, host in planned["hosts"].items()
        }
        pods = IPv4Network(planned["helm_values"]["ipam"]["operator"]["clusterPoolIPv4PodCIDRList"][0])
        shares = pods.subnets(new_prefix=topology.kubernetes.pod_cidr_mask_size)
        nodes = [name for name, host in planned["hosts"].items() if "nodes" in host["groups"]]
        self.pods = dict(zip(nodes, shares, strict=False))
        self.tunnel = planned["helm_values"]["routingMode"] == "tunnel"
        self.router = next(n for n, host in planned["hosts"].items() if "routers" in host["groups"])
        self.tables: dict[str, list[tuple[IPv4Network, IPv4Address | None]]] = {}
        for name, host in planned["hosts"].items():
            table: list[tuple[IPv4Network, IPv4Address | None]] = [
                (own.network, None) for own in self.hosts[name]
            ]
            for entry in host["interfaces"].values():
                table += [(IPv4Network(one["to"]), IPv4Address(one["via"])) for one in entry["routes"]]
            for other, share in self.pods.items():
                its = self.hosts[other][0]
                beside = name in nodes and its.network == self.hosts[name][0].network
                by_router = name == self.router and mode in ("static", "bgp", "geneve")
                if name != other and ((beside and not self.tunnel) or by_router):
                    table.append((share, its.ip))
            self.tables[name] = table

    def walk(self, at: str, target: IPv4Address) -> tuple[list[str], bool]:
        """The machines that a packet to ``target`` sees from ``at`` on, and whether it arrives."""
        for name, share in self.pods.items():
            if self.tunnel and target in share and at in self.pods and at != name:
                return self.walk(at, self.hosts[name][0].ip)
        seen = [at]
        while target not in self.pods.get(at, ()) and target not in [own.ip for own in self.hosts[at]]:
            fitting = [route for route in self.tables[at] if target in route[0]]
            if not fitting:
                return seen, False
            _, via = max(fitting, key=lambda route: route[0].prefixlen)
            (at,) = (n for n, owns in self.hosts.items() if (via or target) in [own.ip for own in owns])
            seen.append(at)
        return seen, True


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("lab", [REFERENCE, *VALID], ids=lambda lab: lab.stem)
def test_is_the_kernels_own_way(lab: Path, mode: str) -> None:
    topology, chosen = load(lab), settings(*MODES[mode])
    kernels = Kernels(topology, mode)
    # In a large lab the first and the last, which differ in their segment where there are several.
    nodes = list(kernels.pods)
    nodes = nodes if len(nodes) < 5 else [nodes[0], nodes[1], nodes[-1]]
    for source, other in product(nodes, nodes):
        if source != other or len(nodes) == 1:
            seen, arrives = kernels.walk(source, kernels.pods[other][9])
            for begin in (source, f"{source}:pod"):
                found = ways.path(begin, f"{other}:pod", topology, chosen)
                assert (stations(found), not found.lost) == (seen, arrives), found.verdict
    for node in nodes:
        seen, arrives = kernels.walk(kernels.router, kernels.pods[node][9])
        found = ways.path(kernels.router, f"{node}:pod", topology, chosen)
        assert (stations(found), not found.lost) == (seen, arrives), found.verdict
        for address in kernels.hosts[kernels.router]:
            seen, arrives = kernels.walk(node, address.ip)
            found = ways.path(f"{node}:pod", str(address.ip), topology, chosen)
            assert (stations(found), not found.lost) == (seen, arrives), found.verdict
            assert found.answer and not found.answer.lost


class TestReferenceLab:
    """What was seen in the reference lab, literally."""

    def test_native_dies_on_the_router(self) -> None:
        found = way("k8s-ctr:pod", "k8s-w0:pod")
        assert stations(found) == ["k8s-ctr", "router"]
        assert found.hops[-1].device == "eth0"
        assert found.hops[-1].does == "has only the route default via 10.0.2.2 dev eth0 proto dhcp"
        assert found.answer is None
        assert "pod_routes=static or bgp" in found.lost
        assert {hop.mtu for hop in found.hops} == {1500}

    @pytest.mark.parametrize(("datapath", "port"), [("vxlan", 8472), ("geneve", 6081)])
    def test_tunnel(self, datapath: str, port: int) -> None:
        found = way("k8s-ctr:pod", "k8s-w0:pod", f"datapath={datapath}")
        outers = {hop.at: str(hop.outer) for hop in found.hops if hop.outer}
        one = f"192.168.10.100 > 192.168.20.100 {datapath} udp/{port}"
        assert outers == {"k8s-ctr": one, "router": one}
        assert {str(hop.inner) for hop in found.hops} == {"pod of k8s-ctr > pod of k8s-w0"}
        assert {hop.mtu for hop in found.hops} == {1450}
        assert found.answer and not found.answer.lost

    def test_same_segment_needs_no_router(self) -> None:
        assert stations(way("k8s-ctr:pod", "k8s-w1:pod")) == ["k8s-ctr", "k8s-w1"]

    def test_the_node_itself_has_its_agents_address_in_a_tunnel(self) -> None:
        found = way("k8s-ctr", "k8s-w0:pod", "datapath=vxlan")
        assert str(found.hops[0].inner) == "cilium_host of k8s-ctr > pod of k8s-w0"

    @pytest.mark.parametrize("mode", MODES)
    def test_masquerading(self, mode: str) -> None:
        """The router sees the node's address, and the answer finds its pod again."""
        found = way("k8s-ctr:pod", "10.10.1.200", *MODES[mode])
        assert str(found.hops[-1].inner) == "192.168.10.100 > 10.10.1.200"
        assert found.answer and found.answer.hops[-1].at == "k8s-ctr:pod"

    def test_no_masquerading_to_nodes_in_native_mode(self) -> None:
        """So that in native mode the answer is lost that comes back in a tunnel."""
        native, tunnel = (way("k8s-ctr:pod", "k8s-w0", f"datapath={name}") for name in ("native", "vxlan"))
        assert str(native.hops[-1].inner.source) == "pod of k8s-ctr"
        assert native.answer and native.answer.lost
        assert str(tunnel.hops[-1].inner.source) == "192.168.10.100"
        assert tunnel.answer and not tunnel.answer.lost

    def test_nobody_answers_for_an_address(self) -> None:
        found = way("router", "192.168.10.211")
        assert found.hops[-1].does == "asks on eth1 who has 192.168.10.211, and nobody answers"
        assert "l2_announcements=true" in found.lost

    def test_leader_passes_on_in_its_own_name(self) -> None:
        """As the web pod saw it: the leader's cilium_host, where another node has the pod."""
        announced = ("datapath=geneve", "l2_announcements=true")
        own = way("router", "192.168.10.211", *announced)
        other = way("router", "192.168.10.211@k8s-w0", *announced)
        assert str(own.hops[-1].inner) == "192.168.10.200 > pod of k8s-ctr"
        assert str(other.hops[-1].inner) == "cilium_host of k8s-ctr > pod of k8s-w0"
        assert other.answer and str(other.answer.hops[-1].inner) == "192.168.10.211 > 192.168.10.200"

    def test_pods_reach_an_address_that_nobody_announces(self) -> None:
        assert not way("k8s-ctr:pod", "192.168.10.211").lost
        assert not way("k8s-w0:pod", "192.168.10.211@k8s-ctr", "datapath=vxlan").lost

    def test_address_announced_by_bgp(self) -> None:
        found = way("router", "192.168.10.211@k8s-w0", "pod_routes=bgp", "bgp_load_balancer_ips=true")
        assert "192.168.10.211/32 via 192.168.10.100" in found.hops[0].does
        assert found.answer and not found.answer.lost


def test_no_node_where_the_pool_is() -> None:
    lab = ROOT / "tests/unit/topologies/valid/pools-on-two-segments.yaml"
    found = way("router", "192.168.20.201", "l2_announcements=true", lab=lab)
    assert "none stands on its segment" in found.lost


@pytest.mark.parametrize(
    ("source", "target", "told"),
    [
        ("k8s-ctl:pod", "k8s-w0:pod", "k8s-ctl is no node; did you mean k8s-ctr?"),
        ("k8s-ctr:pods", "k8s-w0:pod", "NODE:pod"),
        ("router:pod", "k8s-w0:pod", "router is no node"),
        ("k8s-ctr", "k8s-w9", "there is no such machine; did you mean"),
        ("k8s-ctr", "8.8.8.8", "no machine has this address, and no pool"),
        ("k8s-ctr", "::1", "write a machine, NODE:pod"),
        ("k8s-ctr:", "router", "write a machine, NODE:pod"),
        ("k8s-ctr", "192.168.10.211@k8s", "is no node"),
        ("k8s-ctr", "192.168.10.100@k8s-w0", "k8s-ctr's own"),
        ("192.168.10.211", "k8s-ctr", "sends nothing by itself"),
    ],
)
def test_wrong_ends(source: str, target: str, told: str) -> None:
    with pytest.raises(DeclarationError, match=r"\A[^\n]*\Z") as caught:
        way(source, target)
    assert told in str(caught.value)


def test_encrypted_packets_are_not_guessed_at() -> None:
    with pytest.raises(DeclarationError, match=r"encryption\.enabled"):
        way("k8s-ctr", "router", 'cilium_extra_values={"encryption": {"enabled": true, "type": "wireguard"}}')
