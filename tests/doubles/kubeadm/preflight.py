"""The checks before anything is changed, by kubeadm's names and in its words.

What 1.33 only warns of (swap among it: kubelet is who refuses that) is a warning here, and what it no longer
looks at (bridge-nf-call-iptables) is not looked at here either.
https://github.com/kubernetes/kubernetes/blob/release-1.33/cmd/kubeadm/app/preflight/checks.go
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from common.host import at, version
from kubeadm.configuration import Configuration, images, minor
from kubeadm.manifests import CONTROL_PLANE
from kubeadm.manifests import FOLDER as MANIFESTS
from kubeadm.phases import Failed, warn

CPUS, MEMORY_MB = 2, 1700
PULL_SECONDS = 60


@dataclass
class Finding:
    check: str
    said: str
    fatal: bool = True


Check = Callable[[], Iterator[Finding]]


def enforce(findings: Sequence[Finding], ignored: Sequence[str]) -> None:
    """Print the warnings; Failed with all the errors, if there are any."""
    lower = {name.lower() for name in ignored}
    errors = ""
    for finding in findings:
        tolerated = not finding.fatal or "all" in lower or finding.check.lower() in lower
        if tolerated:
            warn(f"\t[WARNING {finding.check}]: {finding.said}")
        else:
            errors += f"\t[ERROR {finding.check}]: {finding.said}\n"
    if errors:
        raise Failed(
            f"[preflight] Some fatal errors occurred:\n{errors}[preflight] If you know what you are "
            f"doing, you can "
            "make a check non-fatal with `--ignore-preflight-errors=...`"
        )


def of_init(configuration: Configuration) -> list[Finding]:
    release = configuration.kubernetes_version
    return [*of_control_plane(configuration), *_common(configuration, release), *_forwarding()]


def of_control_plane(configuration: Configuration) -> list[Finding]:
    """What only a control-plane node needs, one that joins as well."""
    found: list[Finding] = []
    cpus = os.cpu_count() or 1
    if cpus < CPUS:
        found.append(
            Finding("NumCPU", f"the number of available CPUs {cpus} is less than the required {CPUS}")
        )
    megabytes = _memory_mb()
    if megabytes < MEMORY_MB:
        found.append(
            Finding("Mem", f"the system RAM ({megabytes} MB) is less than the minimum {MEMORY_MB} MB")
        )
    ours, wanted = version("kubeadm"), configuration.kubernetes_version
    if minor(wanted) > minor(ours):
        said = (
            "Kubernetes version is greater than kubeadm version. Please consider to upgrade kubeadm. "
            "Kubernetes "
            f"version: {wanted.lstrip('v')}. Kubeadm version: 1.{minor(ours)}.x"
        )
        found.append(Finding("KubernetesVersion", said, fatal=False))
    for port in (configuration.endpoint["bindPort"], 10259, 10257):
        found += _port(port)
    for component in [*CONTROL_PLANE, "etcd"]:
        found += _absent(f"{MANIFESTS}/{component}.yaml")
    for port in (2379, 2380):
        found += _port(port)
    data = configuration.cluster["etcd"]["local"]["dataDir"]
    if at(data).is_dir() and any(at(data).iterdir()):
        found.append(Finding(f"DirAvailable-{data.replace('/', '-')}", f"{data} is not empty"))
    return found


def of_join(configuration: Configuration) -> list[Finding]:
    found = [*_absent("/etc/kubernetes/kubelet.conf"), *_absent("/etc/kubernetes/bootstrap-kubelet.conf")]
    found += _common(configuration, "")
    if not configuration.is_control_plane:
        found += _absent(configuration.node["caCertPath"])
    return [*found, *_forwarding()]


def of_images(configuration: Configuration) -> list[Finding]:
    """Images are pulled where containerd lacks them, as the pull policy has it."""
    if configuration.node["nodeRegistration"].get("imagePullPolicy") == "Never":
        return []
    found = []
    there = set(_ctr("images", "ls", "-q").stdout.split())
    for image in images(configuration.cluster):
        if image in there:
            continue
        # Mirrors that containerd knows of (certs.d) are used, as by the real pull.
        pulled = _ctr("images", "pull", "--hosts-dir", "/etc/containerd/certs.d", image)
        if pulled.returncode:
            said = (pulled.stderr.strip().splitlines() or ["no answer"])[-1]
            found.append(
                Finding(
                    "ImagePull",
                    f'failed to pull image {image}: failed to pull and unpack image "{image}": {said}',
                )
            )
    return found


def _ctr(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = ["ctr", "--namespace", "k8s.io", *arguments]
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=PULL_SECONDS, check=False)
    except (OSError, subprocess.TimeoutExpired) as error:
        return subprocess.CompletedProcess(command, 1, "", str(error))


def _common(configuration: Configuration, release: str) -> Iterator[Finding]:
    path = configuration.socket.removeprefix("unix://")
    if os.geteuid() != 0:
        yield Finding("IsPrivilegedUser", "user is not running as root")
    refusal = answers(path)
    if refusal:
        yield Finding(
            "CRI",
            "could not connect to the container runtime: failed to create new CRI runtime service: "
            "validate service "
            f'connection: validate CRI v1 runtime API for endpoint "{configuration.socket}": rpc error: '
            f"code = "
            f'Unavailable desc = connection error: desc = "transport: Error while dialing: dial unix {path}: '
            f'connect: {refusal}"',
        )
    if len(at("/proc/swaps").read_text().splitlines()) > 1:
        said = (
            "swap is supported for cgroup v2 only. The kubelet must be properly configured to use swap. "
            "Please refer "
            "to https://kubernetes.io/docs/concepts/architecture/nodes/#swap-memory, or disable swap on "
            "the node"
        )
        yield Finding("Swap", said, fatal=False)
    for program in ("losetup", "mount", "cp"):
        if not shutil.which(program):
            yield Finding(f"FileExisting-{program}", f"{program} not found in system path")
    for program in ("ethtool", "tc"):
        if not shutil.which(program):
            yield Finding(f"FileExisting-{program}", f"{program} not found in system path", fatal=False)
    yield from _hostname(configuration.name)
    yield from _kubelet(release)
    yield from _port(10250)


def answers(path: str) -> str:
    """Why nobody answers at a unix socket; "" if somebody does."""
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(at(path)))
        except OSError as error:
            return (error.strerror or str(error)).lower()
    return ""


def _hostname(name: str) -> Iterator[Finding]:
    try:
        socket.getaddrinfo(name, None)
    except OSError:
        yield Finding("Hostname", f'hostname "{name}" could not be reached', fatal=False)


def _kubelet(release: str) -> Iterator[Finding]:
    try:
        kubelet = version("kubelet")
    except FileNotFoundError:
        yield Finding(
            "KubeletVersion",
            "couldn't get kubelet version: cannot execute 'kubelet --version': executable file not "
            "found in $PATH",
        )
        return
    if minor(kubelet) < minor(version("kubeadm")) - 3:
        said = f'Kubelet version "{kubelet[1:]}" is lower than kubeadm can support. Please upgrade kubelet'
        yield Finding("KubeletVersion", said)
    if release and minor(kubelet) > minor(release):
        yield Finding(
            "KubeletVersion",
            "the kubelet version is higher than the control plane version. This is not a supported "
            "version skew and "
            f'may lead to a malfunctional cluster. Kubelet version: "{kubelet[1:]}" Control plane '
            f'version: "{release[1:]}"',
        )
    enabled = subprocess.run(
        ["systemctl", "is-enabled", "--quiet", "kubelet"], check=False, capture_output=True
    )
    if enabled.returncode:
        said = "kubelet service is not enabled, please run 'systemctl enable kubelet.service'"
        yield Finding("Service-Kubelet", said, fatal=False)


def _forwarding() -> Iterator[Finding]:
    path = "/proc/sys/net/ipv4/ip_forward"
    try:
        right = at(path).read_text().strip() == "1"
    except FileNotFoundError:
        yield Finding("FileContent--proc-sys-net-ipv4-ip_forward", f"{path} does not exist")
        return
    if not right:
        yield Finding("FileContent--proc-sys-net-ipv4-ip_forward", f"{path} contents are not set to 1")


def _port(port: int) -> Iterator[Finding]:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("", port))
        except OSError:
            yield Finding(f"Port-{port}", f"Port {port} is in use")


def _absent(path: str) -> Iterator[Finding]:
    if at(path).exists():
        yield Finding(f"FileAvailable-{path.replace('/', '-')}", f"{path} already exists")


def _memory_mb() -> int:
    lines = at("/proc/meminfo").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("MemTotal:")) // 1000
