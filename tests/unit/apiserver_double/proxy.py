"""Stands between a client and the API server, counts what is written, and kills the client after a write."""

from __future__ import annotations

import json
import os
import signal
import ssl
import threading
from contextlib import AbstractContextManager, suppress
from http.client import HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from .cluster import Cluster

_SUBJECT = "/O=system:masters/CN=kubernetes-admin"


class Proxy(AbstractContextManager["Proxy"]):
    """``kill`` is after which write, and which process group."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster
        self.writes = 0
        self.kill: tuple[int, int] = (0, 0)
        self.lock = threading.Lock()
        self.upstream = ssl.create_default_context(cafile=str(cluster.certificates.ca))
        self.upstream.load_cert_chain(*cluster.certificates.sign("admin", _SUBJECT))
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Handler,), {"proxy": self}))
        own = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        own.load_cert_chain(*cluster.certificates.sign("proxy", "/CN=proxy"))
        self.server.socket = own.wrap_socket(
            self.server.socket, server_side=True, do_handshake_on_connect=False
        )
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def kubeconfig(self, folder: Path) -> Path:
        config = json.loads(self.cluster.api.kubeconfig().read_text())
        config["clusters"][0]["cluster"]["server"] = f"https://127.0.0.1:{self.server.server_port}"
        path = folder / "proxy.conf"
        path.write_text(json.dumps(config))
        path.chmod(0o600)
        return path

    def written(self) -> None:
        with self.lock:
            self.writes += 1
            write, group = self.kill
            if self.writes == write:
                with suppress(ProcessLookupError):
                    os.killpg(group, signal.SIGKILL)


class _Handler(BaseHTTPRequestHandler):
    proxy: Proxy

    def forward(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        connection = HTTPSConnection(urlsplit(self.proxy.cluster.api.url).netloc, context=self.proxy.upstream)
        kept = {name: self.headers[name] for name in ("Accept", "Content-Type") if name in self.headers}
        connection.request(self.command, self.path, body or None, kept)
        answer = connection.getresponse()
        if self.command != "GET" and answer.status < 300:
            self.proxy.written()
        with suppress(OSError):
            self.send_response(answer.status)
            self.send_header("Content-Type", answer.headers.get("Content-Type", "application/json"))
            self.end_headers()
            while part := answer.read1():
                self.wfile.write(part)
        connection.close()

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = forward

    def log_message(self, *_: Any) -> None:
        """Nothing is to be said of it."""
