"""Units that were started before a file changed which they read only then, by a real shell."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ciliumlab.facts.files import Files
from ciliumlab.facts.systemd import Units
from ciliumlab.operations.systemd import behind

from .machine import Machine

_FILE = "/etc/a.conf"


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path, "/etc", "/run/ciliumlab")
    machine.program(
        "systemctl",
        "printf 'LoadState=loaded\\nActiveState=active\\nUnitFileState=enabled\\n';"
        ' printf "ExecMainStartTimestamp=%s\\n" "$(cat "$ROOT/started")"',
    )
    machine.at(_FILE).parent.mkdir()
    machine.at(_FILE).write_text("a\n")
    return machine


def waiting(machine: Machine, started: str) -> list[str]:
    (machine.root / "started").write_text(f"{started}\n")
    (file,) = machine.read(Files(), paths=[_FILE, "/etc/nosuch"]).values()
    return behind(machine.read(Units(), units=["a.service"]), file["changed"])


def test_a_file_is_as_old_as_its_last_change(machine: Machine) -> None:
    changed = int(machine.at(_FILE).stat().st_ctime)
    assert waiting(machine, f"@{changed}") == []
    assert waiting(machine, f"@{changed - 1}") == ["a.service"]


def test_a_file_that_was_put_back_is_not_older(machine: Machine) -> None:
    path = machine.at(_FILE)
    os.utime(path, (1, 1))
    shutil.move(shutil.copy2(path, path.with_suffix(".kept")), path)
    assert path.stat().st_mtime == 1
    assert waiting(machine, f"@{int(path.stat().st_ctime) - 1}") == ["a.service"]


def test_what_never_ran_need_not_be_restarted(machine: Machine) -> None:
    assert waiting(machine, "") == []
