"""Where things are on a host, which versions are installed, and which faults are injected."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

# Tests that need no machine give another root.
ROOT = Path(os.environ.get("KUBERNETES_DOUBLE_ROOT", "/"))

DOUBLE = "this is a test double, not the real program"


def at(path: str) -> Path:
    """The file that has the absolute ``path`` on the host."""
    return ROOT / path.lstrip("/")


def version(program: str) -> str:
    """The version of an installed package, as "v1.33.2"; an error if it is not installed."""
    return at(f"/usr/lib/kubernetes-double/versions/{program}").read_text().strip()


def default_address() -> str:
    """The address of the interface that has the default route; "" where there is none."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
            return str(probe.getsockname()[0])
        except OSError:
            return ""


def write(path: str, text: str, mode: int = 0o600) -> None:
    """Write a file whole or not at all, with its directories."""
    target = at(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    new = target.with_name(f".{target.name}.new")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
    new.chmod(mode)
    new.rename(target)


def fault(name: str) -> str | None:
    """What the injected fault ``name`` says, "" if it says nothing, None if it is not injected."""
    try:
        return at(f"/etc/kubernetes-double/faults/{name}").read_text().strip()
    except FileNotFoundError:
        return None


def seconds(name: str, usual: float) -> float:
    """How long to wait: as usual, or as long as the fault that makes the waiting vain says, if it does."""
    try:
        return float(fault(name) or usual)
    except ValueError:
        return usual


def die() -> None:
    """As if the machine had killed this process: nothing is tidied up."""
    os.kill(os.getpid(), signal.SIGKILL)
