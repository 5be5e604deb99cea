"""What a run is told: one node's document and the cluster's, with the defaults filled in."""

from __future__ import annotations

import re
import secrets
import string
from dataclasses import dataclass, field
from typing import Any

from common.documents import Document

CRI_SOCKET = "unix:///var/run/containerd/containerd.sock"
CONTROL_PLANE_TAINT = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
TOKEN = re.compile(r"([a-z0-9]{6})\.([a-z0-9]{16})")
TOKEN_GROUP = "system:bootstrappers:kubeadm:default-node-token"

# kubeadm's constants: what each minor release deploys beside the Kubernetes images.
# https://github.com/kubernetes/kubernetes/blob/release-1.33/cmd/kubeadm/app/constants/constants.go
COMPANIONS = {
    33: {"coredns": "v1.12.0", "pause": "3.10", "etcd": "3.5.21-0"},
    34: {"coredns": "v1.12.1", "pause": "3.10.1", "etcd": "3.6.4-0"},
}


@dataclass
class Configuration:
    """One node's part (InitConfiguration or JoinConfiguration) and the cluster's."""

    node: Document
    cluster: Document
    kubelet: Document = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.node["nodeRegistration"]["name"])

    @property
    def socket(self) -> str:
        return str(self.node["nodeRegistration"]["criSocket"])

    @property
    def endpoint(self) -> dict[str, Any]:
        """localAPIEndpoint of a control-plane node."""
        place = self.node if "localAPIEndpoint" in self.node else self.node["controlPlane"]
        return dict(place["localAPIEndpoint"])

    @property
    def address(self) -> str:
        return str(self.endpoint["advertiseAddress"])

    @property
    def server(self) -> str:
        """The URL of the API as the cluster's clients use it."""
        local = f"{self.address}:{self.endpoint['bindPort']}" if self.is_control_plane else ""
        return f"https://{self.cluster.get('controlPlaneEndpoint') or local}"

    @property
    def is_control_plane(self) -> bool:
        return "localAPIEndpoint" in self.node or bool(self.node.get("controlPlane"))

    @property
    def kubernetes_version(self) -> str:
        return str(self.cluster["kubernetesVersion"])

    def timeout(self, name: str) -> str:
        """A value of ``timeouts``, as a Go duration; kubeadm's default where there is none."""
        usual = {"kubernetesAPICall": "1m0s", "etcdAPICall": "2m0s", "tlsBootstrap": "5m0s",
                 "discovery": "5m0s", "upgradeManifests": "5m0s"}  # fmt: skip
        return str((self.node.get("timeouts") or {}).get(name) or usual.get(name, "4m0s"))


def minor(kubernetes_version: str) -> int:
    return int(kubernetes_version.lstrip("v").split(".")[1])


def images(cluster: Document) -> list[str]:
    """The references that a control plane needs, as `kubeadm config images list` prints them."""
    repository = cluster["imageRepository"]
    release = cluster["kubernetesVersion"]
    beside = COMPANIONS[minor(release)]
    names = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"]
    if not cluster["proxy"].get("disabled"):
        names.append("kube-proxy")
    found = [f"{repository}/{name}:{release}" for name in names]
    if not cluster["dns"].get("disabled"):
        found.append(dns_image(cluster))
    etcd = cluster["etcd"]["local"]
    tag = etcd.get("imageTag") or beside["etcd"]
    return [
        *found,
        f"{repository}/pause:{beside['pause']}",
        f"{etcd.get('imageRepository') or repository}/etcd:{tag}",
    ]


def dns_image(cluster: Document) -> str:
    repository = cluster["dns"].get("imageRepository") or cluster["imageRepository"]
    # Only the official registry has it in a folder of its own.
    if repository == "registry.k8s.io":
        repository += "/coredns"
    tag = cluster["dns"].get("imageTag") or COMPANIONS[minor(cluster["kubernetesVersion"])]["coredns"]
    return f"{repository}/coredns:{tag}"


def generated_token() -> str:
    letters = string.ascii_lowercase + string.digits
    identity, secret = ("".join(secrets.choice(letters) for _ in range(length)) for length in (6, 16))
    return f"{identity}.{secret}"
