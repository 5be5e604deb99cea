"""All objects of one kind, kept up to date by a watch."""

from __future__ import annotations

import http.client
import json
import threading
import time
from urllib.parse import urlsplit

from cilium.cluster import connect, log
from common.api import Api, ApiError, Object, Unreachable

# A watch is begun anew after this time, so that one whose server died silently is noticed.
WATCH_SECONDS, SILENCE_SECONDS, RETRY_SECONDS = 20, 30, 1


class Store(threading.Thread):
    """A thread that lists ``path`` and watches it; ``changed`` is set whenever something did."""

    def __init__(self, path: str, changed: threading.Event) -> None:
        super().__init__(daemon=True)
        self.path, self.changed = path, changed
        self._objects: dict[str, Object] = {}
        self._lock = threading.Lock()
        self.synced = threading.Event()

    def items(self) -> list[Object]:
        with self._lock:
            return list(self._objects.values())

    def run(self) -> None:
        said = ""
        while True:
            try:
                api = connect()
                listed = api.get(self.path)
                found = {_key(each): each for each in listed.get("items") or []}
                with self._lock:
                    differs, self._objects = found != self._objects, found
                if differs or not self.synced.is_set():
                    self.synced.set()
                    self.changed.set()
                said = ""
                self._follow(api, listed["metadata"].get("resourceVersion", ""))
            except (ApiError, Unreachable, OSError, ValueError, http.client.HTTPException) as error:
                if str(error) != said:
                    said = str(error)
                    log("warn", "Watch ended, will retry", path=self.path, error=said)
                time.sleep(RETRY_SECONDS)

    def _follow(self, api: Api, version: str) -> None:
        place = urlsplit(api.server)
        connection = http.client.HTTPSConnection(
            place.hostname or "", place.port or 443, timeout=SILENCE_SECONDS, context=api.tls
        )
        headers = {"Accept": "application/json"}
        if api.token:
            headers["Authorization"] = f"Bearer {api.token}"
        query = f"watch=1&resourceVersion={version}&timeoutSeconds={WATCH_SECONDS}"
        try:
            connection.request("GET", f"{self.path}?{query}", headers=headers)
            answer = connection.getresponse()
            if answer.status != 200:
                raise OSError(f"{answer.status} {answer.read(200).decode(errors='replace')}")
            for line in answer:
                if line.strip():
                    self._take(json.loads(line))
        finally:
            connection.close()

    def _take(self, event: Object) -> None:
        found = event["object"]
        if event["type"] == "ERROR":
            raise OSError(found.get("message", "the watch failed"))
        if event["type"] == "BOOKMARK":
            return
        with self._lock:
            if event["type"] == "DELETED":
                self._objects.pop(_key(found), None)
            else:
                self._objects[_key(found)] = found
        self.changed.set()


def _key(found: Object) -> str:
    meta = found["metadata"]
    return f"{meta.get('namespace', '')}/{meta['name']}"
