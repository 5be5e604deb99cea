"""Machines are asked together, and one that does not answer is told of once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from threading import Barrier

import pytest

from tests.states import lab
from tests.states.ssh import Silent

ROOT = Path(__file__).parents[3]


@pytest.fixture
def seen() -> Iterator[lab.Lab]:
    """The reference lab, that nobody has looked at yet."""
    seen = lab.read(ROOT / "inventory" / "lab.py", [])
    yield seen
    seen.close()


def test_all_of_a_group_are_asked_at_once(seen: lab.Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """No node is answered before all of them are asked, and none a second time; the router is not one."""
    everybody = Barrier(len(seen.nodes))
    for machine in seen.machines:

        def answer(script: str, name: str = machine.name) -> str:
            everybody.wait(timeout=60)
            return f"==ciliumlab who==\n{name}\n"

        monkeypatch.setattr(machine.connection, "run", answer)
    pages = [node.pages for node in seen.nodes for _ in range(2)]
    assert [page["who"].strip() for page in pages] == [node.name for node in seen.nodes for _ in range(2)]
    assert seen.routers[0].told == {}


def test_a_silent_machine_fails_one_test(seen: lab.Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Which is the first that wants to know of it, whoever was asked for; the others of it are skipped."""
    silent, *others = seen.nodes

    def nothing(script: str) -> str:
        raise Silent("Connection refused")

    for machine in seen.machines:
        monkeypatch.setattr(machine.connection, "run", lambda script: "")
    monkeypatch.setattr(silent.connection, "run", nothing)
    assert [node.pages for node in others] == [{}, {}]
    with pytest.raises(pytest.fail.Exception, match=f"{silent}: does not answer at .*: Connection refused"):
        _ = silent.pages
    with pytest.raises(pytest.skip.Exception, match="Connection refused"):
        _ = silent.reached
    assert others[0].reached == {}
