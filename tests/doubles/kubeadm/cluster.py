"""What kubeadm keeps in the cluster: its configuration, kubelet's, certificates for others, add-ons."""

from __future__ import annotations

import os
from base64 import b64decode, b64encode
from typing import Any

import yaml
from common import jws, x509
from common.api import Api, ApiError, Object
from common.documents import Document
from common.host import at, write
from common.kubeconfig import kubeconfig
from kubeadm import tokens
from kubeadm.certs import PKI, SHARED, pki
from kubeadm.configuration import CONTROL_PLANE_TAINT, Configuration, generated_token
from kubeadm.defaults import cluster_defaults
from kubeadm.phases import Failed, say

CONFIG_MAPS = "/api/v1/namespaces/{}/configmaps"
RBAC = "/apis/rbac.authorization.k8s.io/v1"
LABELS = ["node-role.kubernetes.io/control-plane", "node.kubernetes.io/exclude-from-external-load-balancers"]
ADMIN, SUPER_ADMIN = "/etc/kubernetes/admin.conf", "/etc/kubernetes/super-admin.conf"


def config_map(name: str, namespace: str, data: dict[str, str], **labels: str) -> Object:
    metadata = {"name": name, "namespace": namespace, **({"labels": labels} if labels else {})}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


def allow_administrators() -> None:
    """Bind admin.conf's group to cluster-admin, as its first user with super-admin.conf."""
    binding = _binding(
        "ClusterRoleBinding",
        "kubeadm:cluster-admins",
        "ClusterRole",
        "cluster-admin",
        "kubeadm:cluster-admins",
    )
    Api.of(SUPER_ADMIN).put(f"{RBAC}/clusterrolebindings", binding)


def _binding(kind: str, name: str, role_kind: str, role: str, group: str) -> Object:
    api = "rbac.authorization.k8s.io"
    return {
        "apiVersion": f"{api}/v1",
        "kind": kind,
        "metadata": {"name": name},
        "roleRef": {"apiGroup": api, "kind": role_kind, "name": role},
        "subjects": [{"apiGroup": api, "kind": "Group", "name": group}],
    }


def upload_configuration(api: Api, configuration: Configuration, kubelet: Document) -> None:
    say(
        '[upload-config] Storing the configuration used in ConfigMap "kubeadm-config" in the '
        '"kube-system" Namespace'
    )
    maps = CONFIG_MAPS.format("kube-system")
    data = {"ClusterConfiguration": yaml.safe_dump(configuration.cluster)}
    api.put(maps, config_map("kubeadm-config", "kube-system", data))
    say(
        '[kubelet] Creating a ConfigMap "kubelet-config" in namespace kube-system with the '
        "configuration for the "
        "kubelets in the cluster"
    )
    api.put(maps, config_map("kubelet-config", "kube-system", {"kubelet": yaml.safe_dump(kubelet)}))


def cluster_configuration(api: Api) -> Document:
    """The cluster's ClusterConfiguration, as it was uploaded."""
    return cluster_defaults(yaml.safe_load(_uploaded(api, "kubeadm-config", "ClusterConfiguration")))


def kubelet_configuration(api: Api) -> Document:
    found: Document = yaml.safe_load(_uploaded(api, "kubelet-config", "kubelet"))
    return found


def _uploaded(api: Api, name: str, key: str) -> str:
    try:
        found = api.get(f"{CONFIG_MAPS.format('kube-system')}/{name}")
    except ApiError as error:
        raise Failed(f"failed to get config map: {error}") from None
    return str(found["data"][key])


def upload_certificates(api: Api, key: str) -> None:
    """Seal the shared certificates with ``key`` and keep them for two hours."""
    say('[upload-certs] Storing the certificates in Secret "kubeadm-certs" in the "kube-system" Namespace')
    owner = tokens.secret_of(
        {
            "token": generated_token(),
            "ttl": "2h",
            "description": "Proxy for managing TTL for the kubeadm-certs secret",
        }
    )
    made = api.create(tokens.SECRETS, owner)
    reference = {"apiVersion": "v1", "kind": "Secret", "name": made["metadata"]["name"],
                 "uid": made["metadata"]["uid"], "controller": True, "blockOwnerDeletion": True}  # fmt: skip
    data = {
        name.replace("/", "-"): b64encode(x509.seal(pki(name).read_bytes(), key)).decode() for name in SHARED
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "kubeadm-certs", "namespace": "kube-system", "ownerReferences": [reference]},
        "type": "Opaque",
        "data": data,
    }
    api.put(tokens.SECRETS, secret)


def download_certificates(api: Api, key: str) -> None:
    say(
        '[download-certs] Downloading the certificates in Secret "kubeadm-certs" in the "kube-system" '
        "Namespace"
    )
    secret = api.find(f"{tokens.SECRETS}/kubeadm-certs")
    if secret is None:
        raise Failed(
            'error downloading certs: error downloading the secret: Secret "kubeadm-certs" was not '
            "found in the "
            '"kube-system" Namespace. This Secret might have expired. Please, run `kubeadm init phase '
            "upload-certs "
            "--upload-certs` on a control plane to generate a new one"
        )
    say(f'[download-certs] Saving the certificates to the folder: "{PKI}"')
    for name in SHARED:
        sealed = b64decode(secret["data"][name.replace("/", "-")])
        try:
            text = x509.unseal(sealed, key).decode()
        except x509.Tampered as error:
            raise Failed(
                f"error downloading certs: error decoding secret data with provided key: {error}"
            ) from None
        write(f"{PKI}/{name}", text, 0o600 if name.endswith(".key") else 0o644)


def new_certificate_key() -> str:
    return os.urandom(32).hex()


def cluster_info(api: Api, configuration: Configuration) -> None:
    """Publish where the API is and by which authority; each token that signs gets its signature."""
    say('[bootstrap-token] Creating the "cluster-info" ConfigMap in the "kube-public" namespace')
    text = kubeconfig(configuration.server, pki("ca.crt").read_text(), "", "", {})
    place = yaml.safe_load(text)
    config = {
        **place,
        "clusters": [{**place["clusters"][0], "name": ""}],
        "contexts": None,
        "current-context": "",
        "users": None,
    }
    data = {"kubeconfig": yaml.safe_dump(config)}
    api.put(CONFIG_MAPS.format("kube-public"), config_map("cluster-info", "kube-public", data))


def allow_joining(api: Api) -> None:
    """The roles and bindings that let a machine with a token become a node."""
    say("[bootstrap-token] Configured RBAC rules to allow Node Bootstrap tokens to get nodes")
    say(
        "[bootstrap-token] Configured RBAC rules to allow Node Bootstrap tokens to post CSRs in order "
        "for nodes to get long term certificate credentials"
    )
    say(
        "[bootstrap-token] Configured RBAC rules to allow the csrapprover controller automatically "
        "approve CSRs from a Node Bootstrap Token"
    )
    say(
        "[bootstrap-token] Configured RBAC rules to allow certificate rotation for all node client "
        "certificates in the cluster"
    )
    group = "system:bootstrappers:kubeadm:default-node-token"
    approve = "system:certificates.k8s.io:certificatesigningrequests:"
    for name, role, who in (
        ("kubeadm:get-nodes", "kubeadm:get-nodes", group),
        ("kubeadm:kubelet-bootstrap", "system:node-bootstrapper", group),
        ("kubeadm:node-autoapprove-bootstrap", f"{approve}nodeclient", group),
        ("kubeadm:node-autoapprove-certificate-rotation", f"{approve}selfnodeclient", "system:nodes"),
    ):
        api.put(f"{RBAC}/clusterrolebindings", _binding("ClusterRoleBinding", name, "ClusterRole", role, who))


def verify_cluster_info(found: Object, token: str, pins: list[str]) -> str:
    """The authority's certificate (PEM) that a cluster-info names; Failed if it cannot be trusted."""
    identity, secret = token.split(".")
    data = found.get("data") or {}
    text, signature = data.get("kubeconfig") or "", data.get(f"jws-kubeconfig-{identity}") or ""
    if not text:
        raise Failed(
            "there is no kubeconfig key in the cluster-info ConfigMap. This API Server isn't set up for "
            "token "
            "bootstrapping, can't connect"
        )
    if not jws.valid(signature, text, identity, secret):
        raise Failed(
            "failed to verify JWS signature of received cluster info object, can't trust this API Server"
        )
    cluster = yaml.safe_load(text)["clusters"][0]["cluster"]
    pem = b64decode(cluster["certificate-authority-data"]).decode()
    for pin in pins:
        kind, _, digest = pin.partition(":")
        if kind.lower() != "sha256" or len(digest) != 64:
            raise Failed(
                f'invalid discovery token CA certificate hash: invalid hash "{pin}", expected a 32 byte '
                f"SHA-256 hash, found {len(digest) // 2} bytes"
            )
    found_hash = x509.spki_hash(pem)
    if pins and found_hash not in [pin.lower() for pin in pins]:
        raise Failed(
            f"cluster CA found in cluster-info ConfigMap is invalid: none of the public keys "
            f'"{found_hash}" are pinned'
        )
    return pem


def mark_control_plane(api: Api, configuration: Configuration) -> None:
    name, taints = configuration.name, configuration.node["nodeRegistration"].get("taints")
    taints = [CONTROL_PLANE_TAINT] if taints is None else taints
    say(
        f"[mark-control-plane] Marking the node {name} as control-plane by adding the labels: "
        f"[{' '.join(LABELS)}]"
    )
    node = api.get(f"/api/v1/nodes/{name}")
    kept = [taint for taint in node["spec"].get("taints") or [] if taint not in taints]
    patch: dict[str, Any] = {"metadata": {"labels": dict.fromkeys(LABELS, "")}}
    if taints:
        told = " ".join(f"{taint['key']}:{taint['effect']}" for taint in taints)
        say(f"[mark-control-plane] Marking the node {name} as control-plane by adding the taints [{told}]")
        patch["spec"] = {"taints": [*kept, *taints]}
    api.patch(f"/api/v1/nodes/{name}", patch)


def annotate_socket(api: Api, configuration: Configuration) -> None:
    annotation = {"kubeadm.alpha.kubernetes.io/cri-socket": configuration.socket}
    api.patch(f"/api/v1/nodes/{configuration.name}", {"metadata": {"annotations": annotation}})


def is_control_plane() -> bool:
    return at(ADMIN).exists() and at("/etc/kubernetes/manifests/kube-apiserver.yaml").exists()
