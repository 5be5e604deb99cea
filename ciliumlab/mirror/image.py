"""An image as an OCI archive, which containerd imports.

The index of all platforms stays as its registry has it, so that the image keeps its published digest, and
only the wanted architectures' contents are in the archive (containerd imports the host's own). The layout:
https://github.com/opencontainers/image-spec/blob/v1.1.0/image-layout.md.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Sequence
from pathlib import Path

from ciliumlab.errors import LabError, Problem
from ciliumlab.mirror.registry import INDICES, Blob, Registry
from ciliumlab.progress import Report


class Image:
    """An image by its name with registry and tag, as its registry has it; each method raises LabError."""

    def __init__(self, name: str, digest: str, architectures: Sequence[str]) -> None:
        self.name = name
        repository, _, self.tag = name.rpartition(":")
        self._registry = Registry(repository)
        self._architectures = architectures
        self.root, self._content = self._registry.manifest(digest or self.tag)

    @property
    def source(self) -> str:
        """What of it an archive holds."""
        return f"{self.name}@{self.root.digest} ({', '.join(self._architectures)})"

    def save(self, target: Path, blobs: Path, report: Report) -> None:
        """Write the archive ``target``; blobs are kept in the folder ``blobs`` while it is not whole."""
        small = {self.root.digest: self._content}
        large: dict[str, Blob] = {}
        try:
            for manifest in self._manifests():
                if manifest.digest not in small:
                    _, small[manifest.digest] = self._registry.manifest(manifest.digest)
                document = json.loads(small[manifest.digest])
                for descriptor in (document["config"], *document["layers"]):
                    blob = Blob.of(descriptor)
                    large[blob.digest] = blob
        except (ValueError, LookupError, TypeError) as error:
            raise LabError(
                Problem(self.name, f"has a manifest that cannot be understood: {error}")
            ) from error
        blobs.mkdir(parents=True, exist_ok=True)
        for number, blob in enumerate(large.values(), 1):
            path = blobs / blob.digest.removeprefix("sha256:")
            if not path.exists():
                self._registry.blob(
                    blob, path, lambda _, done=None, n=number: report(f"layer {n} of {len(large)}", done)
                )
            if path.stat().st_size != blob.size:
                raise LabError(Problem(self.name, f"has a manifest that gives {blob.digest} a wrong size"))
        self._check_architecture(small[self.root.digest], blobs)
        report("writing the archive")
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(f"{target.name}.part")
        with tarfile.open(part, "w") as archive:
            _add(archive, "oci-layout", json.dumps({"imageLayoutVersion": "1.0.0"}).encode())
            _add(archive, "index.json", json.dumps(self._layout()).encode())
            for digest, content in small.items():
                _add(archive, f"blobs/sha256/{digest.removeprefix('sha256:')}", content)
            for digest, blob in large.items():
                name = digest.removeprefix("sha256:")
                with (blobs / name).open("rb") as file:
                    entry = tarfile.TarInfo(f"blobs/sha256/{name}")
                    entry.size = blob.size
                    archive.addfile(entry, file)
        part.replace(target)

    def _manifests(self) -> list[Blob]:
        """The manifests of the wanted architectures."""
        if self.root.media_type not in INDICES:
            return [self.root]
        found: dict[str, Blob] = {}
        for descriptor in json.loads(self._content)["manifests"]:
            platform = descriptor.get("platform", {})
            if platform.get("os") == "linux" and platform.get("architecture") in self._architectures:
                found.setdefault(platform["architecture"], Blob.of(descriptor))
        lacking = [architecture for architecture in self._architectures if architecture not in found]
        if lacking:
            raise LabError(Problem(self.name, f"is not there for linux on {' and '.join(lacking)}"))
        return list(found.values())

    def _check_architecture(self, manifest: bytes, blobs: Path) -> None:
        """An image without an index is for one architecture, which only its configuration tells."""
        if self.root.media_type in INDICES:
            return
        config = Blob.of(json.loads(manifest)["config"]).digest.removeprefix("sha256:")
        has = json.loads((blobs / config).read_bytes()).get("architecture")
        if [has] != list(self._architectures):
            lacking = " and ".join(a for a in self._architectures if a != has)
            raise LabError(
                Problem(self.name, f"is there for {has} only, and not for {lacking}; use --arch {has}")
            )

    def _layout(self) -> dict[str, object]:
        annotations = {"io.containerd.image.name": self.name, "org.opencontainers.image.ref.name": self.tag}
        descriptor = {
            "mediaType": self.root.media_type,
            "digest": self.root.digest,
            "size": self.root.size,
            "annotations": annotations,
        }
        return {"schemaVersion": 2, "mediaType": INDICES[0], "manifests": [descriptor]}


def _add(archive: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = len(content)
    archive.addfile(entry, io.BytesIO(content))
