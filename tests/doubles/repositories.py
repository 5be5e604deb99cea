"""Signed apt repositories: indices by a few lines of our own, signatures by gpg(1) with a key made for them.

https://wiki.debian.org/DebianRepository/Format
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import subprocess
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from email.utils import formatdate
from pathlib import Path

# The key may do nothing but sign, and holds for a year.
KEY = ("ed25519", "sign", "1y")


@dataclass
class Signer:
    """A key of gpg, in a home of its own that goes with it."""

    name: str

    def __enter__(self) -> Signer:
        # Sockets live in it: the path has to be short.
        self._home = tempfile.TemporaryDirectory(prefix="gpg-", dir="/tmp")
        self._environment = {**os.environ, "GNUPGHOME": self._home.name}
        self._gpg("--passphrase", "", "--quick-generate-key", self.name, *KEY)
        listed = self._gpg("--with-colons", "--list-keys").decode()
        self.fingerprint = re.findall(r"^fpr:+([0-9A-F]{40}):", listed, re.MULTILINE)[0]
        self.armored = self._gpg("--armor", "--export", self.fingerprint).decode()
        return self

    def __exit__(self, *_: object) -> None:
        subprocess.run(["gpgconf", "--kill", "all"], env=self._environment, check=False, capture_output=True)
        self._home.cleanup()

    def sign(self, release: Path) -> None:
        """Write InRelease and Release.gpg beside a Release file."""
        inline, detached = release.with_name("InRelease"), release.with_name("Release.gpg")
        self._gpg("--yes", "--clear-sign", "--output", str(inline), str(release))
        self._gpg("--yes", "--armor", "--detach-sign", "--output", str(detached), str(release))

    def _gpg(self, *arguments: str) -> bytes:
        command = ["gpg", "--batch", "--quiet", "--no-tty", *arguments]
        done = subprocess.run(command, env=self._environment, capture_output=True, check=False)
        if done.returncode:
            raise RuntimeError(f"gpg: {done.stderr.decode().strip()}")
        return done.stdout


def flat(folder: Path, packages: Sequence[Path], signer: Signer, label: str) -> None:
    """A repository without suites: the packages in ``folder``, as Kubernetes has them."""
    _index(folder, folder, packages)
    _release(folder, ["Packages", "Packages.gz"], signer, label, {})


def suite(
    root: Path, codename: str, component: str, packages: Sequence[Path], signer: Signer, label: str
) -> None:
    """A suite below ``root``/dists, its packages somewhere below ``root``, as Docker has them."""
    folder = root / "dists" / codename
    names = []
    for architecture in ("amd64", "arm64"):
        part = f"{component}/binary-{architecture}"
        _index(folder / part, root, packages)
        names += [f"{part}/Packages", f"{part}/Packages.gz"]
    fields = {
        "Suite": codename,
        "Codename": codename,
        "Components": component,
        "Architectures": "amd64 arm64",
    }
    _release(folder, names, signer, label, fields)


def _index(folder: Path, root: Path, packages: Sequence[Path]) -> None:
    """Write the list of packages, their paths relative to ``root``."""
    paragraphs = []
    for package in packages:
        control = subprocess.run(["dpkg-deb", "--field", package], check=True, capture_output=True, text=True)
        content = package.read_bytes()
        place = {
            "Filename": str(package.relative_to(root)),
            "Size": str(len(content)),
            "SHA256": hashlib.sha256(content).hexdigest(),
        }
        paragraphs.append(
            control.stdout.strip() + "".join(f"\n{name}: {value}" for name, value in place.items())
        )
    folder.mkdir(parents=True, exist_ok=True)
    text = ("\n\n".join(paragraphs) + "\n").encode()
    (folder / "Packages").write_bytes(text)
    (folder / "Packages.gz").write_bytes(gzip.compress(text, mtime=0))


def _release(folder: Path, names: Sequence[str], signer: Signer, label: str, fields: dict[str, str]) -> None:
    lines = [f"{name}: {value}" for name, value in {"Origin": label, "Label": label, **fields}.items()]
    lines += [f"Date: {formatdate(time.time(), usegmt=True)}", "SHA256:"]
    for name in names:
        content = (folder / name).read_bytes()
        lines.append(f" {hashlib.sha256(content).hexdigest()} {len(content):8} {name}")
    (folder / "Release").write_text("\n".join(lines) + "\n")
    signer.sign(folder / "Release")
