"""Small health servers, as the components have them."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from common import x509


class _Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        right = self.path.split("?")[0] in ("/healthz", "/livez", "/readyz")
        text = b"ok" if right else b"404 page not found\n"
        self.send_response(200 if right else 404)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no event."""


def healthz(address: str, port: int, tls: tuple[Path, Path] | None = None) -> None:
    """Answer /healthz, /livez and /readyz for as long as the process lives; OSError if the port is taken.

    With ``tls``, a certificate and its key, over HTTPS; they are made if they are not there.
    """
    server = _Server((address, port), _Healthy)
    if tls:
        certificate, key = tls
        if not certificate.exists():
            certificate.parent.mkdir(parents=True, exist_ok=True)
            x509.self_signed(certificate, key, "double")
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key)
        # Without this one client that does not speak would keep all others waiting.
        server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    threading.Thread(target=server.serve_forever, daemon=True).start()
