"""What a mirror is filled from, on loopback: apt repositories with a real key, a registry, files."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

TOKEN = "a-token-for-pulling"

# Packages and their control fields, by path.
Debs = dict[str, tuple[bytes, str]]


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


class Upstream(ThreadingHTTPServer):
    """Serves ``files`` by path; what is below /v2/ needs a token. Can cut an answer, once."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.files: dict[str, bytes] = {}
        self.types: dict[str, str] = {}
        self.asked: Counter[str] = Counter()
        self.cut: dict[str, int] = {}
        threading.Thread(target=self.serve_forever, daemon=True).start()

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_port}"

    @property
    def url(self) -> str:
        return f"http://{self.address}"


class _Handler(BaseHTTPRequestHandler):
    server: Upstream

    def do_GET(self, body: bool = True) -> None:
        path = self.path.partition("?")[0]
        if body:
            self.server.asked[path] += 1
        if path == "/token":
            self.server.files[path] = json.dumps({"token": TOKEN}).encode()
        if path.startswith("/v2/") and self.headers.get("Authorization") != f"Bearer {TOKEN}":
            self.send_response(401)
            realm = f'Bearer realm="{self.server.url}/token",service="test"'
            self.send_header("WWW-Authenticate", realm)
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        content = self.server.files.get(path)
        if content is None:
            self.send_error(404)
            return
        asked = self.headers.get("Range")
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked else 0
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Type", self.server.types.get(path, "application/octet-stream"))
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        if body:
            self.wfile.write(content[start:][: self.server.cut.pop(path, None)])

    def do_HEAD(self) -> None:
        self.do_GET(body=False)

    def log_message(self, *_: object) -> None:
        pass


class Key:
    """A signing key, made in a gpg home of its own."""

    def __init__(self, home: Path) -> None:
        self.home = home
        home.mkdir(mode=0o700)
        self._gpg("--quick-gen-key", "Test <test@example.org>", "ed25519", "sign", "never", text="")
        listing = self._gpg("--with-colons", "--list-keys").decode()
        self.fingerprint = next(line.split(":")[9] for line in listing.splitlines() if line.startswith("fpr"))
        self.armored = self._gpg("--armor", "--export")

    def _gpg(self, *arguments: str, text: str | bytes = "") -> bytes:
        command = ["gpg", "--homedir", str(self.home), "--batch", "--yes", "--passphrase", ""]
        given = text.encode() if isinstance(text, str) else text
        done = subprocess.run(
            [*command, "--pinentry-mode", "loopback", *arguments],
            input=given,
            capture_output=True,
            check=True,
        )
        return done.stdout

    def clear_signed(self, text: bytes) -> bytes:
        return self._gpg("--clear-sign", text=text)

    def detached(self, text: bytes) -> bytes:
        return self._gpg("--armor", "--detach-sign", text=text)

    def close(self) -> None:
        subprocess.run(["gpgconf", "--homedir", str(self.home), "--kill", "gpg-agent"], check=False)


def deb(folder: Path, name: str, version: str, architecture: str, depends: str = "") -> bytes:
    """A real package with nothing in it."""
    tree = folder / f"{name}_{version}_{architecture}"
    (tree / "DEBIAN").mkdir(parents=True)
    fields = {
        "Package": name,
        "Version": version,
        "Architecture": architecture,
        "Maintainer": "Test <test@example.org>",
        **({"Depends": depends} if depends else {}),
        "Description": "nothing",
    }
    (tree / "DEBIAN" / "control").write_text("".join(f"{k}: {v}\n" for k, v in fields.items()))
    built = tree.with_suffix(".deb")
    environment = {**os.environ, "SOURCE_DATE_EPOCH": "0"}
    command = ["dpkg-deb", "--root-owner-group", "-Znone", "--build", str(tree), str(built)]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env=environment)
    shutil.rmtree(tree)
    return built.read_bytes()


def publish(
    upstream: Upstream, key: Key, base: str, debs: Debs, indices: dict[str, str], release: str = ""
) -> None:
    """Put a repository at the path ``base``: packages by path, each with its control fields.

    ``indices`` are the folders of indices, with what the names of the packages in it begin with; they and
    InRelease are below ``release``. A flat repository has both at "".
    """
    contents = {}
    for folder, prefix in indices.items():
        text = ""
        for path, (content, fields) in debs.items():
            if path.startswith(prefix):
                upstream.files[base + path] = content
                text += f"{fields}Filename: {path}\nSize: {len(content)}\nSHA256: {sha256(content)}\n\n"
        contents[f"{folder}Packages"] = text.encode()
        contents[f"{folder}Packages.gz"] = gzip.compress(text.encode(), mtime=0)
    lines = "".join(f" {sha256(content)} {len(content)} {name}\n" for name, content in contents.items())
    signed = f"Origin: test\nDate: Mon, 23 Nov 2015 00:00:00 UTC\nSHA256:\n{lines}".encode()
    for name, content in contents.items():
        upstream.files[base + release + name] = content
    upstream.files[f"{base}{release}InRelease"] = key.clear_signed(signed)


def image(upstream: Upstream, repository: str, tag: str, architectures: list[str]) -> str:
    """Put a multi-platform image into the registry; its digest."""
    manifests = []
    for architecture in architectures:
        layer = _tar({f"{architecture}.txt": b"x" * 70_000})
        config = {"architecture": architecture, "os": "linux", "rootfs": {"type": "layers"}}
        config["rootfs"] |= {"diff_ids": [f"sha256:{sha256(layer)}"]}
        blobs = [json.dumps(config).encode(), layer]
        kinds = ["image.config.v1+json", "image.layer.v1.tar"]
        described = []
        for content, kind in zip(blobs, kinds, strict=True):
            upstream.files[f"/v2/{repository}/blobs/sha256:{sha256(content)}"] = content
            described.append(_descriptor(content, f"application/vnd.oci.{kind}"))
        manifest = {
            "schemaVersion": 2,
            "mediaType": MANIFEST,
            "config": described[0],
            "layers": described[1:],
        }
        content = json.dumps(manifest).encode()
        _manifest(upstream, repository, [f"sha256:{sha256(content)}"], content, MANIFEST)
        platform = {"architecture": architecture, "os": "linux"}
        manifests.append({**_descriptor(content, MANIFEST), "platform": platform})
    index = json.dumps({"schemaVersion": 2, "mediaType": INDEX, "manifests": manifests}).encode()
    digest = f"sha256:{sha256(index)}"
    _manifest(upstream, repository, [tag, digest], index, INDEX)
    return digest


MANIFEST = "application/vnd.oci.image.manifest.v1+json"
INDEX = "application/vnd.oci.image.index.v1+json"


def _manifest(upstream: Upstream, repository: str, names: list[str], content: bytes, kind: str) -> None:
    for name in names:
        upstream.files[f"/v2/{repository}/manifests/{name}"] = content
        upstream.types[f"/v2/{repository}/manifests/{name}"] = kind


def _descriptor(content: bytes, kind: str) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{sha256(content)}", "size": len(content)}


def _tar(files: dict[str, bytes], gz: bool = False) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:gz" if gz else "w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def tgz(files: dict[str, bytes]) -> bytes:
    return _tar(files, gz=True)
