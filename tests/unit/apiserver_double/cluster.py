"""An etcd and API servers over it on loopback, with certificates, and the programs that speak to them."""

from __future__ import annotations

import json
import os
import socket
import ssl
import subprocess
import sys
import time
import urllib.error
import urllib.request
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from tests.unit.real import program

DOUBLES = Path(__file__).parents[2] / "doubles"
_START = 120  # seconds for a program to come up


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


# A key pair that is made at once, without a passphrase.
_KEY = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
_ETCD_CLIENT = "/O=system:masters/CN=kube-apiserver-etcd-client"


class Certificates:
    """One CA in a folder, and certificates that it signs."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.ca = folder / "ca.crt"
        self._openssl(f"req -x509 {_KEY} -keyout ca.key -out ca.crt -days 2 -subj /CN=test-ca")
        (folder / "san").write_text("subjectAltName=IP:127.0.0.1,DNS:localhost\n")

    def sign(self, name: str, subject: str) -> tuple[Path, Path]:
        """A certificate for 127.0.0.1 and clients, and its key. ``subject`` is /O=…/CN=…"""
        certificate, key = self.folder / f"{name}.crt", self.folder / f"{name}.key"
        if not certificate.exists():
            self._openssl(f"req {_KEY} -keyout {name}.key -out {name}.csr -subj {subject}")
            signing = "-CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile san"
            self._openssl(f"x509 -req -in {name}.csr {signing} -out {name}.crt")
        return certificate, key

    def _openssl(self, arguments: str) -> None:
        command = ["openssl", *arguments.split()]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)


class EtcdServer:
    """A real etcd with TLS for clients."""

    def __init__(self, folder: Path, certificates: Certificates) -> None:
        self.folder, self.certificates = folder, certificates
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def client_flags(self) -> list[str]:
        """As kube-apiserver takes them."""
        certificate, key = self.certificates.sign("etcd-client", _ETCD_CLIENT)
        return [
            f"--etcd-servers=https://127.0.0.1:{self.port}",
            f"--etcd-cafile={self.certificates.ca}",
            f"--etcd-certfile={certificate}",
            f"--etcd-keyfile={key}",
        ]

    def start(self) -> None:
        certificate, key = self.certificates.sign("etcd", "/CN=etcd")
        url, peer = f"https://127.0.0.1:{self.port}", f"http://127.0.0.1:{free_port()}"
        command = [
            program("etcd"),
            f"--data-dir={self.folder}", f"--listen-client-urls={url}", f"--advertise-client-urls={url}",
            f"--listen-peer-urls={peer}", f"--initial-advertise-peer-urls={peer}",
            f"--initial-cluster=default={peer}",
            f"--cert-file={certificate}", f"--key-file={key}", "--client-cert-auth=true",
            f"--trusted-ca-file={self.certificates.ca}", "--log-level=error",
        ]  # fmt: skip
        with (self.folder.parent / "etcd.log").open("ab") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=log)
        _listening(self.port, self.process)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)

    def ctl(self, *arguments: str) -> str:
        certificate, key = self.certificates.sign("etcd-client", _ETCD_CLIENT)
        command = [
            program("etcdctl"), f"--endpoints=https://127.0.0.1:{self.port}",
            f"--cacert={self.certificates.ca}", f"--cert={certificate}", f"--key={key}", *arguments,
        ]  # fmt: skip
        environment = {**os.environ, "ETCDCTL_API": "3"}
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


class ApiServer:
    """The double as a program of its own."""

    def __init__(self, folder: Path, certificates: Certificates, etcd: EtcdServer) -> None:
        self.folder, self.certificates, self.etcd = folder, certificates, etcd
        folder.mkdir(exist_ok=True)
        self.faults = folder / "faults"
        self.faults.mkdir(exist_ok=True)
        self.port = free_port()
        self.url = f"https://127.0.0.1:{self.port}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, *flags: str, ready: bool = True) -> None:
        certificate, key = self.certificates.sign("apiserver", "/CN=kube-apiserver")
        command = [
            sys.executable, "-m", "apiserver",
            "--advertise-address=127.0.0.1", "--allow-privileged=true", "--authorization-mode=Node,RBAC",
            f"--client-ca-file={self.certificates.ca}", "--enable-admission-plugins=NodeRestriction",
            "--enable-bootstrap-token-auth=true", *self.etcd.client_flags, f"--secure-port={self.port}",
            "--service-cluster-ip-range=10.96.0.0/16", f"--tls-cert-file={certificate}",
            f"--service-account-signing-key-file={self.certificates.folder / 'ca.key'}",
            f"--tls-private-key-file={key}", *flags,
        ]  # fmt: skip
        environment = {
            **os.environ,
            "PYTHONPATH": str(DOUBLES),
            "KUBERNETES_DOUBLE_FAULTS": str(self.faults),
        }
        with (self.folder / "apiserver.log").open("ab") as log:
            self.process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        _listening(self.port, self.process)
        if ready:
            self.wait_until_ready()

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait(10)

    def wait_until_ready(self) -> None:
        until = time.monotonic() + _START
        while self.get("/readyz")[0] != 200:
            assert time.monotonic() < until, self.get("/readyz?verbose")
            time.sleep(0.05)

    def get(self, path: str, *, token: str = "", user: tuple[Path, Path] | None = None) -> tuple[int, str]:
        """Status and text of an answer, without a certificate unless one is given."""
        return self.send("GET", path, token=token, user=user)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        token: str = "",
        user: tuple[Path, Path] | None = None,
        kind: str = "application/json",
    ) -> tuple[int, str]:
        """One request with ``body`` as JSON: status and text of the answer."""
        tls = ssl.create_default_context(cafile=str(self.certificates.ca))
        if user:
            tls.load_cert_chain(*user)
        headers = {"Content-Type": kind} | ({"Authorization": f"Bearer {token}"} if token else {})
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.url + path, data, headers, method=method)
        try:
            with urllib.request.urlopen(request, context=tls, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, refused.read().decode()

    def kubeconfig(self, user: str = "admin", subject: str = "/O=system:masters/CN=kubernetes-admin") -> Path:
        """A kubeconfig for a user with this certificate's subject."""
        certificate, key = self.certificates.sign(user, subject)
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": user}}],
            "clusters": [
                {
                    "name": "test",
                    "cluster": {"server": self.url, "certificate-authority": str(self.certificates.ca)},
                }
            ],
            "users": [
                {"name": user, "user": {"client-certificate": str(certificate), "client-key": str(key)}}
            ],
        }
        path = self.folder / f"{user}.conf"
        path.write_text(json.dumps(config))
        return path


class Client:
    """kubectl or Helm as a user."""

    def __init__(self, name: str, kubeconfig: Path, home: Path) -> None:
        self.command = [program(name)]
        self.environment = {**os.environ, "KUBECONFIG": str(kubeconfig), "HOME": str(home)}

    def run(self, *arguments: str, stdin: str | None = None, status: int = 0) -> str:
        """What it prints, once it has ended with ``status``; standard error, too, when that is not 0."""
        done = subprocess.run(
            [*self.command, *arguments],
            input=stdin,
            capture_output=True,
            text=True,
            env=self.environment,
            timeout=120,
        )
        assert done.returncode == status, f"{arguments}: {done.returncode}\n{done.stdout}{done.stderr}"
        return done.stdout + (done.stderr if status else "")

    __call__ = run

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [*self.command, *arguments], stdout=subprocess.PIPE, text=True, env=self.environment
        )


class Cluster(ExitStack):
    """etcd and one API server, running."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.folder = folder
        program("openssl")
        self.certificates = Certificates(folder / "pki")
        self.etcd = EtcdServer(folder / "etcd", self.certificates)
        (folder / "etcd").mkdir(mode=0o700)
        self.callback(self.etcd.stop)
        self.etcd.start()
        self.api = self.another()
        self.api.start()

    def another(self) -> ApiServer:
        """One more API server over the same etcd, not started yet."""
        server = ApiServer(self.folder / f"api-{free_port()}", self.certificates, self.etcd)
        self.callback(server.stop)
        return server

    def client(self, name: str, user: str = "admin", **subject: str) -> Client:
        return Client(name, self.api.kubeconfig(user, **subject), self.folder)


def _listening(port: int, process: subprocess.Popen[bytes]) -> None:
    until = time.monotonic() + _START
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, f"{process.args[0]} ended with {process.returncode}"
            assert time.monotonic() < until, f"nothing listens on {port}"
            time.sleep(0.02)
