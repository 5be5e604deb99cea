"""Where a lab keeps what belongs to it on the controller: keys, disks, sockets, logs."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path

from ciliumlab.errors import DeclarationError, Problem

DEFAULT_TOPOLOGY = Path("inventory/lab.yaml")

# A Unix socket's address holds 108 bytes with its final zero (unix(7)).
_LONGEST_SOCKET_PATH = 107


def topology_path() -> Path:
    """The topology in use: ``CILIUMLAB_TOPOLOGY``, or ``inventory/lab.yaml`` below this folder."""
    return Path(os.environ.get("CILIUMLAB_TOPOLOGY") or DEFAULT_TOPOLOGY)


def settings_path(topology: Path) -> Path:
    """group_data/all.py, looked for where pyinfra does: below this folder, then beside the inventory."""
    here = Path("group_data/all.py")
    return here if here.exists() else topology.absolute().parent.parent / here


def directory(topology: Path) -> Path:
    """The lab's state: ``CILIUMLAB_STATE``, or ``.lab`` in the project that the topology is of.

    The project is the folder that holds ``inventory/lab.yaml``; a topology that stands elsewhere has
    its state beside itself.
    """
    if chosen := os.environ.get("CILIUMLAB_STATE"):
        return Path(chosen).absolute()
    folder = topology.absolute().parent
    return (folder.parent if folder.name == "inventory" else folder) / ".lab"


@dataclass(frozen=True)
class State:
    """The files of one lab below ``root``; nothing else in the project knows their names."""

    root: Path

    @property
    def lab_id(self) -> str:
        """Six hex digits that tell this lab from others on the same host."""
        return hashlib.sha256(str(self.root.absolute()).encode()).hexdigest()[:6]

    @property
    def key(self) -> Path:
        return self.root / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        return self.root / "known_hosts"

    @property
    def record(self) -> Path:
        """How the lab's machines were made: their kind and image, as JSON."""
        return self.root / "machines.json"

    @property
    def times(self) -> Path:
        """How long the stages of the last deploy took, as JSON."""
        return self.root / "times.json"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    def machine(self, name: str) -> Path:
        """The folder of one machine: disk, host key, console log."""
        return self.root / "machines" / name

    def socket(self, name: str, purpose: str) -> Path:
        """A Unix socket of a machine or switch. DeclarationError when its path is too long."""
        path = self.root / "run" / f"{name}.{purpose}"
        if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
            raise DeclarationError(
                Problem(
                    str(self.root),
                    f"the path is too long for a Unix socket ({path.name} in it would take"
                    f" {len(os.fsencode(path))} of {_LONGEST_SOCKET_PATH} bytes); set CILIUMLAB_STATE"
                    " to a shorter folder",
                )
            )
        return path

    def create(self) -> None:
        """Make the folders, readable by their owner alone: they hold private keys."""
        self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.root / "run").mkdir(mode=0o700, exist_ok=True)
        (self.root / "machines").mkdir(mode=0o700, exist_ok=True)
