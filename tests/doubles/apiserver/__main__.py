"""``python3 -m apiserver <flags of kube-apiserver>``"""

from __future__ import annotations

import os
import signal
import ssl
import sys
import threading
from pathlib import Path

from apiserver import collector, flags
from apiserver.etcd import Etcd
from apiserver.resources import Registry
from apiserver.rest import Rest
from apiserver.server import Server
from apiserver.services import Services
from apiserver.tokens import Tokens

VERSION_FILE = Path("/usr/lib/kubernetes-double/version")


def main(arguments: list[str]) -> None:
    """Serve until SIGTERM. FlagError, OSError (ssl.SSLError among them) for what cannot be served with."""
    given = flags.parse(arguments)
    version = given.text("double-version") or _version()
    if given.on("version"):
        print(f"Kubernetes {version} (test double)")
        return
    servers = given.required("etcd-servers").split(",")
    etcd = Etcd(servers, *(given.text(f"etcd-{kind}") for kind in ("cafile", "certfile", "keyfile")))
    registry, follow = Registry(etcd), collector.Collector()
    addresses = given.text("service-cluster-ip-range", "10.0.0.0/24")
    services = Services(etcd, addresses, given.text("service-node-port-range", "30000-32767"))
    rest = Rest(etcd, services, follow.removed)
    port = given.number("secure-port", 6443)
    beginnings = collector.Beginnings(rest, given.text("advertise-address", "127.0.0.1"), port)
    accounts = Tokens(given.text("service-account-signing-key-file"))
    server = Server(rest, registry, version, given.on("enable-bootstrap-token-auth"), accounts, beginnings)
    listener = server.listen(given.text("bind-address", "0.0.0.0"), port, _tls(given))

    def begin() -> None:
        beginnings.run()
        follow.start(rest, registry)
        collector.compact(rest, every=300)

    threading.Thread(target=begin, daemon=True).start()
    print(f"Serving securely on port {port}", file=sys.stderr, flush=True)
    # Watches would keep an orderly end waiting; everything that was answered is in etcd.
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    listener.serve_forever()


def _version() -> str:
    """The version that the package of the double was made for."""
    text = VERSION_FILE.read_text().strip() if VERSION_FILE.exists() else "v1.33.2"
    return text if text.startswith("v") else f"v{text}"


def _tls(given: flags.Flags) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(given.required("tls-cert-file"), given.required("tls-private-key-file"))
    context.set_alpn_protocols(["http/1.1"])
    if given.text("client-ca-file"):
        context.load_verify_locations(given.text("client-ca-file"))
        context.verify_mode = ssl.CERT_OPTIONAL
    return context


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except (flags.FlagError, OSError) as failed:
        sys.exit(f"Error: {failed}")
