"""HTTP on the agent's socket."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import socketserver
import threading
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler
from typing import Any

from common.host import at

SOCKET = "/var/run/cilium/cilium.sock"
Answers = Mapping[str, Callable[[], Any]]


class _Server(socketserver.ThreadingMixIn, socketserver.UnixStreamServer):
    daemon_threads = True
    answers: Answers

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that goes away is no event."""


class _Handler(BaseHTTPRequestHandler):
    server: _Server

    def do_GET(self) -> None:
        answer = self.server.answers.get(self.path.partition("?")[0])
        missing = {"code": 404, "message": f"path {self.path} was not found"}
        status, body = (200, answer()) if answer else (404, missing)
        text = (json.dumps(body) + "\n").encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def address_string(self) -> str:
        return "local"

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def serve(answers: Answers) -> None:
    """Answer GET requests for these paths for as long as the process lives."""
    path = at(SOCKET)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    server = _Server(str(path), _Handler)
    path.chmod(0o660)
    server.answers = answers
    threading.Thread(target=server.serve_forever, daemon=True).start()


def ask(path: str, timeout: float = 5) -> Any:
    """What the agent on this host answers. OSError where there is none."""
    with contextlib.closing(socket.socket(socket.AF_UNIX)) as client:
        client.settimeout(timeout)
        client.connect(str(at(SOCKET)))
        connection = http.client.HTTPConnection("localhost")
        connection.sock = client
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise OSError(f"{path}: {answer.status} {text.decode().strip()}")
        return json.loads(text)
