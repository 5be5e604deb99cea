"""tasks/control_plane.py: API servers that are well, behind the router where several are; root's way in."""

from __future__ import annotations

from .expect import control_plane, each, expect, expect_file, expect_service, rendered, routers
from .found.kubernetes import HAPROXY, HAPROXY_FILE, LOGIN_FILE
from .lab import Machine

_TAINT = "node-role.kubernetes.io/control-plane:NoSchedule"


@each(control_plane)
def test_api_server_is_well(machine: Machine) -> None:
    expect(machine, "the API server's own check", "readyz check passed", machine.cluster.health)


@each(control_plane)
def test_version(machine: Machine) -> None:
    wanted = f"v{machine.data['kubernetes_version']}"
    expect(machine, "the API server's version", wanted, machine.cluster.version)


@each(control_plane)
def test_node(machine: Machine) -> None:
    node = machine.cluster.nodes.get(machine.name)
    expect(machine, "role of its node", frozenset({"control-plane"}), node.roles if node else None)


@each(control_plane)
def test_workloads(machine: Machine) -> None:
    node = machine.cluster.nodes.get(machine.name)
    wanted = not machine.data["schedule_on_control_plane"]
    expect(machine, "workloads are kept away", wanted, node is not None and _TAINT in node.taints)


@each(control_plane)
def test_no_kube_proxy(machine: Machine) -> None:
    expect(machine, "kube-proxy, which Cilium replaces", "", machine.cluster.proxies)


@each(lambda lab: [(machine, lab.control_plane[0]) for machine in lab.control_plane])
def test_addresses_of_the_cluster(machine: Machine, first: Machine) -> None:
    """What the plan says, and not kubeadm's defaults."""
    (wanted,) = (one for one in first.data["kubeadm"] if one["kind"] == "ClusterConfiguration")
    found = machine.cluster.configuration
    for key in ("podSubnet", "serviceSubnet"):
        expect(machine, key, wanted["networking"][key], found.get("networking", {}).get(key))
    expect(machine, "API endpoint", machine.data["endpoint"], found.get("controlPlaneEndpoint"))


@each(control_plane)
def test_kubeconfig(machine: Machine) -> None:
    expect(machine, "root's contexts have HomeLab", True, "HomeLab" in machine.cluster.contexts)


@each(control_plane)
def test_login(machine: Machine) -> None:
    text = expect_file(machine, LOGIN_FILE, machine.kubelet.files)
    expect(machine, LOGIN_FILE, rendered("control_plane/kubernetes.sh.j2"), text)


@each(lambda lab: [router for router in routers(lab) if len(router.data["control_plane"]) > 1])
def test_haproxy(machine: Machine) -> None:
    expect_service(machine, HAPROXY, machine.kubelet.units[HAPROXY])
    wanted = rendered(
        "control_plane/haproxy.cfg.j2", endpoint=machine.data["endpoint"], servers=machine.data["api_servers"]
    )
    expect(machine, HAPROXY_FILE, wanted, expect_file(machine, HAPROXY_FILE, machine.kubelet.files))
