"""A control group for each container, by which all of it can be ended.

A container's init takes the group that it finds itself in for the root of all: two machines in one would
stop each other's services. And when nspawn is killed, that init lives on. Where systemd runs the host, a
scope of its own is the group (``systemd-run --scope --unit=NAME``); elsewhere it is made here, in the
unified hierarchy. Source: cgroups(7); cgroup.kill needs Linux 5.14.
"""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path

_END_SECONDS = 10


def systemd_runs_host() -> bool:
    """sd_booted(3)."""
    return Path("/run/systemd/system").exists()


def _hierarchy() -> Path:
    for line in Path("/proc/mounts").read_text().splitlines():
        _, where, kind, *_ = line.split()
        if kind == "cgroup2":
            return Path(where)
    raise FileNotFoundError("no unified cgroup hierarchy is mounted")


def _folder(name: str) -> Path:
    return _hierarchy() / (f"system.slice/{name}.scope" if systemd_runs_host() else name)


def enter(name: str) -> None:
    """Move this process, and so all that it starts, into the group ``name``; a scope is in it already."""
    if not systemd_runs_host():
        _folder(name).mkdir(exist_ok=True)
        (_folder(name) / "cgroup.procs").write_text(str(os.getpid()))


def end(name: str) -> None:
    """Kill all that is in the group, if there is one, and remove it."""
    folder = _folder(name)
    if not folder.exists():
        return
    deadline = time.monotonic() + _END_SECONDS
    with contextlib.suppress(FileNotFoundError):  # the last one out may take it away
        (folder / "cgroup.kill").write_text("1")
        while "populated 1" in (folder / "cgroup.events").read_text() and time.monotonic() < deadline:
            time.sleep(0.05)
    for group, _, _ in os.walk(folder, topdown=False):
        with contextlib.suppress(OSError):
            Path(group).rmdir()
