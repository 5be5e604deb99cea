"""HTTP: a request in, its answer out."""

from __future__ import annotations

import json
import os
import ssl
import sys
import threading
import time
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from apiserver import access, discovery, faults, subresources, tables, watch
from apiserver.errors import StatusError, no_such_path, unauthorized
from apiserver.etcd import EtcdError
from apiserver.request import Request, Target, target
from apiserver.resources import REVIEWS, Registry
from apiserver.rest import Rest
from apiserver.tokens import Tokens

_OPENAPI_V2 = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf"
_VERBS = {"POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}


@dataclass
class Server:
    """What the handlers of all connections share."""

    rest: Rest
    registry: Registry
    version: str
    bootstrap_tokens: bool
    tokens: Tokens
    started: Any  # says with ``done`` whether all is there that a client expects
    answered: int = 0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def listen(self, address: str, port: int, tls: ssl.SSLContext) -> _Listener:
        listener = _Listener((address, port), _Handler)
        listener.shared = self
        # The handshake is left to the connection's own thread, or a silent client would stop all others.
        listener.socket = tls.wrap_socket(listener.socket, server_side=True, do_handshake_on_connect=False)
        return listener

    def count(self) -> None:
        """Count a request, and die of it if a test wants that."""
        with self.lock:
            self.answered += 1
        limit = faults.number("apiserver-dies-after", 0)
        if limit is not None and self.answered > limit:
            print("fault injected: apiserver-dies-after", file=sys.stderr, flush=True)
            os._exit(1)


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    shared: Server

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes, or that TLS refuses, is a line in the log."""
        error = sys.exc_info()[1]
        if isinstance(error, OSError):
            print(f"http: TLS handshake or connection with {client_address[0]}: {error}", file=sys.stderr)
        else:
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # an answer is one write
    server: _Listener

    def do_GET(self) -> None:
        self._answer()

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET

    def _answer(self) -> None:
        shared = self.server.shared
        url = urlsplit(self.path)
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length") or 0))
        query = dict(parse_qsl(url.query, keep_blank_values=True))
        request = Request(self.command, unquote(url.path), query, headers, body)
        shared.count()
        if slow := faults.number("apiserver-slow", 5):
            time.sleep(slow)
        try:
            request.user = self._who(headers)
            self._route(shared, request)
        except StatusError as refused:
            self._json(refused.code, refused.body)
        except EtcdError as failed:
            self._json(500, StatusError(500, "InternalError", str(failed)).body)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLError):
            self.close_connection = True
        except Exception as failed:  # a mistake of the double, told to the client and in full to the log
            import traceback

            traceback.print_exc()
            message = f"Internal error occurred: {type(failed).__name__}: {failed}"
            self._json(500, StatusError(500, "InternalError", message).body)

    def _who(self, headers: dict[str, str]) -> access.User:
        known = access.of_certificate(self.connection.getpeercert())
        if known:
            return known
        kind, _, token = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer":
            shared, token = self.server.shared, token.strip()
            if token.count(".") == 2:
                return shared.tokens.user(shared.rest.etcd, token)
            if not shared.bootstrap_tokens:
                raise unauthorized()
            return access.of_token(shared.rest.etcd, token)
        return access.ANONYMOUS

    def _route(self, shared: Server, request: Request) -> None:
        found = target(shared.registry, request.path)
        asked = _asked(request, found)
        if not access.allowed(request.user, asked):
            raise access.refused(request.user, asked)
        if found:
            self._resource(shared, request, found)
        elif request.method == "GET":
            self._document(shared, request)
        else:
            raise no_such_path()

    def _document(self, shared: Server, request: Request) -> None:
        path, accept = request.path.rstrip("/") or "/", request.headers.get("accept", "")
        if path == "/version":
            self._json(200, discovery.version(shared.version))
        elif path in ("/healthz", "/livez", "/readyz"):
            self._health(shared, path, "verbose" in request.query)
        elif path == "/openapi/v2":
            if "protobuf" in accept:
                self._send(200, discovery.openapi_v2_protobuf(shared.registry), _OPENAPI_V2)
            else:
                self._json(200, discovery.openapi_v2(shared.registry))
        elif path.startswith("/openapi/v3") and (document := discovery.openapi_v3(shared.registry, path)):
            self._json(200, document)
        elif answer := discovery.answer(shared.registry, path, accept):
            self._send(200, json.dumps(answer[0]).encode(), answer[1])
        else:
            raise no_such_path()

    def _health(self, shared: Server, path: str, verbose: bool) -> None:
        """The checks by name, in the words of k8s.io/apiserver's healthz."""
        checks = {"ping": True, "log": True, "etcd": _reachable(shared)}
        if path != "/livez":
            checks["poststarthook/start-system-namespaces-controller"] = shared.started.done
        if path == "/readyz" and faults.injected("apiserver-never-ready") is not None:
            checks["informer-sync"] = False
        name, good = path.strip("/"), all(checks.values())
        lines = [
            f"[+]{each} ok" if fine else f"[-]{each} failed: reason withheld" for each, fine in checks.items()
        ]
        text = "\n".join([*lines, f"{name} check {'passed' if good else 'failed'}", ""])
        self._send(
            200 if good else 500,
            (text if verbose or not good else "ok").encode(),
            "text/plain; charset=utf-8",
        )

    def _resource(self, shared: Server, request: Request, found: Target) -> None:
        rest, method = shared.rest, request.method
        if found.subresource == "scale":
            return self._json(200, subresources.scale(rest, request, found))
        if method == "POST":
            return self._json(201, _posted(shared, request, found))
        if method == "GET":
            if request.watches:
                return self._watch(shared, request, found)
            obj = rest.get(found) if found.name else rest.list(request, found)
            return self._json(200, _as_table(request, found, obj))
        if not found.name and method != "DELETE":
            raise StatusError(
                405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
            )
        if method == "PUT":
            return self._json(200, rest.replace(request, found))
        if method == "PATCH":
            return self._json(200, rest.patch(request, found))
        delete = rest.delete if found.name else rest.delete_collection
        return self._json(200, delete(request, found))

    def _watch(self, shared: Server, request: Request, found: Target) -> None:
        watch.refuse_streaming_list(request)
        stream = watch.events(shared.rest, request, found, self.connection)
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.flush()
        for event in stream:
            line = json.dumps(event, separators=(",", ":")).encode() + b"\n"
            self.wfile.write(b"%x\r\n%s\r\n" % (len(line), line))
            self.wfile.flush()
        self.wfile.write(b"0\r\n\r\n")
        self.close_connection = True

    def _json(self, code: int, document: Any) -> None:
        self._send(code, json.dumps(document, separators=(",", ":")).encode() + b"\n", "application/json")

    def _send(self, code: int, content: bytes, content_type: str) -> None:
        self.send_response(code)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Nothing: a lab's log would drown in leases."""


def _asked(request: Request, found: Target | None) -> access.Asked:
    if not found:
        return access.Asked(request.method.lower(), request.path)
    verb = _VERBS.get(request.method) or ("get" if found.name else "list")
    if verb == "list" and request.watches:
        verb = "watch"
    if verb == "delete" and not found.name:
        verb = "deletecollection"
    namespace = found.name if found.resource.plural == "namespaces" else found.namespace
    return access.Asked(verb, request.path, found.resource, namespace, found.name, found.subresource)


def _posted(shared: Server, request: Request, found: Target) -> dict[str, Any]:
    if found.resource.plural in REVIEWS:
        return subresources.review(shared.registry, request, found)
    if found.subresource == "eviction":
        return subresources.evict(shared.rest, request, found)
    if found.subresource == "token":
        return shared.tokens.create(shared.rest.etcd, request, found)
    if found.subresource == "binding":
        return subresources.bind(shared.rest, request, found)
    if found.name:
        raise StatusError(
            405, "MethodNotAllowed", "the server does not allow this method on the requested resource"
        )
    return shared.rest.create(request, found)


def _as_table(request: Request, found: Target, obj: dict[str, Any]) -> dict[str, Any]:
    if not request.wants_table:
        return obj
    items = [obj] if found.name else obj["items"]
    metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
    return tables.table(found.resource, items, metadata, request.query.get("includeObject", "Metadata"))


def _reachable(shared: Server) -> bool:
    try:
        shared.rest.etcd.get("health")  # what `etcdctl endpoint health` asks for
    except EtcdError:
        return False
    return True
