"""Container registries: manifests and blobs by the distribution API, each checked by its digest.

The API: https://github.com/opencontainers/distribution-spec/blob/v1.1.0/spec.md; tokens:
https://distribution.github.io/distribution/spec/auth/token.
"""

from __future__ import annotations

import hashlib
import http.client
import json
import re
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from ciliumlab import download
from ciliumlab.errors import LabError, Problem
from ciliumlab.progress import Report

INDICES = (
    "application/vnd.oci.image.index.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
)
MANIFESTS = (
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.v2+json",
)
_TIMEOUT_SECONDS = 20
_LARGEST_MANIFEST = 4 << 20  # what a registry need not accept more than
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


@dataclass(frozen=True)
class Blob:
    """Something that a registry has by digest ("sha256:…"); ``size`` in bytes."""

    media_type: str
    digest: str
    size: int

    @classmethod
    def of(cls, descriptor: dict[str, Any]) -> Blob:
        """From an OCI content descriptor. ValueError for one that names no SHA-256."""
        digest = descriptor["digest"]
        if not isinstance(digest, str) or not _DIGEST.fullmatch(digest):
            raise ValueError(f"{digest!r} is no SHA-256 digest")
        return cls(descriptor["mediaType"], digest, int(descriptor["size"]))


class Registry:
    """One repository of a registry, ``registry.k8s.io/coredns/coredns``. Methods raise LabError."""

    def __init__(self, name: str) -> None:
        self.name = name
        host, _, path = name.partition("/")
        if host == "docker.io":  # its registry has another name, and images without an owner are in library/
            host, path = "registry-1.docker.io", path if "/" in path else f"library/{path}"
        loopback = urlsplit(f"//{host}").hostname in ("localhost", "127.0.0.1")
        self._url = f"{'http' if loopback else 'https'}://{host}/v2/{path}"
        self._path = path
        self._authorization: dict[str, str] = {}

    def manifest(self, reference: str) -> tuple[Blob, bytes]:
        """A manifest or index by tag or digest, with what it is."""
        url = f"{self._url}/manifests/{reference}"
        with self._open(url, {"Accept": ", ".join(INDICES + MANIFESTS)}) as answer:
            content = answer.read(_LARGEST_MANIFEST + 1)
            media_type = answer.headers.get_content_type()
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        if _DIGEST.fullmatch(reference) and digest != reference:
            raise LabError(
                Problem(url, f"is {digest}; the registry gave something else than it was asked for")
            )
        if media_type not in INDICES + MANIFESTS:
            raise LabError(Problem(url, f"is {media_type}, which is no image"))
        return Blob(media_type, digest, len(content)), content

    def blob(self, blob: Blob, target: Path, report: Report) -> None:
        """Download a blob to ``target``; resumed when a former run was cut off."""
        url = f"{self._url}/blobs/{blob.digest}"
        # Tokens live for minutes; this asks for a new one when the one at hand has expired.
        self._open(url, {}, method="HEAD").close()
        download.fetch(url, target, blob.digest.removeprefix("sha256:"), report, self._authorization)

    def _open(self, url: str, headers: dict[str, str], method: str = "GET") -> Any:
        """The answer to a request; a token is fetched when the registry wants one, or a new one."""
        for last in (False, True):
            request = urllib.request.Request(url, headers=headers, method=method)
            for name, value in self._authorization.items():
                request.add_unredirected_header(name, value)
            try:
                return urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
            except urllib.error.HTTPError as error:
                challenge = error.headers.get("WWW-Authenticate", "")
                if error.code != http.HTTPStatus.UNAUTHORIZED or last or not challenge:
                    raise LabError(Problem(url, f"cannot be had: {error.code} {error.reason}")) from error
                self._authorization = {"Authorization": f"Bearer {self._token(url, challenge)}"}
            except (OSError, http.client.HTTPException) as error:
                raise LabError(Problem(url, f"cannot be had: {download.reason(error)}")) from error
        raise AssertionError("unreachable")

    def _token(self, url: str, challenge: str) -> str:
        scheme, _, rest = challenge.partition(" ")
        parameters = dict(_PARAMETER.findall(rest))
        realm = parameters.pop("realm", "")
        if scheme.lower() != "bearer" or not realm.startswith(("https://", self._url.partition("/v2/")[0])):
            raise LabError(
                Problem(url, f"wants to be logged in to ({scheme}), and is for anonymous use here")
            )
        query = urlencode({"scope": f"repository:{self._path}:pull", **parameters})
        try:
            answer = json.loads(download.read(f"{realm}?{query}"))
            return str(answer.get("token") or answer["access_token"])
        except (ValueError, LookupError, AttributeError) as error:
            raise LabError(Problem(realm, "gives no token for anonymous use")) from error
