"""Who this kubelet is to the API server: its kubeconfig, its certificate, and how it came by them."""

from __future__ import annotations

import socket
import time
from base64 import b64decode, b64encode
from hashlib import sha256
from pathlib import Path

import yaml
from common import kubeconfig, x509
from common.api import Api, ApiError, Unreachable, inline
from common.host import at, write

PKI = "/var/lib/kubelet/pki"
CURRENT = f"{PKI}/kubelet-client-current.pem"
SIGNER = "kubernetes.io/kube-apiserver-client-kubelet"
REQUESTS = "/apis/certificates.k8s.io/v1/certificatesigningrequests"


class NoCredentials(Exception):
    """There is neither a kubeconfig nor one to bootstrap with."""


class Identity:
    """A node's name and credentials."""

    def __init__(self, config: str, bootstrap: str, name: str) -> None:
        self.config, self.bootstrap = config, bootstrap
        self.name = (name or socket.gethostname()).lower()

    def check(self) -> None:
        if at(self.config).exists():
            self._keep_first_certificate()
        elif not at(self.bootstrap).exists():
            raise NoCredentials(
                "failed to run Kubelet: unable to load bootstrap kubeconfig: stat "
                f"{self.bootstrap}: no such file or directory"
            )

    def api(self) -> Api:
        """A client of this node, after having bootstrapped if it has to. ApiError, Unreachable."""
        if not at(self.config).exists():
            self._bootstrap()
        return Api.of(self.config)

    def cluster(self) -> dict[str, str]:
        """The API server that this kubelet speaks to, and the CA that it trusts, as "server" and "ca"."""
        cluster, _ = kubeconfig.current(at(self.config).read_text())
        return {"server": cluster["server"], "ca": inline(cluster, "certificate-authority")}

    def _keep_first_certificate(self) -> None:
        """The certificate in kubelet.conf, which kubeadm made, becomes the first of kubelet's own."""
        _, user = kubeconfig.current(at(self.config).read_text())
        if user.get("client-certificate-data") and not at(CURRENT).exists():
            pem = kubeconfig.decoded(user["client-certificate-data"]) + kubeconfig.decoded(
                user["client-key-data"]
            )
            _make_current(pem)

    def _bootstrap(self) -> None:
        """TLS bootstrap: ask for a certificate with the token, and write kubelet.conf when it comes."""
        text = at(self.bootstrap).read_text()
        api = Api.of(self.bootstrap)
        key = at(f"{PKI}/kubelet-client.key.tmp")
        key.parent.mkdir(parents=True, exist_ok=True)
        if not key.exists():
            x509.new_key(key)
        csr = x509.request(key, f"system:node:{self.name}", ["system:nodes"])
        name = f"node-csr-{sha256((csr + self.name).encode()).hexdigest()[:43]}"
        body = {
            "apiVersion": "certificates.k8s.io/v1",
            "kind": "CertificateSigningRequest",
            "metadata": {"name": name},
            "spec": {
                "request": b64encode(csr.encode()).decode(),
                "signerName": SIGNER,
                "usages": ["digital signature", "client auth"],
            },
        }
        try:
            api.create(REQUESTS, body)
        except ApiError as error:
            if error.status != 409:
                raise
        certificate = _issued(api, name)
        _make_current(certificate + key.read_text())
        key.unlink()
        cluster, _ = kubeconfig.current(text)
        config = yaml.safe_load(text)
        config["users"] = [
            {"name": "default-auth", "user": {"client-certificate": CURRENT, "client-key": CURRENT}}
        ]
        config["clusters"] = [{"name": "default-cluster", "cluster": cluster}]
        context = {"cluster": "default-cluster", "user": "default-auth", "namespace": "default"}
        config["contexts"] = [{"name": "default-context", "context": context}]
        config["current-context"] = "default-context"
        write(self.config, yaml.safe_dump(config))


def _issued(api: Api, name: str, limit: float = 60) -> str:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        status = api.get(f"{REQUESTS}/{name}").get("status") or {}
        if status.get("certificate"):
            return b64decode(status["certificate"]).decode()
        time.sleep(0.3)
    raise Unreachable(f'certificate signing request "{name}" was not answered')


def _make_current(pem: str) -> None:
    """Keep a certificate with its key under its time, and have the current one point to it."""
    dated = f"{PKI}/kubelet-client-{time.strftime('%Y-%m-%d-%H-%M-%S')}.pem"
    write(dated, pem)
    current: Path = at(CURRENT)
    new = current.with_name(".current")
    new.unlink(missing_ok=True)
    new.symlink_to(dated)
    new.rename(current)
