"""nicolaka/netshoot with a shell's little server: it says which pod answers."""

from __future__ import annotations

import os
from http.server import BaseHTTPRequestHandler

from kubelet.whoami import serve

PORT = 8080


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        content = f"OK from {os.environ['POD_NAME']}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the log of a pod that is asked all day would grow."""


if __name__ == "__main__":
    serve(PORT, _Handler)
