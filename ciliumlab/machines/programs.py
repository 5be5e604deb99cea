"""Programs of the host that machines need: looked up, called, and missed with the fix named."""

from __future__ import annotations

import errno
import os
import shutil
import socket
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path

from ciliumlab.errors import LabError, Problem

# program -> Debian's and Ubuntu's package that holds it
PACKAGES = {
    "gpg": "gpg",
    "ip": "iproute2",
    "mke2fs": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "newuidmap": "uidmap",
    "qemu-img": "qemu-utils",
    "qemu-system-aarch64": "qemu-system-arm",
    "qemu-system-x86_64": "qemu-system-x86",
    "mount": "mount",
    "setpriv": "util-linux",
    "slirp4netns": "slirp4netns",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "systemd-nspawn": "systemd-container",
    "unshare": "util-linux",
    "vde_switch": "vde2",
}


# An ordinary user's PATH on Debian leaves these out, and they hold mke2fs and ip.
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin", "/sbin"])


def find(program: str) -> str | None:
    """The program's path, or None."""
    return shutil.which(program, path=_PATH)


def missing(programs: Iterable[str]) -> list[Problem]:
    """One problem for each program that is not there, naming the package that brings it."""
    return [
        Problem(
            program,
            f"the program is not installed; apt-get install {PACKAGES[program]}, or run make lab,"
            " which installs all that is needed",
        )
        for program in programs
        if find(program) is None
    ]


def last_line(said: bytes) -> str:
    """The last line of what a program said, or that there is none."""
    lines = said.decode(errors="replace").strip().splitlines()
    return lines[-1] if lines else "it said nothing"


def listens(path: Path) -> bool:
    """Whether a program listens at a Unix socket: as long as it lives, however busy it is."""
    with socket.socket(socket.AF_UNIX) as client:
        client.setblocking(False)
        # EAGAIN: it has not got round to those who connected before.
        return client.connect_ex(str(path)) in (0, errno.EAGAIN)


def run(
    command: Sequence[str | Path],
    *,
    what: str,
    cwd: Path | None = None,
    stdin: bytes | None = None,
    log: Path | None = None,
) -> str:
    """Run a program to its end and return what it printed on stdout.

    LabError when it cannot be started or fails: ``what`` was being done, and the last line that the
    program printed, or wrote to its ``log``, says why.
    """
    program = str(command[0])
    try:
        done = subprocess.run(
            [find(program) or program, *map(str, command[1:])],
            cwd=cwd,
            env={**os.environ, "PATH": _PATH},  # what it runs may be there too
            input=stdin,
            stdin=subprocess.DEVNULL if stdin is None else None,
            capture_output=True,
        )
    except OSError as error:
        raise LabError(Problem(what, f"{program} cannot be run: {error.strerror}")) from error
    if done.returncode != 0:
        said = done.stderr or done.stdout or (log.read_bytes() if log is not None else b"")
        raise LabError(Problem(what, f"{program} failed ({done.returncode}): {last_line(said)}"))
    return done.stdout.decode(errors="replace")
