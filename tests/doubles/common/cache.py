"""Objects of one kind, kept as the API server has them by one list and a watch: asking costs nothing."""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import sys
import threading
import time
from collections.abc import Callable
from urllib.parse import urlsplit

from common.api import Api, ApiError, Object, Unreachable

# A watch is begun anew after this many seconds; one whose peer is silently gone is noticed much earlier.
WATCH_SECONDS, AGAIN_SECONDS = 300, 1
# For so long the watch may still tell of what this process knows to be deleted.
LATE_SECONDS = 60


class Cache:
    """The objects of ``path``, such as "/api/v1/pods"; ``changed`` is set whenever one of them is another.

    ``read`` gives what is looked at of an object, where that is not all of it: what differs in nothing else
    is no change.
    What is handed out is shared: nobody changes it. A client writes with its own connection and says by
    ``learn`` and ``forget`` what came of it, so that it does not see less than it has done.
    """

    def __init__(
        self,
        connect: Callable[[], Api],
        path: str,
        changed: threading.Event,
        query: str = "",
        read: Callable[[Object], object] | None = None,
    ) -> None:
        self._connect, self._path, self._changed, self._query = connect, path, changed, query
        self._read = read
        self._objects: dict[tuple[str, str], Object] = {}
        self._deleted: dict[str, float] = {}
        self._lock = threading.Lock()
        self._said = ""
        self._stopped = threading.Event()
        self._connection: socket.socket | None = None
        self.synced = False

    def start(self) -> Cache:
        threading.Thread(target=self._run, daemon=True).start()
        return self

    def stop(self) -> None:
        """Watch no longer. What is known stays."""
        self._stopped.set()
        if self._connection:
            with contextlib.suppress(OSError):  # it has ended by itself
                self._connection.shutdown(socket.SHUT_RDWR)

    def all(self) -> list[Object]:
        with self._lock:
            return list(self._objects.values())

    def find(self, namespace: str, name: str) -> Object | None:
        with self._lock:
            return self._objects.get((namespace, name))

    def learn(self, obj: Object) -> None:
        """Take an object as it is now; one that is older than what is known changes nothing."""
        metadata = obj["metadata"]
        metadata.pop("managedFields", None)
        key = metadata.get("namespace", ""), metadata["name"]
        with self._lock:
            known = self._objects.get(key)
            if metadata["uid"] in self._deleted or (known and _revision(known) >= _revision(obj)):
                return
            self._objects[key] = obj
        if not (self._read and known and self._read(known) == self._read(obj)):
            self._changed.set()

    def forget(self, obj: Object) -> None:
        """An object is deleted."""
        metadata = obj["metadata"]
        key = metadata.get("namespace", ""), metadata["name"]
        with self._lock:
            now = time.monotonic()
            late = {uid: since for uid, since in self._deleted.items() if since + LATE_SECONDS > now}
            self._deleted = {**late, metadata["uid"]: now}
            if self._objects.get(key, obj)["metadata"]["uid"] == metadata["uid"]:
                self._objects.pop(key, None)
        self._changed.set()

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                api = self._connect()
                revision = self._list(api)
                while revision and not self._stopped.is_set():
                    revision = self._watch(api, revision)
            except (ApiError, Unreachable, OSError, http.client.HTTPException, ValueError) as error:
                if str(error) != self._said and not self._stopped.is_set():
                    self._said = str(error)
                    said = f'E "Failed to watch" path="{self._path}" err="{error}"'
                    print(said, file=sys.stderr, flush=True)
            self._stopped.wait(AGAIN_SECONDS)

    def _list(self, api: Api) -> str:
        """Begin with all that exists; the revision that it is of."""
        found = api.get(f"{self._path}?{self._query}")
        revision = str(found["metadata"]["resourceVersion"])
        listed = {obj["metadata"]["uid"] for obj in found["items"]}
        for known in self.all():
            if known["metadata"]["uid"] not in listed and _revision(known) <= int(revision):
                self.forget(known)
        for obj in found["items"]:
            self.learn(obj)
        self.synced, self._said = True, ""
        self._changed.set()
        return revision

    def _watch(self, api: Api, revision: str) -> str:
        """Follow until the server ends it: the revision to go on from, "" when all has to be read again."""
        place = urlsplit(api.server)
        connection = http.client.HTTPSConnection(
            place.hostname or "", place.port or 443, timeout=WATCH_SECONDS + 30, context=api.tls
        )
        headers = {"Accept": "application/json"}
        if api.token:
            headers["Authorization"] = f"Bearer {api.token}"
        try:
            connection.connect()
            self._connection = connection.sock
            _notice_silence(connection.sock)
            query = f"watch=1&resourceVersion={revision}&timeoutSeconds={WATCH_SECONDS}&{self._query}"
            connection.request("GET", f"{self._path}?{query}", headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                answer.read()
                return ""
            while line := answer.readline():
                event = json.loads(line)
                if event["type"] == "ERROR":
                    return ""
                revision = event["object"]["metadata"]["resourceVersion"]
                if event["type"] == "DELETED":
                    self.forget(event["object"])
                elif event["type"] != "BOOKMARK":
                    self.learn(event["object"])
            return revision
        finally:
            connection.close()


def _revision(obj: Object) -> int:
    return int(obj["metadata"]["resourceVersion"])


def _notice_silence(connection: socket.socket) -> None:
    """A machine that is killed closes nothing: ask whether it is there."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for option, value in (("TCP_KEEPIDLE", 10), ("TCP_KEEPINTVL", 3), ("TCP_KEEPCNT", 3)):
        connection.setsockopt(socket.IPPROTO_TCP, getattr(socket, option), value)
