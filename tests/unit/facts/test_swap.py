"""systemd is asked for its unit files only where one could swap, by a real shell."""

from __future__ import annotations

from pathlib import Path

import pytest

from ciliumlab.facts.swap import Swap
from tests.unit.operations.machine import Machine

_TARGET = "/etc/systemd/system/swap.target"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path, "/etc/systemd", "/run/systemd", "/usr/lib/systemd", "/usr/local/lib/systemd")
    machine.program("systemctl", 'echo "$*" > "$ROOT/asked"; echo asked enabled enabled')
    machine.at(_TARGET).parent.mkdir(parents=True)
    return machine


def units(machine: Machine) -> object:
    return machine.read(Swap())["units"]


def test_nothing_swaps(machine: Machine) -> None:
    assert units(machine) == {"swap.target": "static"}
    machine.at(_TARGET).symlink_to("/dev/null")
    assert units(machine) == {"swap.target": "masked"}
    assert not (machine.root / "asked").exists()


@pytest.mark.parametrize(
    "path",
    [
        "/run/systemd/generator/dev-vda2.swap",
        "/etc/systemd/system/swapfile.swap",
        "/usr/lib/systemd/system/zramswap.service",
        "/run/systemd/generator.late/dphys-swapfile.service",
    ],
)
def test_something_may_swap(machine: Machine, path: str) -> None:
    machine.at(path).parent.mkdir(parents=True, exist_ok=True)
    # A link that leads nowhere is what a unit is that was removed with its package.
    machine.at(path).symlink_to("/nosuch")
    assert units(machine) == {"asked": "enabled"}
    assert "swap.target *.swap dphys-swapfile.service" in (machine.root / "asked").read_text()
