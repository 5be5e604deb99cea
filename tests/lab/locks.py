"""Locks of apt and dpkg, as another package manager holds them on a machine."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from .running import RunningLab

# Holds a file's lock as apt and dpkg do, from when it says so until it is stopped.
_HOLDER = """import fcntl, os, signal, sys
lock = os.open(sys.argv[1], os.O_RDWR | os.O_CREAT, 0o640)
fcntl.lockf(lock, fcntl.LOCK_EX)
open("/run/locked", "w").close()
signal.pause()
"""


@dataclass(frozen=True)
class Locked:
    """What is undone on a worker, what mends it, and how it says that it cannot have its lock."""

    lock: str
    undone: str
    task: str
    mended_by: str
    said: str


_NO_TREE = "dpkg --remove --force-depends tree"
_HALF_DONE = "sed -i '/^Package: tree$/,/^$/s/^Status: .*/Status: install ok unpacked/' /var/lib/dpkg/status"
LOCKED = {
    "another installs": Locked(
        "/var/lib/dpkg/lock-frontend", _NO_TREE, "base", "apt-get .* install", "Could not get lock {lock}"
    ),
    "another looks what there is": Locked(
        "/var/lib/apt/lists/lock", _NO_TREE, "base", "apt-get .* update", "Could not get lock {lock}"
    ),
    "another finishes what was cut": Locked(
        "/var/lib/dpkg/lock-frontend",
        _HALF_DONE,
        "base",
        "dpkg .*--configure -a",
        "frontend lock was locked by",
    ),
    "another marks": Locked(
        "/var/lib/dpkg/lock", "apt-mark unhold kubelet", "kubernetes", "apt-mark hold", "lock was locked by"
    ),
}


@contextmanager
def held(lab: RunningLab, name: str, lock: str) -> Iterator[None]:
    """While somebody on a machine has the lock."""
    lab.shell(
        name,
        f"rm -f /run/locked; cat > /run/holder.py <<'END'\n{_HOLDER}\nEND\n"
        f"systemd-run --quiet --collect --unit=holder python3 /run/holder.py {lock}\n"
        "until [ -e /run/locked ]; do sleep 0.05; done",
    )
    try:
        yield
    finally:
        lab.shell(name, "systemctl stop holder.service 2>/dev/null; rm -f /run/locked /run/holder.py")
