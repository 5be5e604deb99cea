"""Kubernetes' packages and kubelet on a node, and the cluster as its control plane tells it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import yaml

from .shell import Answers, File, Unit, files, read_files, read_units, units

PACKAGES = ("kubeadm", "kubectl", "kubelet")
KUBELET = "kubelet.service"
HAPROXY = "haproxy.service"
RESOLVED = "systemd-resolved.service"
ADMIN = "/etc/kubernetes/admin.conf"
LOGIN_FILE = "/etc/profile.d/ciliumlab-kubernetes.sh"
KUBELET_FILE = "/var/lib/kubelet/config.yaml"
HAPROXY_FILE = "/etc/haproxy/haproxy.cfg"

# Files that hold keys: nobody but root may read them.
_SECRETS = (
    "/etc/kubernetes/*.conf /etc/kubernetes/pki/*.key /etc/kubernetes/pki/etcd/*.key /root/.kube/config"
)

KUBECTL = f"kubectl --kubeconfig {ADMIN} --request-timeout 20s"


@dataclass(frozen=True)
class Kubelet:
    packages: dict[str, str]
    """Versions of the packages that are installed."""
    held: frozenset[str]
    units: dict[str, Unit]
    healthy: bool
    resolver: str
    """The resolv.conf that kubelet is to give to pods."""
    server: str
    """The API server that kubelet talks to, "https://192.168.10.100:6443"."""
    readable: list[str]
    """Files with keys that others may read or write, with their modes."""
    files: dict[str, File]


def kubelet_questions() -> dict[str, str]:
    return {
        "packages": (
            f"dpkg-query -W -f '${{db:Status-Abbrev}}|${{Package}}|${{Version}}\\n' {' '.join(PACKAGES)}"
        ),
        "units": units([KUBELET, HAPROXY, RESOLVED]),
        "healthy": "curl --silent --show-error --fail -m 20 http://127.0.0.1:10248/healthz; echo",
        "resolver": f"sed -n 's/^resolvConf: *//p' {KUBELET_FILE}",
        "server": "sed -n 's/^ *server: *//p' /etc/kubernetes/kubelet.conf",
        "readable": f"find {_SECRETS} -perm /077 -printf '%p %m\\n'",
        "files": files(LOGIN_FILE, HAPROXY_FILE),
    }


def read_kubelet(found: Answers) -> Kubelet:
    packages = [line.split("|") for line in found["packages"].splitlines()]
    return Kubelet(
        packages={name: version for status, name, version in packages if status[1] == "i"},
        held=frozenset(name for status, name, _ in packages if status[0] == "h"),
        units=read_units(found["units"]),
        healthy=found["healthy"].strip() == "ok",
        resolver=found["resolver"].strip().strip('"'),
        server=found["server"].strip(),
        readable=found["readable"].splitlines(),
        files=read_files(found["files"]),
    )


@dataclass(frozen=True)
class Node:
    """``ready`` is the condition's status, or its message when that is not "True"."""

    address: str
    version: str
    ready: str
    roles: frozenset[str]
    taints: frozenset[str]
    cordoned: bool


@dataclass(frozen=True)
class Cluster:
    health: str
    """The last line of the API server's own check of itself."""
    version: str
    nodes: dict[str, Node]
    configuration: dict[str, Any]
    """kubeadm's ClusterConfiguration, as the cluster keeps it."""
    context: str
    """The current one of root's kubeconfig."""
    contexts: list[str]
    proxies: str
    """kube-proxy's daemon set, if there is one."""


def cluster_questions() -> dict[str, str]:
    return {
        "health": f"{KUBECTL} get --raw '/readyz?verbose' | tail -n 1; echo",
        "version": f"{KUBECTL} get --raw /version; echo",
        "nodes": f"{KUBECTL} get nodes -o json",
        "configuration": (
            f"{KUBECTL} -n kube-system get configmap kubeadm-config"
            " -o jsonpath='{.data.ClusterConfiguration}'; echo"
        ),
        "context": "kubectl --kubeconfig /root/.kube/config config current-context",
        "contexts": "kubectl --kubeconfig /root/.kube/config config get-contexts -o name",
        "proxies": f"{KUBECTL} -n kube-system get daemonset kube-proxy --ignore-not-found -o name",
    }


def read_cluster(found: Answers) -> Cluster:
    return Cluster(
        health=found["health"].strip(),
        version=json.loads(found["version"] or "{}").get("gitVersion", ""),
        nodes={
            item["metadata"]["name"]: _node(item)
            for item in json.loads(found["nodes"] or "{}").get("items", [])
        },
        configuration=yaml.safe_load(found["configuration"]) or {},
        context=found["context"].strip(),
        contexts=found["contexts"].split(),
        proxies=found["proxies"].strip(),
    )


def _node(item: dict[str, Any]) -> Node:
    status, spec, labels = item["status"], item["spec"], item["metadata"]["labels"]
    told = {one["type"]: one for one in status["conditions"]}
    ready = told.get("Ready", {"status": "", "message": "no word of it"})
    return Node(
        address=next((one["address"] for one in status["addresses"] if one["type"] == "InternalIP"), ""),
        version=status["nodeInfo"]["kubeletVersion"],
        ready="True" if ready["status"] == "True" else ready["message"],
        roles=frozenset(
            key.partition("/")[2] for key in labels if key.startswith("node-role.kubernetes.io/")
        ),
        taints=frozenset(f"{one['key']}:{one['effect']}" for one in spec.get("taints", [])),
        cordoned=bool(spec.get("unschedulable")),
    )
