"""tasks/kubernetes.py: kubelet, kubeadm and kubectl in one version, held, and a kubelet that runs."""

from __future__ import annotations

from .expect import each, expect, nodes
from .found.kubernetes import KUBELET, PACKAGES, RESOLVED
from .lab import Machine


@each(lambda lab: [(node, package) for node in lab.nodes for package in PACKAGES])
def test_package(machine: Machine, package: str) -> None:
    wanted = machine.data["kubernetes_version"]
    expect(machine, package, wanted, machine.kubelet.packages.get(package, "").partition("-")[0])


@each(nodes)
def test_packages_are_held(machine: Machine) -> None:
    expect(machine, "packages held", frozenset(PACKAGES), machine.kubelet.held)


@each(nodes)
def test_kubelet_runs(machine: Machine) -> None:
    kubelet = machine.kubelet.units[KUBELET]
    expect(machine, "kubelet runs", True, kubelet.active)
    expect(machine, "kubelet at boot", "enabled", kubelet.at_boot)


@each(nodes)
def test_kubelet_is_well(machine: Machine) -> None:
    expect(machine, "kubelet says ok of itself", True, machine.kubelet.healthy)


@each(nodes)
def test_kubelet_knows_the_name_servers(machine: Machine) -> None:
    """systemd-resolved's stub on loopback would be the pod itself."""
    resolved = machine.kubelet.units[RESOLVED].active
    wanted = "/run/systemd/resolve/resolv.conf" if resolved else "/etc/resolv.conf"
    expect(machine, "resolv.conf for pods", wanted, machine.kubelet.resolver)


@each(nodes)
def test_keys_are_roots_alone(machine: Machine) -> None:
    expect(machine, "files with keys that others may read", [], machine.kubelet.readable)
