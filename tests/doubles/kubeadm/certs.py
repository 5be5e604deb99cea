"""The public key infrastructure under /etc/kubernetes/pki and the kubeconfig files made from it."""

from __future__ import annotations

import ipaddress
from pathlib import Path

from common import x509
from common.host import at, write
from common.kubeconfig import encoded, kubeconfig
from common.x509 import CLIENT, SERVER
from kubeadm.configuration import Configuration
from kubeadm.phases import say

PKI, FOLDER = "/etc/kubernetes/pki", "/etc/kubernetes"

# What control-plane nodes share: each uploaded under its name with "/" as "-".
SHARED = ["ca.crt", "ca.key", "sa.key", "sa.pub", "front-proxy-ca.crt", "front-proxy-ca.key",
          "etcd/ca.crt", "etcd/ca.key"]  # fmt: skip

# file -> common name
AUTHORITIES = {"ca": "kubernetes", "front-proxy-ca": "front-proxy-ca", "etcd/ca": "etcd-ca"}

# kubeconfig -> user, organizations, whether it is for the API server of this node only
KUBECONFIGS: dict[str, tuple[str, list[str], bool]] = {
    "admin.conf": ("kubernetes-admin", ["kubeadm:cluster-admins"], False),
    "super-admin.conf": ("kubernetes-super-admin", ["system:masters"], False),
    "kubelet.conf": ("system:node:{name}", ["system:nodes"], False),
    "controller-manager.conf": ("system:kube-controller-manager", [], True),
    "scheduler.conf": ("system:kube-scheduler", [], True),
}


def pki(name: str) -> Path:
    return at(f"{PKI}/{name}")


def authorities() -> None:
    """Make the authorities and the service accounts' key, where they are not there."""
    say(f'[certs] Using certificateDir folder "{PKI}"')
    pki("etcd").mkdir(parents=True, exist_ok=True)
    for name, common_name in AUTHORITIES.items():
        if pki(f"{name}.key").exists():
            say(f"[certs] Using existing {name} certificate authority")
            continue
        x509.new_ca(pki(f"{name}.crt"), pki(f"{name}.key"), common_name)
        say(f'[certs] Generating "{name}" certificate and key')
    if pki("sa.key").exists():
        say('[certs] Using the existing "sa" key')
        return
    x509.new_key(pki("sa.key"))
    write(f"{PKI}/sa.pub", x509.public_key(pki("sa.key")))
    say('[certs] Generating "sa" key and public key')


def leaves(configuration: Configuration, renew: str = "") -> None:
    """Make the certificates of this node's own, or make anew those whose name begins with ``renew``."""
    for name, (ca, common_name, organizations, usages) in _leaves(configuration).items():
        if renew and not name.startswith(renew):
            continue
        key = pki(f"{name}.key")
        if key.exists() and not renew:
            say(f"[certs] Using existing {name} certificate and key on disk")
            continue
        if not key.exists():
            x509.new_key(key)
        names = _names(configuration, name)
        csr = x509.request(key, common_name, organizations)
        certificate = x509.sign(csr, pki(f"{ca}.crt"), pki(f"{ca}.key"), usages, names)
        write(f"{PKI}/{name}.crt", certificate, 0o644)
        if renew:
            continue
        say(f'[certs] Generating "{name}" certificate and key')
        if names:
            dns = " ".join(n.removeprefix("DNS:") for n in names if n.startswith("DNS:"))
            ips = " ".join(n.removeprefix("IP:") for n in names if n.startswith("IP:"))
            say(f"[certs] {name} serving cert is signed for DNS names [{dns}] and IPs [{ips}]")


def _leaves(configuration: Configuration) -> dict[str, tuple[str, str, list[str], list[str]]]:
    """Certificate -> authority, common name, organizations, usages."""
    both = [SERVER, CLIENT]
    admins = ["kubeadm:cluster-admins"]
    return {
        "apiserver": ("ca", "kube-apiserver", [], [SERVER]),
        "apiserver-kubelet-client": ("ca", "kube-apiserver-kubelet-client", admins, [CLIENT]),
        "front-proxy-client": ("front-proxy-ca", "front-proxy-client", [], [CLIENT]),
        "etcd/server": ("etcd/ca", configuration.name, [], both),
        "etcd/peer": ("etcd/ca", configuration.name, [], both),
        "etcd/healthcheck-client": ("etcd/ca", "kube-etcd-healthcheck-client", [], [CLIENT]),
        "apiserver-etcd-client": ("etcd/ca", "kube-apiserver-etcd-client", [], [CLIENT]),
    }


def _names(configuration: Configuration, certificate: str) -> list[str]:
    name, address, cluster = configuration.name, configuration.address, configuration.cluster
    if certificate in ("etcd/server", "etcd/peer"):
        kind = "serverCertSANs" if certificate == "etcd/server" else "peerCertSANs"
        extra = cluster["etcd"]["local"].get(kind) or []
        return _alternative([name, "localhost", address, "127.0.0.1", "::1", *extra])
    if certificate != "apiserver":
        return []
    domain = cluster["networking"]["dnsDomain"]
    service = ipaddress.ip_network(cluster["networking"]["serviceSubnet"].split(",")[0])
    names = [name, "kubernetes", "kubernetes.default", "kubernetes.default.svc"]
    names += [f"kubernetes.default.svc.{domain}", str(service[1]), address]
    shared = cluster.get("controlPlaneEndpoint")
    if shared:
        names.append(shared.rpartition(":")[0])
    return _alternative([*names, *(cluster["apiServer"].get("certSANs") or [])])


def _alternative(names: list[str]) -> list[str]:
    found = []
    for name in dict.fromkeys(names):
        try:
            found.append(f"IP:{ipaddress.ip_address(name)}")
        except ValueError:
            found.append(f"DNS:{name.lower()}")
    return found


def kubeconfigs(configuration: Configuration, names: list[str]) -> None:
    """Write the kubeconfig files ``names``, each with a key and certificate of its own."""
    say(f'[kubeconfig] Using kubeconfig folder "{FOLDER}"')
    for name in names:
        if at(f"{FOLDER}/{name}").exists():
            say(f'[kubeconfig] Using existing kubeconfig file: "{FOLDER}/{name}"')
            continue
        write_kubeconfig(configuration, name)
        say(f'[kubeconfig] Writing "{name}" kubeconfig file')


def write_kubeconfig(configuration: Configuration, name: str) -> None:
    user, organizations, local = KUBECONFIGS[name]
    user = user.format(name=configuration.name)
    key = at(f"{FOLDER}/.{name}.key")
    x509.new_key(key)
    try:
        csr = x509.request(key, user, organizations)
        certificate = x509.sign(csr, pki("ca.crt"), pki("ca.key"), [CLIENT])
        credentials = {
            "client-certificate-data": encoded(certificate),
            "client-key-data": encoded(key.read_text()),
        }
    finally:
        key.unlink()
    endpoint = configuration.endpoint
    here = f"https://{endpoint['advertiseAddress']}:{endpoint['bindPort']}"
    server = here if local else configuration.server
    cluster = configuration.cluster["clusterName"]
    text = kubeconfig(server, pki("ca.crt").read_text(), cluster, user, credentials)
    write(f"{FOLDER}/{name}", text)


def ca_hash() -> str:
    return x509.spki_hash(pki("ca.crt").read_text())


def expirations() -> dict[str, str]:
    """Every certificate of this node -> when it ends, as `kubeadm certs check-expiration` prints it."""
    found = {}
    for path in sorted(at(PKI).rglob("*.crt")):
        name = str(path.relative_to(at(PKI)).with_suffix("")).replace("/", "-")
        found[name] = x509.not_after(path.read_text()).strftime("%b %d, %Y %H:%M UTC")
    return found
