"""etcd through its JSON gateway: https://etcd.io/docs/v3.5/dev-guide/api_grpc_gateway/"""

from __future__ import annotations

import http.client
import json
import socket
import ssl
import threading
from base64 import b64decode, b64encode
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

# Seconds after which an etcd that does not answer counts as unreachable.
TIMEOUT = 5.0


class EtcdError(Exception):
    """etcd could not be reached, or refused; one line."""


@dataclass(frozen=True)
class Stored:
    """A key with its value and the revisions of its creation and of its last change."""

    key: str
    value: bytes
    revision: int
    created: int


def _stored(kv: dict[str, str]) -> Stored:
    return Stored(
        b64decode(kv["key"]).decode(),
        b64decode(kv.get("value", "")),
        int(kv.get("mod_revision", 0)),
        int(kv.get("create_revision", 0)),
    )


def _b64(text: str | bytes) -> str:
    return b64encode(text.encode() if isinstance(text, str) else text).decode()


def _prefix(prefix: str) -> dict[str, str]:
    """All keys below a prefix, as etcd wants them said."""
    return {"key": _b64(prefix), "range_end": _b64(prefix[:-1] + chr(ord(prefix[-1]) + 1))}


class Etcd:
    """One or more etcd servers of a cluster; thread-safe."""

    def __init__(self, servers: list[str], cafile: str = "", certfile: str = "", keyfile: str = "") -> None:
        self._servers = [urlsplit(server) for server in servers]
        self._tls = ssl.create_default_context(cafile=cafile or None)
        # Python 3.13 asks for extensions that RFC 5280 wants and Go, the real one's language, does not check.
        self._tls.verify_flags &= ~ssl.VERIFY_X509_STRICT
        if certfile:
            self._tls.load_cert_chain(certfile, keyfile)
        self._idle: list[http.client.HTTPConnection] = []
        self._lock = threading.Lock()

    def get(self, key: str) -> tuple[Stored | None, int]:
        """A key's value, None where there is none, and the store's revision."""
        answer = self._call("/v3/kv/range", {"key": _b64(key)})
        found = answer.get("kvs", [])
        return (_stored(found[0]) if found else None), int(answer["header"]["revision"])

    def list(self, prefix: str) -> tuple[list[Stored], int]:
        """All that is below a prefix, in order of the keys, and the store's revision."""
        answer = self._call("/v3/kv/range", _prefix(prefix))
        return [_stored(kv) for kv in answer.get("kvs", [])], int(answer["header"]["revision"])

    def put(self, key: str, value: bytes, revision: int) -> int | None:
        """Write a key that was last changed at ``revision`` (0: that does not exist): its new revision, or
        None when somebody else was faster."""
        put = {"request_put": {"key": _b64(key), "value": _b64(value)}}
        return self._transaction(key, revision, put)

    def delete(self, key: str, revision: int) -> int | None:
        """Delete a key that was last changed at ``revision``; answers as ``put`` does."""
        return self._transaction(key, revision, {"request_delete_range": {"key": _b64(key)}})

    def compact(self, revision: int) -> None:
        """Forget what was before ``revision``."""
        self._call("/v3/kv/compaction", {"revision": str(revision)})

    def watch(self, prefix: str, revision: int) -> Watch:
        """All changes below a prefix from ``revision`` on."""
        request = {
            **_prefix(prefix),
            "start_revision": str(revision),
            "prev_kv": True,
            "progress_notify": True,
        }
        body = json.dumps({"create_request": request})
        error: OSError | None = None
        for server in self._servers:
            try:
                connection = self._connection(server)
                connection.connect()
            except OSError as failed:
                error = failed
                continue
            # In HTTP/1.0 the answer comes without chunks, while the connection lasts: one message a line.
            head = f"POST /v3/watch HTTP/1.0\r\nHost: {server.netloc}\r\nContent-Length: {len(body)}\r\n\r\n"
            connection.sock.sendall((head + body).encode())
            return Watch(connection.sock)
        raise EtcdError(f"etcd does not answer: {error}")

    def _transaction(self, key: str, revision: int, request: dict[str, Any]) -> int | None:
        target = {"target": "MOD", "mod_revision": str(revision)}
        if not revision:
            target = {"target": "CREATE", "create_revision": "0"}
        compare = {"key": _b64(key), "result": "EQUAL", **target}
        answer = self._call("/v3/kv/txn", {"compare": [compare], "success": [request]})
        return int(answer["header"]["revision"]) if answer.get("succeeded") else None

    def _call(self, path: str, request: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(request)
        status, answer = self._post(path, body)
        if status != 200:
            try:
                message = json.loads(answer).get("message") or answer.decode(errors="replace")
            except ValueError:
                message = answer.decode(errors="replace")
            raise EtcdError(f"etcd refused {path}: {message.strip()}")
        parsed: dict[str, Any] = json.loads(answer)
        return parsed

    def _post(self, path: str, body: str) -> tuple[int, bytes]:
        with self._lock:
            connection = self._idle.pop() if self._idle else None
        if connection:
            try:
                return self._exchange(connection, path, body)
            except TimeoutError as failed:
                raise EtcdError(f"etcd does not answer: {failed}") from None
            except (OSError, http.client.HTTPException):
                connection.close()  # it had been idle for too long; nothing was answered, so ask again
        error: Exception | None = None
        for server in self._servers:
            connection = self._connection(server)
            try:
                return self._exchange(connection, path, body)
            except (OSError, http.client.HTTPException) as failed:
                connection.close()
                error = failed
        raise EtcdError(f"etcd does not answer: {error}")

    def _exchange(self, connection: http.client.HTTPConnection, path: str, body: str) -> tuple[int, bytes]:
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        answer = response.read()
        with self._lock:
            self._idle.append(connection)
        return response.status, answer

    def _connection(self, server: Any) -> http.client.HTTPConnection:
        if server.scheme == "https":
            return http.client.HTTPSConnection(
                server.hostname, server.port, timeout=TIMEOUT, context=self._tls
            )
        return http.client.HTTPConnection(server.hostname, server.port, timeout=TIMEOUT)


@dataclass(frozen=True)
class Change:
    """A key as it is now (a deleted one: with the revision of its deletion) and as it was before."""

    now: Stored
    before: Stored | None
    deleted: bool


@dataclass(frozen=True)
class Compacted:
    """The changes asked for are forgotten: nothing before ``revision`` is known."""

    revision: int


@dataclass(frozen=True)
class Progress:
    """Everything up to ``revision`` has been told."""

    revision: int


class Watch:
    """A running watch. ``fileno`` says when ``read`` has something to say."""

    def __init__(self, connection: socket.socket) -> None:
        self._socket = connection
        self._buffer = b""
        self._in_head = True

    def fileno(self) -> int:
        return self._socket.fileno()

    def close(self) -> None:
        self._socket.close()

    def read(self) -> list[Change | Compacted | Progress]:
        """What has arrived, possibly nothing yet; EtcdError when the watch has ended."""
        try:
            received = self._socket.recv(65536)
            while isinstance(self._socket, ssl.SSLSocket) and self._socket.pending():
                received += self._socket.recv(65536)
        except OSError as failed:
            raise EtcdError(f"etcd's watch broke: {failed}") from None
        if not received:
            raise EtcdError("etcd's watch ended")
        self._buffer += received
        if self._in_head:
            _, end, rest = self._buffer.partition(b"\r\n\r\n")
            if not end:
                return []
            self._buffer, self._in_head = rest, False
        *lines, self._buffer = self._buffer.split(b"\n")
        return [event for line in lines if line.strip() for event in _events(json.loads(line))]


def _events(message: dict[str, Any]) -> list[Change | Compacted | Progress]:
    if "error" in message:
        raise EtcdError(f"etcd's watch ended: {message['error'].get('message', message['error'])}")
    result = message["result"]
    if int(result.get("compact_revision", 0)):
        return [Compacted(int(result["compact_revision"]))]
    if result.get("canceled"):
        raise EtcdError(f"etcd's watch was cancelled: {result.get('cancel_reason', '')}")
    if not result.get("events"):
        return [] if result.get("created") else [Progress(int(result["header"]["revision"]))]
    return [
        Change(
            _stored(event["kv"]),
            _stored(event["prev_kv"]) if "prev_kv" in event else None,
            event.get("type") == "DELETE",
        )
        for event in result["events"]
    ]
