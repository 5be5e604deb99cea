"""Shell blocks of the pages, run by bash with stand-ins for all programs: what a reader would have called."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

# What the pages call. Anything else is "command not found", and so a finding.
PROGRAMS = ("ciliumlab", "pyinfra", "pytest", "make", "vagrant", "sleep")

# Each call as a line: its words with a separator that no word has.
_SEPARATOR = "\x1f"
_STAND_IN = f"""#!/bin/sh
line=${{0##*/}}
for word; do line="$line{_SEPARATOR}$word"; done
printf '%s\\n' "$line" >> "$CALLS"
# A page that waits for a word of the lab's gets the one that it waits for.
case "$*" in *holderIdentity*) echo k8s-w1;; esac
"""


def called(script: str, folder: Path) -> tuple[list[list[str]], str]:
    """The calls that the script makes, each a list of words, and what bash complains of."""
    programs = folder / ".venv" / "bin"
    shutil.rmtree(folder, ignore_errors=True)
    programs.mkdir(parents=True)
    for name in PROGRAMS:
        program = programs / name
        program.write_text(_STAND_IN)
        program.chmod(0o755)
    calls = folder / "calls"
    calls.touch()
    done = subprocess.run(
        [shutil.which("bash") or "bash", "-c", script],
        cwd=folder,
        env={"PATH": str(programs), "CALLS": str(calls), "HOME": str(folder)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        timeout=60,
    )
    return [line.split(_SEPARATOR) for line in calls.read_text().splitlines()], done.stderr


def data_of(words: Sequence[str]) -> list[str]:
    """The values of ``--data`` in a call."""
    after = [other for one, other in pairwise(words) if one == "--data"]
    return after + [word.removeprefix("--data=") for word in words if word.startswith("--data=")]
