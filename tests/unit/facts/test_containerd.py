"""What containerd says of itself is kept as long as its files stay as they are, by a real shell."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ciliumlab.facts.containerd import CONFIGURATION, KEEP, SERVING, Containerd
from tests.unit.operations.machine import Machine

_PROGRAM = "/usr/bin/containerd"
_FOLDER = "/etc/containerd/conf.d"
_KEPT = "/var/cache/ciliumlab/containerd"


def program(machine: Machine, version: str) -> None:
    """A containerd that counts its starts, and says in its configuration whatever config.toml says."""
    path = machine.at(_PROGRAM)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"""#!/bin/sh
echo >> "$ROOT/starts"
[ "$1" != --version ] || exec echo "containerd containerd.io {version} 05044ec0a9a7"
grep -q . {machine.at(CONFIGURATION)} || {{ echo "containerd: no configuration" >&2; exit 1; }}
printf 'version = 2\\n[plugins."io.containerd.grpc.v1.cri"]\\n'
cat {machine.at(CONFIGURATION)}
"""
    )
    path.chmod(0o755)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    machine = Machine(tmp_path, _PROGRAM, "/etc/containerd", "/var/cache")
    machine.at(_FOLDER).mkdir(parents=True)
    machine.at(CONFIGURATION).write_text('sandbox_image = "pause:3.10"\n')
    program(machine, "1.7.27")
    for name in ("systemctl", "ctr"):
        machine.program(name, "exit 1")
    return machine


def starts(machine: Machine) -> int:
    file = machine.root / "starts"
    count = len(file.read_text()) if file.exists() else 0
    file.unlink(missing_ok=True)
    return count


def found(machine: Machine) -> tuple[str, str | None, int]:
    """Its version, its sandbox image, and how often it was started to say so."""
    starts(machine)
    state = machine.read(Containerd())
    return state["version"], state["cri"] and state["cri"]["sandbox_image"], starts(machine)


def keep(machine: Machine) -> None:
    assert machine.shell(KEEP).returncode == 0


def test_asked_each_time_until_it_is_kept(machine: Machine) -> None:
    assert found(machine) == ("1.7.27", "pause:3.10", 2)
    assert found(machine) == ("1.7.27", "pause:3.10", 2)
    keep(machine)
    assert found(machine) == ("1.7.27", "pause:3.10", 0)


def test_another_program(machine: Machine) -> None:
    keep(machine)
    program(machine, "1.7.28")
    assert found(machine) == ("1.7.28", "pause:3.10", 2)


def test_another_configuration_of_the_same_size_and_age(machine: Machine) -> None:
    path = machine.at(CONFIGURATION)
    keep(machine)
    age = path.stat().st_mtime_ns
    other = path.with_suffix(".other")
    other.write_text('sandbox_image = "pause:3.11"\n')
    os.utime(other, ns=(age, age))
    other.rename(path)
    assert found(machine) == ("1.7.27", "pause:3.11", 2)


def test_another_file_beside_it(machine: Machine) -> None:
    keep(machine)
    (machine.at(_FOLDER) / "mine.toml").write_text("")
    assert found(machine)[2] == 2


@pytest.mark.parametrize("key", ["imports", "\timports", '"imports"'])
def test_what_is_imported_from_elsewhere_may_change_unseen(machine: Machine, key: str) -> None:
    keep(machine)
    machine.at(CONFIGURATION).write_text(f'{key} = ["/srv/*.toml"]\n')
    keep(machine)
    assert not machine.at(_KEPT).exists()
    assert found(machine)[2] == 2


def test_a_configuration_that_cannot_be_read_is_asked_for_again(machine: Machine) -> None:
    keep(machine)
    machine.at(CONFIGURATION).write_text("")
    keep(machine)
    assert not machine.at(_KEPT).exists()
    state = machine.read(Containerd())
    assert state["version"] == "1.7.27"
    assert state["trouble"] == "containerd: no configuration"


def test_not_installed_any_more(machine: Machine) -> None:
    keep(machine)
    machine.at(_PROGRAM).unlink()
    assert found(machine) == ("", None, 0)


@pytest.mark.parametrize(
    ("cri", "serves"),
    [
        ("io.containerd.grpc.v1                  cri                      linux/amd64    ok        ", True),
        ("io.containerd.grpc.v1                  cri                      -              ok", True),
        ("io.containerd.grpc.v1                  cri                      linux/amd64    error     ", False),
        ("io.containerd.grpc.v1                  cri                      linux/amd64    skip", False),
        ("io.containerd.cri.v1                   runtime                  linux/amd64    ok", False),
        ("io.containerd.grpc.v1                  criterion                linux/amd64    ok", False),
        ("", False),
    ],
)
def test_it_serves_when_its_cri_plugin_is_ok(machine: Machine, cri: str, serves: bool) -> None:
    machine.program("systemctl", "exit 0")
    machine.program(
        "ctr",
        f"""cat <<'EOF'
TYPE                                   ID                       PLATFORMS      STATUS
io.containerd.content.v1               content                  -              ok
{cri}
io.containerd.grpc.v1                  version                  -              ok
EOF""",
    )
    assert (machine.shell(SERVING).returncode == 0) is serves
