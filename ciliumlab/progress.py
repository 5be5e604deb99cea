"""What is being done, while it is being done: one line a machine, on stderr.

On a terminal the lines stay in place and show the time; elsewhere each new step is a line.
"""

from __future__ import annotations

import sys
import threading
import time
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars


class Report(Protocol):
    """Is told which step of a longer work has begun and, where that is known, how much of it is done."""

    def __call__(self, step: str, done: float | None = None) -> None: ...


class Progress:
    """A set of named lines; ``line(name)`` gives the function that says what is done for that name."""

    def __init__(self) -> None:
        self._begun: dict[str, float] = {}
        self._lock = threading.Lock()
        self._last: dict[str, str] = {}
        self._tasks: dict[str, TaskID] = {}
        self._bars: Bars | None = None
        if sys.stderr.isatty():
            self._bars = Bars(
                SpinnerColumn(finished_text="✓"),
                TextColumn("{task.description}", style="bold"),
                TextColumn("{task.fields[step]}"),
                BarColumn(bar_width=20),
                TimeElapsedColumn(),
                console=Console(stderr=True),
            )

    def __enter__(self) -> Self:
        if self._bars is not None:
            self._bars.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._bars is not None:
            self._bars.stop()

    def say(self, text: str) -> None:
        """One line that stays."""
        if self._bars is not None:
            self._bars.console.print(text, highlight=False)
        else:
            print(text, file=sys.stderr, flush=True)

    def update(self, name: str, step: str, done: float | None = None) -> None:
        """``name`` is at ``step``; ``done`` from 0 to 1 draws a bar."""
        with self._lock:
            self._begun.setdefault(name, time.monotonic())
            if self._bars is not None:
                if name not in self._tasks:
                    self._tasks[name] = self._bars.add_task(name, step=step, total=None)
                self._bars.update(self._tasks[name], step=step, completed=done or 0, total=done and 1)
            elif self._last.get(name) != step:
                print(f"{name}: {step}", file=sys.stderr, flush=True)
            self._last[name] = step

    def finish(self, name: str, result: str) -> None:
        """``name`` is done; its line stays with the result and the time."""
        with self._lock:
            now = time.monotonic()
            seconds = now - self._begun.get(name, now)
            if self._bars is not None:
                if name not in self._tasks:
                    self._tasks[name] = self._bars.add_task(name, step=result)
                self._bars.update(self._tasks[name], step=result, completed=1, total=1)
                self._bars.stop_task(self._tasks[name])
            else:
                print(f"{name}: {result} ({seconds:.0f} s)", file=sys.stderr, flush=True)
