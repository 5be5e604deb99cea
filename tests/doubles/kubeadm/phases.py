"""Phases in their order, with kubeadm's lines and errors; a fault may kill it in the middle of one."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence

from common.api import ApiError, Unreachable
from common.host import die, fault
from common.x509 import OpensslError, Tampered


class Failed(Exception):
    """A phase cannot be done; what kubeadm says."""


Phase = tuple[str, Callable[[], None]]

_current = ""
_lines = 0


def say(line: str) -> None:
    """Tell progress, as kubeadm does on standard output."""
    global _lines
    print(line, flush=True)
    _lines += 1
    # After a phase's first line there is something done and something not yet: its middle.
    if _current and _lines == 1 and fault("kubeadm-dies-in-phase") in _names(_current):
        die()


def run(command: str, phases: Sequence[Phase], skipped: Sequence[str] = ()) -> None:
    """Run each phase but the skipped ones; what fails is told as kubeadm tells it."""
    global _current, _lines
    for name, action in phases:
        if name in skipped or name.split("/")[0] in skipped:
            continue
        _current, _lines = f"{command} {name}", 0
        try:
            action()
        except (Failed, ApiError, Unreachable, OpensslError, Tampered) as error:
            raise Failed(f"error execution phase {name}: {error}") from error
        if fault("kubeadm-dies-in-phase") in _names(_current):
            die()
        _current = ""


def _names(current: str) -> set[str]:
    """The ways in which a fault may name a phase: "certs", "init certs", "addon" for "addon/coredns"."""
    command, _, phase = current.partition(" ")
    short = phase.split("/")[0]
    return {phase, short, f"{command} {phase}", f"{command} {short}"}


def warn(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
