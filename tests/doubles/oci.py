"""Small images that containerd really imports: an index for both architectures over one layer."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import tarfile
from pathlib import Path
from typing import Any

ARCHITECTURES = ("amd64", "arm64")

_TYPE = "application/vnd.oci.image"


def write(path: Path, reference: str) -> str:
    """Write the OCI archive of an image that stands for ``reference``; its digest, "sha256:…"."""
    blobs: dict[str, bytes] = {}

    def blob(content: bytes, kind: str) -> dict[str, Any]:
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        blobs[digest] = content
        return {"mediaType": f"{_TYPE}.{kind}", "digest": digest, "size": len(content)}

    tar = _tar({"test-double": f"{reference}: a test double\n".encode()})
    # Without a time in it, so that one reference always has one digest.
    layer = blob(gzip.compress(tar, mtime=0), "layer.v1.tar+gzip")
    manifests = []
    for architecture in ARCHITECTURES:
        platform = {"architecture": architecture, "os": "linux"}
        layers = {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(tar).hexdigest()}"]}
        config = blob(
            _json({**platform, "config": {"Cmd": ["/test-double"]}, "rootfs": layers}), "config.v1+json"
        )
        manifest = {
            "schemaVersion": 2,
            "mediaType": f"{_TYPE}.manifest.v1+json",
            "config": config,
            "layers": [layer],
        }
        manifests.append({**blob(_json(manifest), "manifest.v1+json"), "platform": platform})
    index = {"schemaVersion": 2, "mediaType": f"{_TYPE}.index.v1+json", "manifests": manifests}
    root = blob(_json(index), "index.v1+json")
    annotations = {
        "io.containerd.image.name": reference,
        "org.opencontainers.image.ref.name": reference.rpartition(":")[2],
    }
    layout = {"schemaVersion": 2, "manifests": [{**root, "annotations": annotations}]}
    files = {"oci-layout": _json({"imageLayoutVersion": "1.0.0"}), "index.json": _json(layout)}
    files |= {f"blobs/sha256/{digest[7:]}": content for digest, content in blobs.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_tar(files))
    return str(root["digest"])


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _tar(files: dict[str, bytes]) -> bytes:
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            archive.addfile(entry, io.BytesIO(content))
    return target.getvalue()
