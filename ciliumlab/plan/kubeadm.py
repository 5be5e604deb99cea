"""kubeadm's configuration documents, kubeadm.k8s.io/v1beta4 and kubelet.config.k8s.io/v1beta1.

Fields by https://kubernetes.io/docs/reference/config-api/kubeadm-config.v1beta4/. What is secret or known
only when a cluster runs (token, certificate key, the CA's hash) is None here.
"""

from __future__ import annotations

from typing import Any

from ciliumlab.plan.types import Kubeadm
from ciliumlab.settings import Settings
from ciliumlab.topology import Node, Topology

_API = "kubeadm.k8s.io/v1beta4"
_PORT = 6443
_CRI_SOCKET = "unix:///run/containerd/containerd.sock"

# Where a host keeps what belongs to it alone and goes into kubeadm's documents, see operations/kubelet.py.
PATCHES = "/etc/kubernetes/patches"


def control_plane(topology: Topology) -> list[Node]:
    """The nodes of the control plane; the first of them is initialised, the others join it."""
    return [node for node in topology.nodes if node.role == "control-plane"]


def endpoint(topology: Topology) -> str:
    """Where all nodes find an API server, "192.168.10.100:6443".

    With one control-plane node that is the node itself. With several it is the router, which stands on
    every segment and passes on to those that are healthy.
    """
    nodes = control_plane(topology)
    machine = nodes[0] if len(nodes) == 1 else topology.router
    return f"{machine.interfaces[0].address}:{_PORT}"


def api_servers(topology: Topology) -> dict[str, str]:
    """Each control-plane node's name with its API server's address and port."""
    return {node.name: f"{node.interfaces[0].address}:{_PORT}" for node in control_plane(topology)}


def kubeadm(topology: Topology, settings: Settings) -> Kubeadm:
    """The documents of the first control-plane node, and of every other node by its name."""
    first, *_ = control_plane(topology)
    at = endpoint(topology)
    return {
        "init": [
            _init(first, settings),
            _cluster(topology, settings),
            _kubelet(),
        ],
        "join": {node.name: [_join(node, at, settings)] for node in topology.nodes if node is not first},
    }


def _init(node: Node, settings: Settings) -> dict[str, Any]:
    return {
        "apiVersion": _API,
        "kind": "InitConfiguration",
        "bootstrapTokens": [{"token": None, "ttl": "1h0m0s"}],
        "localAPIEndpoint": _advertised(node),
        "nodeRegistration": _registration(node, settings),
        "patches": {"directory": PATCHES},
    }


def _cluster(topology: Topology, settings: Settings) -> dict[str, Any]:
    kubernetes = topology.kubernetes
    nodes = control_plane(topology)
    names = [*(str(node.interfaces[0].address) for node in nodes), *(node.name for node in nodes)]
    at, _, _ = endpoint(topology).rpartition(":")
    return {
        "apiVersion": _API,
        "kind": "ClusterConfiguration",
        "kubernetesVersion": f"v{settings.kubernetes_version}",
        "controlPlaneEndpoint": endpoint(topology),
        "networking": {
            # Cilium's pool, so that both agree which addresses are pods.
            "podSubnet": str(kubernetes.pod_cidr),
            "serviceSubnet": str(kubernetes.service_cidr),
            "dnsDomain": "cluster.local",
        },
        "apiServer": {"certSANs": list(dict.fromkeys([at, *names]))},
        "controllerManager": {
            "extraArgs": [
                {"name": "node-cidr-mask-size", "value": str(kubernetes.pod_cidr_mask_size)},
            ]
        },
        # Cilium takes its place. Here and not by a skipped phase, so that no upgrade brings it back.
        "proxy": {"disabled": True},
    }


def _kubelet() -> dict[str, Any]:
    return {
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "kind": "KubeletConfiguration",
        "cgroupDriver": "systemd",
    }


def _join(node: Node, at: str, settings: Settings) -> dict[str, Any]:
    document = {
        "apiVersion": _API,
        "kind": "JoinConfiguration",
        "discovery": {
            "bootstrapToken": {"apiServerEndpoint": at, "token": None, "caCertHashes": None},
        },
        "nodeRegistration": _registration(node, settings),
        "patches": {"directory": PATCHES},
    }
    if node.role == "control-plane":
        document["controlPlane"] = {"localAPIEndpoint": _advertised(node), "certificateKey": None}
    return document


def _advertised(node: Node) -> dict[str, Any]:
    return {"advertiseAddress": str(node.interfaces[0].address), "bindPort": _PORT}


def _registration(node: Node, settings: Settings) -> dict[str, Any]:
    """The lab's address and not the first that kubelet finds: that one, of the NAT, is every machine's."""
    registration: dict[str, Any] = {
        "name": node.name,
        "criSocket": _CRI_SOCKET,
        "imagePullPolicy": "IfNotPresent",
        "kubeletExtraArgs": [{"name": "node-ip", "value": str(node.interfaces[0].address)}],
    }
    if node.role == "control-plane" and settings.schedule_on_control_plane:
        registration["taints"] = []
    return registration
