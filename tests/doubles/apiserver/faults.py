"""Faults that a test injects by files: the file's name is the fault, its text the parameter."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(os.environ.get("KUBERNETES_DOUBLE_FAULTS", "/etc/kubernetes-double/faults"))


def injected(name: str) -> str | None:
    """The parameter of a fault, None when it is not injected. Read each time: faults come and go."""
    try:
        return (FOLDER / name).read_text().strip()
    except OSError:
        return None


def number(name: str, default: float) -> float | None:
    """A fault's parameter as a number; ``default`` where its file says none."""
    parameter = injected(name)
    if parameter is None:
        return None
    try:
        return float(parameter)
    except ValueError:
        return default
