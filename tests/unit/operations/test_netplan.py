"""A change of a host's network over connections that may be cut off by it."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ciliumlab.operations import netplan
from ciliumlab.operations.netplan import Guarded

from . import harness


class Ends(Exception):
    """The connection ends while the step is at work."""


class Host(harness.Host):
    """One that answers one after another: whether a step succeeded, or what became of its connection."""

    print_prefix = "[k8s-w1] "

    def __init__(self, *answers: bool | Exception, away: int = 0) -> None:
        """``away``: how often it cannot be connected to."""
        super().__init__({})
        self.answers, self.asked, self.away, self.connections = list(answers), list[str](), away, 1
        self.active, self.last = True, ""
        self.connector = SimpleNamespace(client=SimpleNamespace(get_transport=self._transport))

    def _transport(self) -> object:
        return SimpleNamespace(is_active=lambda: True) if self.active else None

    def run_shell_command(self, command: object, **options: Any) -> tuple[bool, object]:
        assert self.active
        self.last = str(command)
        self.asked.append(self.last.rsplit(" ", 1)[-1])
        answer = self.answers.pop(0)
        if isinstance(answer, Ends):
            self.active = answer = False  # which pyinfra takes for a command that has failed
        if isinstance(answer, Exception):
            raise answer
        return answer, SimpleNamespace(output="", combined_lines=[])

    def disconnect(self) -> None:
        raise EOFError

    def connect(self, show_errors: bool) -> None:  # type: ignore[override]
        self.connections += 1
        self.away -= 1
        self.active = self.away < 0


class Clock:
    """Time that passes by sleeping alone."""

    now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(netplan, "time", clock)
    return clock


def change(host: Host, patience: int = 90, guard: str = "/run/guard") -> bool:
    state = SimpleNamespace(print_output=True, print_input=True)
    return Guarded(guard, patience).execute(state, host, {})  # type: ignore[arg-type, typeddict-item]


_STEPS = ["prepare", "change", "confirm"]


def test_three_steps() -> None:
    host = Host(True, True, True)
    assert change(host)
    assert (host.asked, host.connections) == (_STEPS, 1)


@pytest.mark.parametrize("cut", _STEPS)
@pytest.mark.parametrize("end", [Ends(), TimeoutError(), EOFError()], ids=repr)
def test_a_step_that_is_cut_off_is_asked_for_again(cut: str, end: Exception) -> None:
    at = _STEPS.index(cut)
    host = Host(*[True] * at, end, end, *[True] * (3 - at))
    assert change(host)
    assert (host.asked, host.connections) == ([*_STEPS[:at], cut, cut, *_STEPS[at:]], 3)


def test_a_host_that_cannot_be_reached_for_a_while() -> None:
    host = Host(True, TimeoutError(), True, True, away=5)
    assert change(host)
    assert (host.asked, host.connections) == (["prepare", "change", "change", "confirm"], 7)


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_nothing_follows_a_step_that_fails(failing: int) -> None:
    host = Host(*[True] * (failing - 1), False)
    assert not change(host)
    assert (host.asked, host.lines) == (_STEPS[:failing], [])


def test_a_host_that_was_started_anew_says_so(tmp_path: Path) -> None:
    """What lies in its memory is gone."""
    guard = tmp_path / "guard"
    host = Host(True, True, True)
    assert change(host, guard=str(guard))
    done = subprocess.run(["sh", "-c", host.last], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (
        1,
        "this host was started anew while its network was being changed; run the deploy once more\n",
    )
    guard.write_text('echo "$1"')
    done = subprocess.run(["sh", "-c", host.last], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "confirm\n")


def test_a_host_that_does_not_answer_any_more(clock: Clock) -> None:
    """It is given as long as it takes to go back, and once more as long."""
    host = Host(True, Ends(), away=1000)
    assert not change(host, patience=30)
    assert (clock.now, host.asked) == (60, ["prepare", "change"])
    assert host.lines == [
        "does not answer any more; unless its new network configuration was saved, it goes back to the"
        " former one by itself within 30 s, or when it is started again"
    ]
