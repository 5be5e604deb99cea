"""Debian packages of the doubles, made by dpkg-deb(1): names, versions and units as of the real ones."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

HERE = Path(__file__).parent
LIBRARY = "usr/lib/kubernetes-double"
LIBRARIES = ("apiserver", "cilium", "common", "controllers", "kubeadm", "kubelet")

_UNIT = """[Unit]
Description=kubelet: The Kubernetes Node Agent
Documentation=https://kubernetes.io/docs/
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=/usr/bin/kubelet
Restart=always
StartLimitInterval=0
RestartSec=10

[Install]
WantedBy=multi-user.target
"""
_DROP_IN = """# Note: This dropin only works with kubeadm and kubelet v1.11+
[Service]
Environment="KUBELET_KUBECONFIG_ARGS=--bootstrap-kubeconfig=/etc/kubernetes/bootstrap-kubelet.conf \
--kubeconfig=/etc/kubernetes/kubelet.conf"
Environment="KUBELET_CONFIG_ARGS=--config=/var/lib/kubelet/config.yaml"
# Written by "kubeadm init" and "kubeadm join"; it sets KUBELET_KUBEADM_ARGS.
EnvironmentFile=-/var/lib/kubelet/kubeadm-flags.env
# The user's overrides.
EnvironmentFile=-/etc/default/kubelet
ExecStart=
ExecStart=/usr/bin/kubelet $KUBELET_KUBECONFIG_ARGS $KUBELET_CONFIG_ARGS $KUBELET_KUBEADM_ARGS \
$KUBELET_EXTRA_ARGS
"""
_START = """#!/bin/sh
# A test double: see /usr/lib/kubernetes-double.
export PYTHONPATH=/usr/lib/kubernetes-double PYTHONPYCACHEPREFIX=/var/lib/kubernetes-double/pycache
exec /usr/bin/python3 -P -m {module} "$@"
"""
_CRICTL = """#!/bin/sh
# A test double of crictl: what it can say it asks the real containerd.
case "${1:-}" in
    --version | version) echo "crictl version v1.33.0 (a test double)" ;;
    info) exec ctr --namespace k8s.io version ;;
    images) exec ctr --namespace k8s.io images list ;;
    ps | pods) exit 0 ;;
    *) echo "crictl: this is a test double, which does not know: $*" >&2; exit 1 ;;
esac
"""
# Debian starts an etcd of its own with the package, where kubeadm wants free ports and an empty directory.
_NO_ETCD = """#!/bin/sh
set -e
if [ "$1" = configure ] && [ -z "$2" ]; then
    systemctl disable --now etcd.service >/dev/null 2>&1 || true
    systemctl mask etcd.service >/dev/null 2>&1 || true
    rm -rf /var/lib/etcd/default
fi
"""
_RELOAD = """#!/bin/sh
set -e
[ ! -d /run/systemd/system ] || systemctl daemon-reload
"""
# As Docker's package leaves it: Kubernetes' interface is switched off until somebody configures containerd.
_DOCKERS_CONFIGURATION = """#!/bin/sh
set -e
if [ "$1" = configure ] && [ -z "$2" ]; then
    mkdir -p /etc/containerd
    printf '%s\\n' '# As in the package of Docker.' 'disabled_plugins = ["cri"]' >/etc/containerd/config.toml
    systemctl try-restart containerd.service >/dev/null 2>&1 || true
fi
"""


@dataclass
class Package:
    """A binary package: control fields, and files by their paths; ``programs`` are executable."""

    name: str
    version: str
    description: str
    depends: str = ""
    files: dict[str, str] = field(default_factory=dict)
    programs: dict[str, str] = field(default_factory=dict)
    links: dict[str, str] = field(default_factory=dict)
    binaries: dict[str, Path] = field(default_factory=dict)
    postinst: str = ""
    architecture: str = "all"

    def build(self, folder: Path) -> Path:
        """Make the .deb in ``folder``."""
        with tempfile.TemporaryDirectory() as name:
            root = Path(name) / "root"
            for paths, mode in ((self.files, 0o644), (self.programs, 0o755)):
                for path, text in paths.items():
                    (root / path).parent.mkdir(parents=True, exist_ok=True)
                    (root / path).write_text(text)
                    (root / path).chmod(mode)
            for path, source in self.binaries.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy(source, root / path)
            for path, target in self.links.items():
                (root / path).parent.mkdir(parents=True, exist_ok=True)
                (root / path).symlink_to(target)
            if self.name == "kubernetes-double":
                for library in LIBRARIES:
                    leave = shutil.ignore_patterns("__pycache__", "tests", "*.pyc")
                    shutil.copytree(HERE / library, root / LIBRARY / library, ignore=leave)
            (root / "DEBIAN").mkdir(parents=True)
            (root / "DEBIAN/control").write_text(self.control())
            if self.postinst:
                (root / "DEBIAN/postinst").write_text(self.postinst)
                (root / "DEBIAN/postinst").chmod(0o755)
            for path in root.rglob("*"):
                if path.is_dir():
                    path.chmod(0o755)
            target = folder / f"{self.name}_{self.version}_{self.architecture}.deb"
            command = ["dpkg-deb", "--root-owner-group", "-Zgzip", "-z1", "--build", root, target]
            subprocess.run(command, check=True, capture_output=True)
        return target

    def control(self) -> str:
        fields = {
            "Package": self.name,
            "Version": self.version,
            "Architecture": self.architecture,
            "Maintainer": "ciliumlab's tests <tests@localhost>",
            "Priority": "optional",
            "Depends": self.depends,
            "Description": f"{self.description} (a test double)",
        }
        return "".join(f"{name}: {value}\n" for name, value in fields.items() if value)


def real_kubectl(program: Path) -> Package:
    """The real kubectl, once for all releases: it is large.

    Under another name, as Debian's package would be taken for an older one of ours.
    """
    machine = subprocess.run(["dpkg", "--print-architecture"], check=True, capture_output=True, text=True)
    return Package(
        "kubectl-double",
        "1.0",
        "The distribution's kubectl, for the packages called kubectl",
        binaries={"usr/bin/kubectl": program},
        architecture=machine.stdout.strip(),
    )


def kubernetes(releases: Sequence[str]) -> list[Package]:
    """The packages of a repository of one minor, each release ("1.33.2") and what they depend on."""
    found = [
        Package(
            "kubernetes-double",
            "1.0",
            "What the doubles of Kubernetes are made of",
            # The real etcd, and etcdctl for snapshots of it.
            depends="python3 (>= 3.11), python3-yaml, openssl, etcd-server, etcd-client",
            postinst=_NO_ETCD,
        ),
        Package(
            "kubernetes-cni",
            "1.6.0-1.1",
            "Binaries required to provision kubernetes container networking",
            depends="containernetworking-plugins",
            links={
                f"opt/cni/bin/{name}": f"/usr/lib/cni/{name}"
                for name in ("bridge", "host-local", "loopback", "portmap")
            },
        ),
        Package(
            "cri-tools",
            "1.33.0-1.1",
            "Command-line utility for interacting with a container runtime",
            programs={"usr/bin/crictl": _CRICTL},
        ),
    ]
    for release in releases:
        version = f"{release}-1.1"
        # Which release a program is of stands beside the library, which is the same for all.
        mark = {name: {f"{LIBRARY}/versions/{name}": f"v{release}\n"} for name in ("kubeadm", "kubelet")}
        found += [
            Package(
                "kubeadm",
                version,
                "Command-line utility for administering a Kubernetes cluster",
                depends="cri-tools (>= 1.30.0), kubernetes-double",
                files={
                    **mark["kubeadm"],
                    "usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf": _DROP_IN,
                },
                programs={"usr/bin/kubeadm": _START.format(module="kubeadm")},
                postinst=_RELOAD,
            ),
            # Like the real one it is neither enabled nor started when it is installed.
            Package(
                "kubelet",
                version,
                "Node agent for Kubernetes clusters",
                depends="iptables (>= 1.4.21), kubernetes-cni (>= 1.2.0), mount, util-linux, "
                "kubernetes-double",
                files={**mark["kubelet"], "usr/lib/systemd/system/kubelet.service": _UNIT},
                programs={"usr/bin/kubelet": _START.format(module="kubelet")},
                postinst=_RELOAD,
            ),
            Package(
                "kubectl",
                version,
                "Command-line utility for interacting with a Kubernetes cluster",
                depends="kubectl-double",
            ),
        ]
    return found


def docker(version: str) -> list[Package]:
    """containerd.io: Debian's containerd with the name and the first configuration of Docker's."""
    return [
        Package(
            "containerd.io",
            f"{version}-1",
            "An open and reliable container runtime",
            depends="containerd",
            postinst=_DOCKERS_CONFIGURATION,
        )
    ]
