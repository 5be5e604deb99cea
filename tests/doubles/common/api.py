"""A client of a Kubernetes API server over plain HTTPS."""

from __future__ import annotations

import http.client
import json
import os
import ssl
import tempfile
from typing import Any
from urllib.parse import urlsplit

from common import kubeconfig
from common.host import at

Object = dict[str, Any]

MERGE, STRATEGIC = "application/merge-patch+json", "application/strategic-merge-patch+json"


class Unreachable(Exception):
    """No answer came: the API server is away, or its certificate is not trusted."""


class ApiError(Exception):
    """The API server said no; ``status`` is its HTTP status."""

    def __init__(self, status: int, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.status, self.reason = status, reason


class Api:
    """One API server and one identity."""

    def __init__(
        self,
        server: str,
        ca_pem: str | None = None,
        certificate_pem: str = "",
        key_pem: str = "",
        token: str = "",
        timeout: float = 10,
    ) -> None:
        """Without ``ca_pem`` the server's certificate is not verified."""
        self.server, self.token, self.timeout = server.rstrip("/"), token, timeout
        self._connection: http.client.HTTPSConnection | None = None
        self.tls = ssl.create_default_context(cadata=ca_pem) if ca_pem else ssl._create_unverified_context()
        if certificate_pem:
            # ssl reads keys from files only.
            with tempfile.NamedTemporaryFile("w", dir="/run" if os.geteuid() == 0 else None) as file:
                file.write(certificate_pem + key_pem)
                file.flush()
                self.tls.load_cert_chain(file.name)

    @classmethod
    def of(cls, path: str, timeout: float = 10, server: str = "") -> Api:
        """The client that the kubeconfig at ``path`` describes, of another ``server`` if one is given."""
        cluster, user = kubeconfig.current(at(path).read_text())
        return cls(
            server or cluster["server"],
            inline(cluster, "certificate-authority") or None,
            inline(user, "client-certificate"),
            inline(user, "client-key"),
            user.get("token", ""),
            timeout,
        )

    def call(self, method: str, path: str, body: object = None, kind: str = "application/json") -> Object:
        headers = {"Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        data = None
        if body is not None:
            data, headers["Content-Type"] = json.dumps(body), kind
        status, text = self._asked(method, path, data, headers)
        try:
            said = json.loads(text) if text else {}
        except ValueError:
            said = {"message": text.strip()}
        if status >= 400:
            reason = http.client.responses.get(status, "")
            raise ApiError(status, said.get("message") or reason, said.get("reason", ""))
        return said if isinstance(said, dict) else {}

    def _asked(self, method: str, path: str, data: str | None, headers: dict[str, str]) -> tuple[int, str]:
        """Status and body of the answer, over the connection of the call before where that still stands."""
        while True:
            kept = self._connection
            place = urlsplit(self.server)
            connection = kept or http.client.HTTPSConnection(
                place.hostname or "", place.port or 443, timeout=self.timeout, context=self.tls
            )
            self._connection = None
            try:
                connection.request(method, path, data, headers)
                answer = connection.getresponse()
                text = answer.read().decode()
            except (OSError, http.client.HTTPException) as error:
                connection.close()
                if kept and method == "GET":
                    # The server may have closed it meanwhile; what changes nothing can be asked again.
                    continue
                said = (getattr(error, "strerror", None) or str(error)).lower()
                raise Unreachable(f'{method.title()} "{self.server}{path}": {said}') from error
            if answer.will_close:
                connection.close()
            else:
                self._connection = connection
            return answer.status, text

    def get(self, path: str) -> Object:
        return self.call("GET", path)

    def find(self, path: str) -> Object | None:
        """The object at ``path``, None if there is none."""
        try:
            return self.call("GET", path)
        except ApiError as error:
            if error.status == 404:
                return None
            raise

    def items(self, path: str) -> list[Object]:
        found: list[Object] = self.call("GET", path).get("items") or []
        return found

    def create(self, path: str, body: Object) -> Object:
        return self.call("POST", path, body)

    def patch(self, path: str, body: Object, kind: str = MERGE) -> Object:
        return self.call("PATCH", path, body, kind)

    def delete(self, path: str) -> None:
        """Delete what is at ``path``, if it is there."""
        try:
            self.call("DELETE", path)
        except ApiError as error:
            if error.status != 404:
                raise

    def put(self, path: str, body: Object) -> Object:
        """Create or replace an object in the collection ``path``."""
        try:
            return self.create(path, body)
        except ApiError as error:
            if error.status != 409:
                raise
        place = f"{path}/{body['metadata']['name']}"
        version = self.get(place)["metadata"]["resourceVersion"]
        replacement = {**body, "metadata": {**body["metadata"], "resourceVersion": version}}
        return self.call("PUT", place, replacement)


def inline(entry: dict[str, Any], name: str) -> str:
    """What a kubeconfig's entry has as ``name``: in itself, or in the file that it names; "" if neither."""
    if entry.get(f"{name}-data"):
        return kubeconfig.decoded(entry[f"{name}-data"])
    return at(entry[name]).read_text() if entry.get(name) else ""
