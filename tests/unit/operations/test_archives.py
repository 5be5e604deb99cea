"""The commands that install programs, carried out for real with the host's folders in another place."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from ciliumlab.facts.archives import NOTES, Programs
from ciliumlab.operations.downloads import CACHE

from . import machine as machines
from .harness import Host, run

if not Path("/usr/lib/apt/apt-helper").exists():
    pytest.skip("apt is not installed", allow_module_level=True)

HELM = "/usr/local/bin/helm"


class Machine(machines.Machine):
    """A host, and a server of what is in its folder ``up``."""

    def __init__(self, root: Path, url: str) -> None:
        super().__init__(root, "/usr/local/bin", CACHE, NOTES)
        self.url = url
        self.at("/usr/local/bin").mkdir(parents=True)
        self.at("/var").mkdir()

    def fact(self) -> Any:
        found = self.read(Programs(), paths=[HELM])
        # Notes name programs by where they are here.
        for note in found["notes"].values():
            note["programs"] = {
                path.removeprefix(str(self.root)): digest for path, digest in note["programs"].items()
            }
        return found

    def publish(self, program: bytes) -> str:
        """The SHA-256 of the archive that is served from now on."""
        out = io.BytesIO()
        with tarfile.open(fileobj=out, mode="w:gz") as archive:
            entry = tarfile.TarInfo("linux-amd64/helm")
            entry.size = len(program)
            archive.addfile(entry, io.BytesIO(program))
        (self.root / "up" / "helm.tar.gz").write_bytes(out.getvalue())
        return hashlib.sha256(out.getvalue()).hexdigest()

    def install(self, sha256: str) -> tuple[list[subprocess.CompletedProcess[str]], Host]:
        download = {"url": f"{self.url}/helm.tar.gz", "sha256": sha256}
        archive = {
            "version": "3",
            "programs": {"linux-amd64/helm": "helm"},
            "amd64": download,
            "arm64": download,
        }
        host = Host({"Programs": {**self.fact(), "architecture": "amd64"}})
        commands = run("archives.installed", host, {"archives": {"helm": archive}})
        return [self.shell(str(command)) for command in commands], host

    def left(self) -> list[str]:
        """Files that are there, below the root."""
        files = (path for path in self.root.rglob("*") if path.is_file() and "up" not in path.parts)
        return sorted(str(path.relative_to(self.root)) for path in files)


@pytest.fixture
def machine(tmp_path: Path) -> Iterator[Machine]:
    if shutil.which("dpkg") is None or subprocess.run(["id", "-u"], capture_output=True).stdout != b"0\n":
        pytest.skip("files are given to root, which takes root")
    (tmp_path / "up").mkdir()
    handler = partial(SimpleHTTPRequestHandler, directory=str(tmp_path / "up"))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield Machine(tmp_path, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


THERE = [HELM.lstrip("/"), f"{NOTES}/helm".lstrip("/")]


def test_installed_once_and_mended_when_changed(machine: Machine) -> None:
    sha256 = machine.publish(b"#!/bin/sh\necho three\n")
    (done,), _ = machine.install(sha256)
    assert done.returncode == 0, done.stderr
    assert machine.shell(HELM).stdout == "three\n"
    assert machine.left() == THERE
    again, host = machine.install(sha256)
    assert (again, host.noops) == ([], ["helm 3: installed"])
    machine.shell(f"echo 'echo evil' > {HELM}")
    (mended,), _ = machine.install(sha256)
    assert mended.returncode == 0
    assert machine.shell(HELM).stdout == "three\n"


def test_a_wrong_checksum_changes_nothing(machine: Machine) -> None:
    machine.install(machine.publish(b"#!/bin/sh\necho three\n"))
    machine.publish(b"#!/bin/sh\necho evil\n")
    (done,), _ = machine.install("0" * 64)
    assert done.returncode != 0
    assert "Hash Sum mismatch" in done.stderr
    assert done.stderr.endswith("helm 3 could not be installed\n")
    assert machine.shell(HELM).stdout == "three\n"
    assert machine.left() == THERE


def test_an_archive_without_the_program_changes_nothing(machine: Machine) -> None:
    machine.install(machine.publish(b"#!/bin/sh\necho three\n"))
    (machine.root / "up" / "helm.tar.gz").write_bytes(b"no archive")
    (done,), _ = machine.install(hashlib.sha256(b"no archive").hexdigest())
    assert done.returncode != 0
    assert "helm 3 could not be installed" in done.stderr
    assert machine.shell(HELM).stdout == "three\n"
    assert machine.left() == THERE


def test_a_program_that_cannot_take_its_place_leaves_nothing(machine: Machine) -> None:
    machine.at(HELM).mkdir()
    (done,), _ = machine.install(machine.publish(b"#!/bin/sh\necho three\n"))
    assert done.returncode != 0
    assert "helm 3 could not be installed" in done.stderr
    assert machine.left() == []
