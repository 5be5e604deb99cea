"""An apt repository's part of a mirror: its signed indices as they are, and the packages that are wanted."""

from __future__ import annotations

import bz2
import gzip
import lzma
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

from ciliumlab import download
from ciliumlab.errors import LabError, Problem
from ciliumlab.mirror import debian
from ciliumlab.mirror.contents import Contents
from ciliumlab.mirror.signature import check_detached, check_key, signed_text
from ciliumlab.progress import Report
from ciliumlab.sources import Repository

_UNPACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes,
    ".gz": gzip.decompress,
    ".xz": lzma.decompress,
    ".bz2": bz2.decompress,
}


class Fetched:
    """Fetches one suite of a repository; every placeholder in ``repository`` is filled in.

    ``folder`` and ``key`` are paths below the mirror's root. Each method raises LabError.
    """

    def __init__(
        self,
        repository: Repository,
        folder: str,
        key: str,
        architectures: Sequence[str],
        contents: Contents,
        report: Report,
    ) -> None:
        self.repository = repository
        self.folder, self.key = folder, key
        self.architectures = architectures
        self.contents = contents
        self.report = report
        self.base = repository["url"].rstrip("/") + "/"
        suite = repository["suite"]
        flat = suite.endswith("/")
        self.release = suite.strip("/") + "/" if flat else f"dists/{suite}/"
        self.release = self.release.lstrip("/")
        self.indices = (
            [""] if flat else [f"{component}/binary-{{arch}}/" for component in repository["components"]]
        )

    def all(self) -> None:
        """Fetch key, release, indices and packages."""
        self.report("key")
        armored = download.read_text(self.repository["key"])
        check_key(self.repository["key"], armored, self.repository["fingerprint"])
        self._keep(self.key, self.repository["key"], armored.encode())
        sums = debian.checksums(self._signed_release(armored))
        found: dict[str, debian.Package] = {}
        problems: list[Problem] = []
        for architecture in self.architectures:
            for index in self.indices:
                text = self._index(index.format(arch=architecture) + "Packages", sums)
                found |= {p.path: p for p in self._packages(text, architecture, problems)}
        if problems:
            raise LabError(problems)
        for path, package in found.items():
            self._file(path, package.sha256, package.size)

    def _signed_release(self, armored: str) -> str:
        """The text that names all indices, once its signature is known to be right."""
        self.report("signed release")
        fingerprint = self.repository["fingerprint"]
        url = self.base + self.release
        try:
            signed = download.read(f"{url}InRelease")
        except LabError:
            # An older repository may only have the signature beside the file.
            text, signature = download.read(f"{url}Release"), download.read(f"{url}Release.gpg")
            check_detached(f"{url}Release", text, signature, armored, fingerprint)
            self._keep(f"{self.folder}/{self.release}Release", f"{url}Release", text)
            self._keep(f"{self.folder}/{self.release}Release.gpg", f"{url}Release.gpg", signature)
            return text.decode()
        release = signed_text(f"{url}InRelease", signed, armored, fingerprint)
        self._keep(f"{self.folder}/{self.release}InRelease", f"{url}InRelease", signed)
        return release

    def _index(self, name: str, sums: dict[str, tuple[str, int]]) -> str:
        """The text of an index, of which every packing that the release names is fetched.

        Which of them a host asks for is up to its apt; a repository need not have all that it names.
        """
        text: str | None = None
        problems: list[Problem] = []
        for suffix, unpack in _UNPACK.items():
            if name + suffix not in sums:
                continue
            sha256, size = sums[name + suffix]
            try:
                self._file(self.release + name + suffix, sha256, size)
            except LabError as error:
                problems += error.problems
                continue
            text = unpack(
                (self.contents.root / self.folder / self.release / (name + suffix)).read_bytes()
            ).decode()
        if text is None:
            url = self.base + self.release + name
            raise LabError(
                problems or Problem(url, "is not in the signed release; is the architecture right?")
            )
        return text

    def _packages(self, text: str, architecture: str, problems: list[Problem]) -> Sequence[debian.Package]:
        try:
            # A flat repository has the packages of all architectures in one index.
            index = [p for p in debian.packages(text) if p.architecture in (architecture, "all")]
            return debian.selected(index, self.repository.get("packages", []))
        except (LookupError, ValueError) as error:
            problems.append(Problem(f"{self.base} ({architecture})", str(error.args[0])))
            return []

    def _file(self, path: str, sha256: str, size: int) -> None:
        url = self.base + path
        if path.startswith("/") or ".." in path.split("/"):
            raise LabError(Problem(url, "is a path out of the repository; it was not fetched"))
        target = self.contents.root / self.folder / path
        if target.is_file() and target.stat().st_size == size and download.digest(target) == sha256:
            self.contents.add(f"{self.folder}/{path}", url)
            return
        target.parent.mkdir(parents=True, exist_ok=True)
        download.fetch(url, target, sha256, self.report)
        self.contents.add(f"{self.folder}/{path}", url)

    def _keep(self, path: str, url: str, content: bytes) -> None:
        target: Path = self.contents.root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        # Suites that have their key in common may be fetched at the same time.
        part = target.with_name(f"{target.name}.{threading.get_ident()}.part")
        part.write_bytes(content)
        part.replace(target)
        self.contents.add(path, url)
