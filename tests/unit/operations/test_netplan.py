"""A change of a host's network over connections that may be cut off by it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from ciliumlab.operations import netplan, netplan_guard
from ciliumlab.operations.netplan import Guarded

from . import harness


class Host(harness.Host):
    """One that answers one after another: whether a step succeeded, or what became of its connection."""

    print_prefix = "[k8s-w1] "

    def __init__(self, *answers: bool | Exception) -> None:
        super().__init__({})
        self.answers, self.asked, self.connections = list(answers), list[str](), 1

    def run_shell_command(self, command: object, **options: Any) -> tuple[bool, object]:
        self.asked.append(str(command).removeprefix(f"sh {netplan_guard.PATH} "))
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer, SimpleNamespace(output="", combined_lines=[])

    def disconnect(self) -> None:
        self.connected = False

    def connect(self, show_errors: bool) -> None:
        self.connections += 1


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


def change(host: Host, patience: int = 90) -> bool:
    state = SimpleNamespace(print_output=True, print_input=True)
    return Guarded(patience).execute(state, host, {})  # type: ignore[arg-type, typeddict-item]


def test_three_steps() -> None:
    host = Host(True, True, True)
    assert change(host)
    assert (host.asked, host.connections) == (["prepare", "change", "confirm"], 1)


@pytest.mark.parametrize("cut", ["prepare", "change", "confirm"])
def test_a_step_that_is_cut_off_is_asked_for_again(cut: str) -> None:
    steps = ["prepare", "change", "confirm"]
    at = steps.index(cut)
    host = Host(*[True] * at, EOFError(), TimeoutError(), *[True] * (3 - at))
    assert change(host)
    assert (host.asked, host.connections) == ([*steps[:at], cut, cut, *steps[at:]], 3)


@pytest.mark.parametrize("failing", [1, 2, 3])
def test_nothing_follows_a_step_that_fails(failing: int) -> None:
    host = Host(*[True] * (failing - 1), False)
    assert not change(host)
    assert host.asked == ["prepare", "change", "confirm"][:failing]


def test_a_host_that_does_not_answer_any_more(clock: Clock) -> None:
    """It is given as long as it takes to go back, and once more as long."""
    host = Host(True, *[OSError("No route to host")] * 60)
    assert not change(host, patience=30)
    assert (clock.now, set(host.asked[1:])) == (60, {"change"})
    assert host.lines == [
        "does not answer with its new network configuration; it goes back to the former one by itself"
        " 30 s after the change, or when it is started again"
    ]
