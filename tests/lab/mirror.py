"""The mirror that whole runs install from: one of doubles, or one that somebody has filled.

``CILIUMLAB_TEST_MIRROR`` names the folder of a filled mirror (`ciliumlab mirror fetch`): the same runs then
prove the real programs, and what only doubles can be made to do is skipped.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from .running import ROOT, free_ports

# How machines reach this host's loopback, through their NAT.
_HOST = "10.0.2.2"

_PATIENCE = 30


@dataclass
class Mirror:
    """``settings`` are what a deploy needs beside its address: doubles have checksums of their own."""

    folder: Path
    settings: dict[str, object]
    doubles: bool
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> dict[str, object]:
        return {"mirror": f"http://{_HOST}:{self.port}", **self.settings}

    def start(self) -> None:
        command = [
            sys.executable,
            "-m",
            "ciliumlab",
            "mirror",
            "serve",
            str(self.folder),
            "--port",
            str(self.port),
        ]
        self.process = subprocess.Popen(
            command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        deadline = time.monotonic() + _PATIENCE
        while self.process.poll() is None and time.monotonic() < deadline:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.1)
        self.stop()
        pytest.fail(f"the mirror at port {self.port} does not start", pytrace=False)

    def stop(self) -> None:
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process = None


@contextmanager
def serving(folder: Path) -> Iterator[Mirror]:
    """A mirror that is served until this ends; one of doubles is built in ``folder``."""
    filled = os.environ.get("CILIUMLAB_TEST_MIRROR")
    settings: dict[str, object] = {}
    if not filled:
        from tests.doubles.build import build

        settings = build(folder)
    (port,) = free_ports(1)
    mirror = Mirror(Path(filled or folder), settings, doubles=not filled, port=port)
    mirror.start()
    try:
        yield mirror
    finally:
        mirror.stop()
