"""Commands measured as whole processes, and figures that are ratios of medians."""

from __future__ import annotations

import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parents[2]

# Lines of a command that has failed which are shown.
_LAST_LINES = 30


class Failed(Exception):
    """Something could not be measured: what did not do what it had to, and what it said."""


@dataclass(frozen=True)
class Run:
    """A command that ended well: wall time and processor time in seconds, memory at its peak, stdout.

    The memory is that of the largest single process, and at least this one's own at its start: Linux counts
    that too, until the command itself is loaded. So nothing large is kept here.
    """

    seconds: float
    processor: float
    mebibytes: float
    printed: str


@dataclass(frozen=True)
class Figure:
    """A value that is to be at most ``limit``; without one it is only told, and ``note`` says why.

    ``samples`` are what it was computed from, by their names, in the order in which they were taken.
    """

    name: str
    value: float
    unit: str
    limit: float | None = None
    note: str = ""
    samples: Mapping[str, Sequence[float]] = field(default_factory=dict)

    @property
    def met(self) -> bool | None:
        return None if self.limit is None else self.value <= self.limit

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"met": self.met}


def run(
    command: Sequence[str | Path],
    environment: Mapping[str, str] | None = None,
    *,
    stdin: str = "",
    cwd: Path = ROOT,
) -> Run:
    """Run a command to its end. Raises Failed with its last lines unless its exit status is 0."""
    arguments = [str(word) for word in command]
    new = tempfile.TemporaryFile
    with new("w+") as given, new("w+") as printed, new("w+") as said:
        given.write(stdin)
        given.seek(0)
        started = time.perf_counter()
        process = subprocess.Popen(
            arguments,
            cwd=cwd,
            env={**os.environ, **(environment or {})},
            stdin=given,
            stdout=printed,
            stderr=said,
        )
        # What it used is told once, to whoever waits for it.
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        said.seek(0)
        text, last = printed.read(), said.read().splitlines()[-_LAST_LINES:]
    if process.returncode != 0:
        last = [*text.splitlines()[-_LAST_LINES:], *last]
        raise Failed("\n".join([f"exit status {process.returncode}: {' '.join(arguments)}", *last]))
    return Run(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, text)


def in_turn(runs: int, **measured: Callable[[], float]) -> dict[str, list[float]]:
    """Each named measurement ``runs`` times, one after the other: A B A B …, so that a machine that becomes
    slower meanwhile does so for all of them.
    """
    samples: dict[str, list[float]] = {name: [] for name in measured}
    for _ in range(runs):
        for name, measure in measured.items():
            samples[name].append(measure())
    return samples


def ratio(samples: Mapping[str, Sequence[float]], of: str, to: str) -> float:
    """How many times the median of ``to`` the median of ``of`` is."""
    return median(samples[of]) / median(samples[to])
