"""What machines start from: a root disk with its kernel, or the same tree as a folder.

Images are made once and kept in the user's cache, under a name that changes with their recipe; every
machine works on an overlay of its own and never writes to them.
"""

from __future__ import annotations

import fcntl
import os
import platform
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Self

from ciliumlab.machines.programs import run
from ciliumlab.progress import Report

ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


def architecture() -> str:
    """This machine's architecture in Debian's words: ``amd64`` or ``arm64``."""
    machine = platform.machine().lower()
    return ARCHITECTURES.get(machine, machine)


@dataclass(frozen=True)
class Image:
    """A finished image below ``folder``; ``tree`` is there only where containers can use it."""

    name: str
    folder: Path
    disk_format: str
    root_device: str
    cloud_init: bool

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "folder": str(self.folder)}

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(**{**data, "folder": Path(data["folder"])})

    @property
    def disk(self) -> Path:
        return self.folder / "disk.img"

    @property
    def kernel(self) -> Path:
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        return self.folder / "initrd"

    @property
    def tree(self) -> Path:
        return self.folder / "tree"


def cache() -> Path:
    """The folder of all images: ``CILIUMLAB_CACHE``, or ciliumlab's in the user's cache."""
    if chosen := os.environ.get("CILIUMLAB_CACHE"):
        return Path(chosen).absolute()
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "ciliumlab"


def make_once(folder: Path, make: Callable[[Path], None], report: Report) -> None:
    """Let ``make`` fill a scratch folder, and give it its name only when it is whole.

    A run cut in the middle leaves nothing that a later one could take for an image. One that makes the
    same image at this moment is waited for.
    """
    if folder.exists():
        return
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_name(f".{folder.name}.lock").open("w") as lock:
        while not _taken(lock):
            report("another run makes it: waiting for that")
            time.sleep(0.5)
        if folder.exists():
            return
        scratch = folder.with_name(f".{folder.name}.new")
        remove(scratch)
        scratch.mkdir()
        try:
            make(scratch)
            scratch.rename(folder)
        except BaseException:
            remove(scratch)
            raise


def _taken(lock: IO[str]) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def remove(folder: Path) -> None:
    """Delete a folder whose files may belong to users of a namespace (an unprivileged build's tree)."""
    shutil.rmtree(folder, ignore_errors=True)
    if folder.exists():
        run(["unshare", "--map-root-user", "--map-auto", "rm", "-rf", folder], what=f"removing {folder}")
