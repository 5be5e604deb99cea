"""Reading documents: kubeadm's defaults filled in, and refused where kubeadm's validation refuses them."""

from __future__ import annotations

import ipaddress
import re
import socket
import subprocess
from typing import Any

from common.documents import Document, DocumentError, load
from common.host import default_address, version
from common.schema import KUBEADM, KUBELET
from kubeadm.configuration import (
    CONTROL_PLANE_TAINT,
    CRI_SOCKET,
    TOKEN,
    TOKEN_GROUP,
    Configuration,
    generated_token,
    minor,
)


class ValidationError(Exception):
    """The documents are of the right shape but say what cannot be."""


def for_init(text: str) -> Configuration:
    documents = {document["kind"]: document for document in load(text)}
    if not {"InitConfiguration", "ClusterConfiguration"} & documents.keys():
        raise DocumentError(
            "no InitConfiguration or ClusterConfiguration kind was found in the configuration file"
        )
    node = documents.get("InitConfiguration") or {"apiVersion": KUBEADM, "kind": "InitConfiguration"}
    _register(node)
    if node["nodeRegistration"].get("taints") is None:
        node["nodeRegistration"]["taints"] = [CONTROL_PLANE_TAINT]
    _endpoint(node)
    cluster = cluster_defaults(documents.get("ClusterConfiguration") or {}, node["localAPIEndpoint"])
    _validate_cluster(cluster)
    for token in node.setdefault("bootstrapTokens", [{}]):
        token_defaults(token)
    _certificate_key(node.get("certificateKey"))
    return Configuration(node, cluster, documents.get("KubeletConfiguration") or {})


def for_join(text: str) -> Configuration:
    documents = {document["kind"]: document for document in load(text)}
    node = documents.get("JoinConfiguration")
    if node is None:
        raise DocumentError("no JoinConfiguration found in the supplied config")
    _register(node)
    node.setdefault("caCertPath", "/etc/kubernetes/pki/ca.crt")
    discovery = node.get("discovery") or {}
    token = discovery.get("bootstrapToken")
    if not token:
        raise ValidationError('discovery: Invalid value: "": bootstrapToken or file must be set')
    if not TOKEN.fullmatch(token.get("token") or ""):
        raise ValidationError(
            'discovery.bootstrapToken.token: Invalid value: "": the bootstrap token is invalid'
        )
    if not token.get("caCertHashes") and not token.get("unsafeSkipCAVerification"):
        raise ValidationError(
            'discovery.bootstrapToken: Invalid value: "": using token-based discovery without '
            "caCertHashes can "
            "be unsafe. Set unsafeSkipCAVerification as true in your kubeadm config file or pass "
            "--discovery-token-unsafe-skip-ca-verification flag to continue"
        )
    endpoint = token.get("apiServerEndpoint") or ""
    if not re.fullmatch(r"[^:/]+:\d+", endpoint):
        raise ValidationError(
            f'discovery.bootstrapToken.apiServerEndpoint: Invalid value: "{endpoint}": '
            f"address {endpoint}: missing port in address"
        )
    if node.get("controlPlane") is not None:
        _endpoint(node["controlPlane"])
        _certificate_key(node["controlPlane"].get("certificateKey"))
    return Configuration(node, {})


def cluster_defaults(cluster: Document, endpoint: dict[str, Any] | None = None) -> Document:
    """A ClusterConfiguration with everything that kubeadm fills in."""
    cluster = {"apiVersion": KUBEADM, "kind": "ClusterConfiguration", **cluster}
    release = str(cluster.get("kubernetesVersion") or version("kubeadm"))
    cluster["kubernetesVersion"] = release if release.startswith("v") else f"v{release}"
    networking = {"dnsDomain": "cluster.local", "serviceSubnet": "10.96.0.0/12"}
    cluster["networking"] = {**networking, **(cluster.get("networking") or {})}
    cluster.setdefault("certificatesDir", "/etc/kubernetes/pki")
    cluster.setdefault("imageRepository", "registry.k8s.io")
    cluster.setdefault("clusterName", "kubernetes")
    cluster.setdefault("etcd", {}).setdefault("local", {}).setdefault("dataDir", "/var/lib/etcd")
    for name in ("apiServer", "controllerManager", "scheduler", "dns", "proxy"):
        if cluster.get(name) is None:
            cluster[name] = {}
    cluster.setdefault("encryptionAlgorithm", "RSA-2048")
    cluster.setdefault("certificateValidityPeriod", "8760h0m0s")
    cluster.setdefault("caCertificateValidityPeriod", "87600h0m0s")
    shared = cluster.get("controlPlaneEndpoint")
    if shared and ":" not in shared and endpoint:
        cluster["controlPlaneEndpoint"] = f"{shared}:{endpoint['bindPort']}"
    return cluster


def token_defaults(token: Document) -> Document:
    token.setdefault("token", generated_token())
    if not TOKEN.fullmatch(token["token"]):
        raise DocumentError(
            f'the bootstrap token "{token["token"]}" was not of the form '
            f'"\\A([a-z0-9]{{6}})\\.([a-z0-9]{{16}})\\z"'
        )
    if not token.get("expires"):
        token.setdefault("ttl", "24h0m0s")
    token.setdefault("usages", ["signing", "authentication"])
    token.setdefault("groups", [TOKEN_GROUP])
    for usage in token["usages"]:
        if usage not in ("signing", "authentication"):
            raise ValidationError(f'bootstrapTokens.usages: Invalid value: "{usage}": invalid usage')
    for group in token["groups"]:
        if not re.fullmatch(r"system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]", group):
            raise ValidationError(
                f'bootstrapTokens.groups: Invalid value: "{group}": bootstrap group "{group}" is invalid '
                "(must match \\Asystem:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]\\z)"
            )
    return token


def kubelet_configuration(configuration: Document, cluster: Document) -> Document:
    """The KubeletConfiguration of a cluster, with what kubeadm fills in."""
    service = ipaddress.ip_network(cluster["networking"]["serviceSubnet"].split(",")[0])
    usual = {
        "apiVersion": KUBELET,
        "kind": "KubeletConfiguration",
        "authentication": {
            "anonymous": {"enabled": False},
            "webhook": {"cacheTTL": "0s", "enabled": True},
            "x509": {"clientCAFile": f"{cluster['certificatesDir']}/ca.crt"},
        },
        "authorization": {
            "mode": "Webhook",
            "webhook": {"cacheAuthorizedTTL": "0s", "cacheUnauthorizedTTL": "0s"},
        },
        "cgroupDriver": "systemd",
        "clusterDNS": [str(service[10])],
        "clusterDomain": cluster["networking"]["dnsDomain"],
        "healthzBindAddress": "127.0.0.1",
        "healthzPort": 10248,
        "rotateCertificates": True,
        "staticPodPath": "/etc/kubernetes/manifests",
    }
    if _resolved_is_active():
        usual["resolvConf"] = "/run/systemd/resolve/resolv.conf"
    return {**usual, **configuration}


def _resolved_is_active() -> bool:
    try:
        asked = subprocess.run(["systemctl", "is-active", "--quiet", "systemd-resolved"], check=False)
    except FileNotFoundError:
        return False
    return asked.returncode == 0


def _register(node: Document) -> None:
    registration = node.setdefault("nodeRegistration", {}) or {}
    node["nodeRegistration"] = registration
    registration["name"] = (registration.get("name") or socket.gethostname()).strip().lower()
    registration.setdefault("criSocket", CRI_SOCKET)
    registration.setdefault("imagePullPolicy", "IfNotPresent")
    if not re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", registration["name"]):
        raise ValidationError(
            f'nodeRegistration.name: Invalid value: "{registration["name"]}": a lowercase RFC 1123 '
            f"subdomain must "
            "consist of lower case alphanumeric characters, '-' or '.', and must start and end with an "
            "alphanumeric character"
        )
    if not registration["criSocket"].startswith("unix://"):
        raise ValidationError(
            f'nodeRegistration.criSocket: Invalid value: "{registration["criSocket"]}": only URL scheme '
            f'"unix" is '
            "supported"
        )


def _endpoint(node: Document) -> None:
    endpoint = node.get("localAPIEndpoint") or {}
    node["localAPIEndpoint"] = endpoint
    endpoint.setdefault("bindPort", 6443)
    address = endpoint.setdefault("advertiseAddress", "") or default_address() or "0.0.0.0"
    endpoint["advertiseAddress"] = address
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise DocumentError(
            f'couldn\'t use "{address}" as "apiserver-advertise-address", must be ipv4 or ipv6 address'
        ) from None


def _validate_cluster(cluster: Document) -> None:
    ours, wanted = minor(version("kubeadm")), cluster["kubernetesVersion"]
    if not re.fullmatch(r"v1\.\d+\.\d+", wanted):
        raise DocumentError(
            f'version "{wanted}" doesn\'t match patterns for neither semantic version nor labels'
        )
    if minor(wanted) < ours - 1:
        raise DocumentError(
            "this version of kubeadm only supports deploying clusters with the control plane version >= "
            f"1.{ours - 1}.0. Current version: {wanted}"
        )
    problems = []
    subnets = {}
    for name in ("serviceSubnet", "podSubnet"):
        text = cluster["networking"].get(name)
        try:
            if text:
                subnets[name] = ipaddress.ip_network(text)
        except ValueError:
            problems.append(f'networking.{name}: Invalid value: "{text}": couldn\'t parse subnet')
    service = subnets.get("serviceSubnet")
    if service is not None and service.num_addresses < 10:
        problems.append(
            f'networking.serviceSubnet: Invalid value: "{service}": subnet with "{service.num_addresses}" '
            'address(es) is too small, the minimum is "10"'
        )
    shared = cluster.get("controlPlaneEndpoint")
    if shared and not re.fullmatch(r"[A-Za-z0-9.-]+(:\d{1,5})?", shared):
        problems.append(
            f'controlPlaneEndpoint: Invalid value: "{shared}": port must be a valid number between 1 '
            f"and 65535, "
            "inclusive"
        )
    if problems:
        raise ValidationError(problems[0] if len(problems) == 1 else f"[{', '.join(problems)}]")


def _certificate_key(key: str | None) -> None:
    if key and not re.fullmatch(r"[0-9a-f]{64}", key):
        raise ValidationError(
            'certificateKey: Invalid value: "": certificate key must be 32 bytes, hex encoded'
        )
