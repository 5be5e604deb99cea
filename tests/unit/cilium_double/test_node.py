"""Agents, operator and CNI plugin over namespaces: real routes, a real tunnel, pods that talk."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.unit.apiserver_double.cluster import Client, Cluster

from .network import NODES, SECONDS, Network, skip_unless_usable, wait

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
        given = {each["metadata"]["name"]: each["spec"]["ipam"].get("podCIDRs") for each in found}
        return {name: shares[0] for name, shares in given.items() if shares}


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
    wait(lambda: set(expected) <= set(lab.routes("n1")), f"{expected} in {lab.routes('n1')}")
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
    wait(lambda: expected <= set(lab.routes("n1")), f"{expected} in {lab.routes('n1')}")
    assert f"cilium_{protocol}" in lab.ip("n1", "link", "show")
    assert lab.ask("n1", "/v1/healthz")["routing"]["tunnel-protocol"] == protocol
    for node in ("n2", "n3"):
        assert wait(lambda node=node: lab.pings("p1", pod(lab, node)), f"p1 reaching {node}'s pod")
        assert lab.pings("n1", pod(lab, node)), "from a host, too"
        assert lab.pings("p1", pod(lab, node), 1422)
        assert not lab.pings("p1", pod(lab, node), 1472)
    assert "Message too long" in lab.ping("n1", pod(lab, "n3"), 1472).stderr


def test_an_agent_that_is_restarted_carries_on(lab: Lab) -> None:
    lab.roll_out(VXLAN)
    lab.roll_out(VXLAN)
    assert wait(lambda: lab.pings("p1", pod(lab, "n3")), "p1 reaching n3's pod")


def test_a_node_that_is_deleted_is_made_again(lab: Lab) -> None:
    before = lab.shares()["n3"]
    lab.kubectl("delete", "ciliumnode", "n3")
    wait(lambda: lab.shares().get("n3") == before, "n3 coming back with its share")


def test_a_switch_back_takes_the_tunnel_away(lab: Lab) -> None:
    lab.roll_out(VXLAN)
    lab.roll_out(NATIVE)
    wait(lambda: not any("mtu 1450" in line for line in lab.routes("n1")), "the tunnel's routes going")
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
    wait(lambda: not any(line.startswith(share) for line in lab.routes("n1")), "the stale route going")


POOL_OBJECT = {
    "apiVersion": "cilium.io/v2",
    "kind": "CiliumLoadBalancerIPPool",
    "metadata": {"name": "lab"},
    "spec": {"blocks": [{"start": "192.168.10.211", "stop": "192.168.10.215"}]},
}
POLICY = {
    "apiVersion": "cilium.io/v2alpha1",
    "kind": "CiliumL2AnnouncementPolicy",
    "metadata": {"name": "net10"},
    "spec": {
        "interfaces": ["^eth1$"],
        "loadBalancerIPs": True,
        "nodeSelector": {
            "matchExpressions": [{"key": "kubernetes.io/hostname", "operator": "In", "values": ["n1", "n2"]}]
        },
    },
}


def service(name: str, port: int, **annotations: str) -> dict:
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "name": name, "namespace": "default",
            "annotations": {f"lbipam.cilium.io/{key.replace('_', '-')}": value
                            for key, value in annotations.items()},
        },
        "spec": {"type": "LoadBalancer", "selector": {"app": "web"},
                 "ports": [{"port": port, "targetPort": 8080}]},
    }  # fmt: skip


def address(lab: Lab, name: str) -> str:
    return lab.kubectl("get", "service", name, "-o", "jsonpath={.status.loadBalancer.ingress[0].ip}")


def holder(lab: Lab, name: str) -> str:
    """Who holds a service's lease, "" while nobody does."""
    lease = f"cilium-l2announce-default-{name}"
    place = ["-n", "kube-system", "get", "lease", lease, "--ignore-not-found"]
    return lab.kubectl(*place, "-o", "jsonpath={.spec.holderIdentity}")


def neighbor(lab: Lab, found: str) -> str:
    """The MAC by which the router reaches an address, after having looked for it."""
    lab.ping("router", found)
    shown = json.loads(lab.ip("router", "-j", "neighbor", "show", found) or "[]")
    return str(shown[0].get("lladdr", "")) if shown else ""


def mac(lab: Lab, node: str) -> str:
    return str(json.loads(lab.ip(node, "-j", "link", "show", "eth1"))[0]["address"])


def serve(lab: Lab) -> None:
    """In each pod a server that says which it is; Cilium's view of the pods comes with it."""
    program = (
        "import socketserver, sys\n"
        "class Handler(socketserver.BaseRequestHandler):\n"
        "    def handle(self): self.request.sendall(sys.argv[1].encode())\n"
        "socketserver.TCPServer.allow_reuse_address = True\n"
        "socketserver.TCPServer(('', 8080), Handler).serve_forever()\n"
    )
    for number, node in enumerate(NODES, 1):
        name, container = f"p{number}", {"name": "web", "image": "web"}
        within = ["ip", "netns", "exec", lab.namespace(name)]
        process = subprocess.Popen([*within, sys.executable, "-c", program, name])
        lab.callback(process.wait)
        lab.callback(process.terminate)
        lab.apply(
            {"apiVersion": "v1", "kind": "Pod",
             "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
             "spec": {"nodeName": node, "containers": [container]}}
        )  # fmt: skip
        ready = {"podIP": pod(lab, node), "conditions": [{"type": "Ready", "status": "True"}]}
        status = json.dumps({"status": ready})
        lab.kubectl("patch", "pod", name, "--subresource=status", "--type=merge", f"-p={status}")


def asked(lab: Lab, where: str, found: str, port: int, times: int) -> list[str]:
    """Who answers so many connections to a service, from a namespace."""
    program = (
        "import socket, sys\n"
        f"for _ in range({times}):\n"
        f"    with socket.create_connection(({found!r}, {port}), 2) as s: print(s.recv(99).decode())\n"
    )
    within = ["ip", "netns", "exec", lab.namespace(where), sys.executable, "-c", program]
    return subprocess.run(within, capture_output=True, text=True, check=False).stdout.split()


def test_services_get_addresses_and_one_node_answers(lab: Lab) -> None:
    lab.roll_out({**VXLAN, "enable-l2-announcements": "true"})
    lab.apply(POOL_OBJECT, POLICY, service("web", 80), service("more", 80, ips="192.168.10.215"))
    assert wait(lambda: address(lab, "web"), "an address for web") == "192.168.10.211"
    assert wait(lambda: address(lab, "more"), "an address for more") == "192.168.10.215"
    columns = lab.kubectl("get", "ippools", "--no-headers").split()
    assert columns[:4] == ["lab", "false", "False", "3"]
    chosen = wait(lambda: holder(lab, "web"), "a lease")
    assert chosen in ("n1", "n2")
    wait(lambda: neighbor(lab, "192.168.10.211") == mac(lab, chosen), "the holder answering")


def test_services_that_share_an_address_have_one_holder(lab: Lab) -> None:
    shared = {"ips": "192.168.10.214", "sharing_key": "1234"}
    lab.apply(service("s1", 80, **shared), service("s2", 8080, **shared), service("s3", 8080, **shared))
    wait(lambda: holder(lab, "s1") and holder(lab, "s1") == holder(lab, "s2"), "one holder of both")
    why = "jsonpath={.status.conditions[0].reason}"
    assert lab.kubectl("get", "service", "s3", "-o", why) == "already_allocated_incompatible_service"
    lab.kubectl("delete", "service", "s1", "s2", "s3")
    wait(lambda: not holder(lab, "s1"), "the lease going")
    assert not neighbor(lab, "192.168.10.214")


def test_connections_are_spread_over_the_pods(lab: Lab) -> None:
    if not shutil.which("iptables-restore"):
        pytest.skip("iptables is not installed")
    serve(lab)
    inside = lab.kubectl("get", "service", "web", "-o", "jsonpath={.spec.clusterIP}")
    for where, found in (
        ("n1", inside),
        ("p1", inside),
        ("n3", "192.168.10.211"),
        ("router", "192.168.10.211"),
    ):
        # Each node learns of the pods in its own time.
        wait(
            lambda where=where, found=found: {*asked(lab, where, found, 80, 20)} == {"p1", "p2", "p3"},
            f"{where} reaching all pods by {found}",
        )
        answers = asked(lab, where, found, 80, 60)
        assert len(answers) == 60, f"{where} to {found}"
        # By chance, one of them has fewer in one of 80,000 runs.
        assert all(answers.count(name) >= 5 for name in ("p1", "p2", "p3")), answers


def test_another_node_answers_when_the_holder_goes(lab: Lab) -> None:
    before = wait(lambda: holder(lab, "web"), "a lease")
    after = {"n1": "n2", "n2": "n1"}[before]
    lab.processes.pop(f"cilium-{before}").kill()
    lab.ip(before, "link", "set", "eth1", "down")
    try:
        wait(lambda: holder(lab, "web") == after, f"{after} holding the lease")
        wait(lambda: neighbor(lab, "192.168.10.211") == mac(lab, after), f"{after} answering")
    finally:
        lab.ip(before, "link", "set", "eth1", "up")
        segment = "192.168.10.200"
        for network in ("default", "172.20.0.0/16"):
            lab.ip(before, "route", "replace", network, "via", segment, "proto", "static")


def test_an_agent_that_is_switched_off_answers_no_more(lab: Lab) -> None:
    lab.roll_out(VXLAN)
    for node in NODES:
        assert lab.ip(node, "route", "show", "table", "local", "proto", "196") == ""


def test_a_configuration_that_is_fatal_ends_the_agent(lab: Lab) -> None:
    lab.roll_out({**VXLAN, "auto-direct-node-routes": "true"}, wanted=False)
    for node in NODES:
        assert lab.processes[f"cilium-{node}"].wait(SECONDS) == 1
        assert "cannot be used with tunneling" in lab.log(f"cilium-{node}")


@pytest.mark.parametrize(
    ("name", "status"), [("cilium-agent-crashes", 1), ("cilium-agent-never-ready", None)]
)
def test_faults(lab: Lab, name: str, status: int | None) -> None:
    fault = lab.short / "n2/etc/kubernetes-double/faults" / name
    fault.parent.mkdir(parents=True, exist_ok=True)
    fault.touch()
    lab.roll_out(VXLAN, wanted=False)
    wait(lambda: f"this fault was injected ({name})" in lab.log("cilium-n2"), "the fault")
    wait(lambda: lab.ready("n1", "cilium-n1"), "the others being ready")
    if status:
        assert lab.processes["cilium-n2"].wait(SECONDS) == status
        fault.unlink()
        return
    assert not lab.ready("n2", "cilium-n2")
    assert lab.ask("n2", "/v1/healthz")["cilium"]["state"] == "Failure"
    fault.unlink()
    wait(lambda: lab.ready("n2", "cilium-n2"), "being ready once the fault is gone")
    # One that was ready is not new, so that a rollout does not replace all agents at once.
    fault.touch()
    share = lab.shares()["n1"]
    for _ in range(2):  # the first route may come back before the agent has looked at its faults
        lab.ip("n2", "route", "delete", share)
        wait(lambda: lab.ip("n2", "route", "show", share), "the agent going round")
    fault.unlink()
    assert lab.ready("n2", "cilium-n2")


def test_an_agent_that_was_ready_may_become_unhealthy(lab: Lab) -> None:
    lab.roll_out(VXLAN)
    fault = lab.short / "n2/etc/kubernetes-double/faults/cilium-agent-unhealthy"
    fault.touch()
    wait(lambda: not lab.ready("n2", "cilium-n2"), "being unready")
    assert lab.ready("n1", "cilium-n1")
    fault.unlink()
    wait(lambda: lab.ready("n2", "cilium-n2"), "being ready once the fault is gone")
