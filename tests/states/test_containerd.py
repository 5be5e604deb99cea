"""tasks/containerd.py: containerd in its version, with the configuration that kubelet needs it to have."""

from __future__ import annotations

import re

from ciliumlab.versions import pause_image

from .expect import each, expect, expect_file, expect_service, nodes, rendered
from .found.containerd import CONFIGURATION_FILE, CONTAINERD, CRICTL_FILE
from .lab import Machine


@each(nodes)
def test_package(machine: Machine) -> None:
    """Docker's in the version that is declared, or the distribution's in the one that it has."""
    package = machine.data["containerd_package"]
    found = machine.containerd.packages.get(package, "")
    wanted = machine.data["containerd_version"] if package == "containerd.io" else found or "some version"
    expect(machine, package, wanted, found.partition("-")[0] if package == "containerd.io" else found)


@each(nodes)
def test_package_is_held(machine: Machine) -> None:
    package = machine.data["containerd_package"]
    expect(machine, f"{package} held", True, package in machine.containerd.held)


@each(nodes)
def test_daemon_runs(machine: Machine) -> None:
    expect_service(machine, CONTAINERD, machine.containerd.unit)


@each(nodes)
def test_daemon_is_the_installed_one(machine: Machine) -> None:
    expect(machine, "version of the daemon", machine.containerd.client, machine.containerd.server)


@each(nodes)
def test_daemon_serves_kubelet(machine: Machine) -> None:
    expect(machine, "CRI plugin", "ok", machine.containerd.plugins.get("io.containerd.grpc.v1 cri"))


@each(nodes)
def test_configuration_file(machine: Machine) -> None:
    """In the format of its version, and only what differs from the defaults."""
    found = machine.containerd
    template = f"containerd/version-{2 if found.major == 1 else 3}.toml.j2"
    text = rendered(template, sandbox_image=pause_image(machine.data["kubernetes_version"]))
    expect(machine, CONFIGURATION_FILE, text, expect_file(machine, CONFIGURATION_FILE, found.files))


@each(nodes)
def test_daemon_has_read_its_configuration(machine: Machine) -> None:
    changed = machine.containerd.files[CONFIGURATION_FILE].changed
    expect(machine, "started since its file changed", True, machine.containerd.unit.started >= changed)


@each(nodes)
def test_daemon_reads_its_configuration(machine: Machine) -> None:
    """And no other file, now and when it is started again."""
    for when, command in (
        ("is", machine.containerd.command),
        ("will be", machine.containerd.next_command),
    ):
        told = re.findall(r" -(?:-?config|c)[ =](\S+)", command)
        expect(
            machine, f"what the daemon {when} told to read", [], [*{*told} - {CONFIGURATION_FILE}], command
        )


@each(nodes)
def test_control_groups_are_systemds(machine: Machine) -> None:
    runtimes = machine.containerd.runtime.get("containerd", {}).get("runtimes", {})
    found = {name: entry.get("options", {}).get("SystemdCgroup") for name, entry in runtimes.items()}
    expect(machine, "SystemdCgroup of each runtime", {"runc": True}, found)


@each(nodes)
def test_sandbox_image(machine: Machine) -> None:
    wanted = pause_image(machine.data["kubernetes_version"])
    expect(machine, "sandbox image", wanted, machine.containerd.sandbox_image)


@each(nodes)
def test_plugins_of_the_cluster_are_found(machine: Machine) -> None:
    cni = machine.containerd.runtime.get("cni", {})
    folders = [cni.get("bin_dir"), *cni.get("bin_dirs", [])]
    expect(machine, "CNI plugins in /opt/cni/bin", True, "/opt/cni/bin" in folders)
    expect(machine, "folder of CNI's configuration", "/etc/cni/net.d", cni.get("conf_dir"))


@each(nodes)
def test_crictl(machine: Machine) -> None:
    found = expect_file(machine, CRICTL_FILE, machine.containerd.files)
    socket = "unix:///run/containerd/containerd.sock"
    expect(machine, CRICTL_FILE, f"runtime-endpoint: {socket}\nimage-endpoint: {socket}\n", found)
