"""Kubernetes on a host, and the cluster as its API server tells it. Nothing secret is ever asked for."""

from __future__ import annotations

import json
import re
from base64 import b64decode
from hashlib import sha256
from typing import Any, TypedDict

from typing_extensions import override

from ciliumlab.facts.etcd import STOPPED
from ciliumlab.facts.shell import Sections, State, quoted, sections

ADMIN = "/etc/kubernetes/admin.conf"
# With a limit, so that an API server that accepts and never answers is one that does not answer.
KUBECTL = f"kubectl --kubeconfig {ADMIN} --request-timeout 20s"

# Which kubeadm command has been started on a host and has not come to its end.
STARTED = "/var/lib/ciliumlab/kubeadm-started"

# Annotation of a node that is cordoned by an upgrade, and not by a person.
UPGRADING = "ciliumlab.io/upgrading"

_INITIALISED = "/etc/kubernetes/manifests/kube-apiserver.yaml"
_JOINED = "/etc/kubernetes/kubelet.conf"
_ETCD_DATA = "/var/lib/etcd/member"
# All that kubeadm leaves on a host.
_TRACES = (
    _INITIALISED,
    _JOINED,
    ADMIN,
    _ETCD_DATA,
    "/etc/kubernetes/pki/ca.crt",
    "/var/lib/kubelet/config.yaml",
)


# An API server comes with kubelet, and some time after it. In so many seconds from kubelet's start, one that
# has served a cluster is waited for; later it is in trouble.
_STARTING_SECONDS = 300
_MAY_BE_STARTING = (
    f"[ -e {_ETCD_DATA} ] && [ ! -e {STARTED} ] && systemctl --quiet is-active kubelet.service &&"
    " [ $(($(cut -d. -f1 /proc/uptime) - $(systemctl show --value"
    f" --property=ActiveEnterTimestampMonotonic kubelet.service) / 1000000)) -lt {_STARTING_SECONDS} ]"
)
_HEALTH = (
    f"[ ! -e {_INITIALISED} ] || {{ until said=$({KUBECTL} get --raw '/readyz?verbose' 2>&1) ||"
    f' ! {{ {_MAY_BE_STARTING}; }}; do sleep 1; done; echo "$said"; }}'
)


class NodeState(TypedDict):
    """``initialised``: an API server is declared here; ``joined``: kubelet has credentials of its own.

    ``touched`` is true when kubeadm has left anything here. ``started`` is "init" or "join" when that
    command never came to its end, else "". ``stopped`` is true while a restore of etcd holds the static pods
    back, also when it never came to its end. ``etcd`` is true when etcd has ever run here. ``endpoint`` is
    where kubelet looks for the API server, "192.168.10.100:6443". ``trouble`` is what the API server
    here says of its health, empty when it is well (or not initialised).
    """

    initialised: bool
    joined: bool
    touched: bool
    stopped: bool
    started: str
    etcd: bool
    endpoint: str
    trouble: list[str]


class Node(State[NodeState]):
    """What kubeadm has made of a host."""

    @override
    def command(self) -> str:
        return sections(
            files=f"ls -d {quoted([*_TRACES, STOPPED])}",
            started=f"cat {STARTED}",
            endpoint=f"sed -n 's|^ *server: https://||p' {_JOINED}",
            health=_HEALTH,
        )

    @override
    def parse(self, found: Sections) -> NodeState:
        files = found["files"]
        initialised = _INITIALISED in files
        healthy = any(line.startswith("readyz check passed") for line in found["health"])
        return NodeState(
            initialised=initialised,
            joined=_JOINED in files,
            touched=bool({*_TRACES} & {*files}),
            stopped=STOPPED in files,
            started="".join(found["started"]).strip(),
            etcd=_ETCD_DATA in files,
            endpoint="".join(found["endpoint"][:1]).strip(),
            trouble=_trouble(found["health"]) if initialised and not healthy else [],
        )


class Member(TypedDict):
    """A node as the API server knows it; ``version`` is kubelet's, "v1.33.2".

    ``upgrading`` is true from before it is drained for an upgrade until it takes pods again.
    """

    name: str
    role: str
    version: str
    ready: bool
    cordoned: bool
    upgrading: bool
    taints: list[str]


class ClusterState(TypedDict):
    """``version`` is the API server's, "v1.33.2"; ``ca_hash`` as kubeadm pins it, "sha256:…".

    ``trouble`` is what kubectl said when it got no answer; the rest is empty then.
    """

    version: str
    ca_hash: str
    members: dict[str, Member]
    kube_proxy: bool
    trouble: list[str]


class Cluster(State[ClusterState]):
    """The cluster, asked on a control-plane node."""

    @override
    def command(self) -> str:
        return sections(
            ca="openssl x509 -pubkey -noout -in /etc/kubernetes/pki/ca.crt",
            version=f"{KUBECTL} get --raw /version",
            nodes=f"{KUBECTL} get nodes -o json 2>&1",
            proxy=f"{KUBECTL} -n kube-system get daemonset kube-proxy --ignore-not-found -o name",
        )

    @override
    def parse(self, found: Sections) -> ClusterState:
        nodes = _object(found["nodes"])
        version = json.loads("\n".join(found["version"]) or "{}").get("gitVersion", "")
        return ClusterState(
            version=version,
            ca_hash=_pin(found["ca"]),
            members={item["metadata"]["name"]: _member(item) for item in json.loads(nodes)["items"]}
            if nodes
            else {},
            kube_proxy=bool(found["proxy"]),
            trouble=[] if nodes else _trouble(found["nodes"]),
        )


def _object(lines: list[str]) -> str:
    """kubectl's JSON without warnings around it, such as those of an extension that does not answer."""
    if "{" not in lines or "}" not in lines:
        return ""
    return "\n".join(lines[lines.index("{") : len(lines) - lines[::-1].index("}")])


def _trouble(lines: list[str]) -> list[str]:
    """What kubectl says of an API server that is not well: the checks that failed, else its own words.

    A failed check is "[-]etcd failed: reason withheld"; kubectl puts all of them into one line, quoted.
    """
    failed = re.findall(r"\[-\](.+?)(?=\\n|$)", "\n".join(lines), re.MULTILINE)
    # Lines such as "E1123 08:40:12.123456 …" are kubectl's attempts, and what comes of them is said last.
    said = [line.strip() for line in lines if line.strip() and not re.match(r"[EIW]\d{4} ", line)]
    return failed or said or ["kubectl said nothing"]


def _pin(pem: list[str]) -> str:
    """A public key as kubeadm pins it (RFC 7469): the SHA-256 of its DER form, which is what PEM encodes."""
    der = b64decode("".join(line for line in pem if not line.startswith("-----")))
    return f"sha256:{sha256(der).hexdigest()}" if der else ""


def _member(item: dict[str, Any]) -> Member:
    conditions = item.get("status", {}).get("conditions", [])
    labels = item["metadata"].get("labels", {})
    return Member(
        name=item["metadata"]["name"],
        role="control-plane" if "node-role.kubernetes.io/control-plane" in labels else "worker",
        version=item["status"]["nodeInfo"]["kubeletVersion"],
        ready=any(one["type"] == "Ready" and one["status"] == "True" for one in conditions),
        cordoned=bool(item["spec"].get("unschedulable")),
        upgrading=UPGRADING in item["metadata"].get("annotations", {}),
        taints=[f"{taint['key']}:{taint['effect']}" for taint in item["spec"].get("taints", [])],
    )
