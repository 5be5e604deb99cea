"""traefik/whoami: who answers, and what was asked.

Its form is https://github.com/traefik/whoami's.
"""

from __future__ import annotations

import os
import subprocess
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

PORT = 80


def _addresses() -> list[str]:
    said = subprocess.run(["ip", "-oneline", "address"], capture_output=True, text=True, check=False).stdout
    words = [line.split() for line in said.splitlines()]
    return [line[3].partition("/")[0] for line in words if len(line) > 3 and line[2] in ("inet", "inet6")]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        lines = [f"Hostname: {os.environ['POD_NAME']}", *(f"IP: {address}" for address in _addresses())]
        lines += [f"RemoteAddr: {self.client_address[0]}:{self.client_address[1]}", self.requestline]
        lines += [f"{name}: {value}" for name, value in self.headers.items()]
        content = ("\n".join(lines) + "\n\n").encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_GET

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: the log of a pod that is asked all day would grow."""


def serve(port: int, handler: type[BaseHTTPRequestHandler]) -> None:
    """Answer for as long as the process lives, and say when it can."""
    server = ThreadingHTTPServer(("", port), handler)
    server.daemon_threads = True
    Path(os.environ["READY_FILE"]).touch()
    server.serve_forever()


if __name__ == "__main__":
    serve(PORT, _Handler)
