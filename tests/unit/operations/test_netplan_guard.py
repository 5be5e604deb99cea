"""The script that changes a host's network, run here on folders and programs that stand in for the host's."""

from __future__ import annotations

import subprocess
import time
from dataclasses import replace
from pathlib import Path

import pytest

from ciliumlab.operations.netplan_guard import Change, script

from . import machine as machines

CHANGE = Change(
    file="60-lab",
    text="new\n",
    interfaces=["eth1"],
    dummies=[],
    removals=["route delete 10.11.0.0/16"],
    restores=["route add 10.11.0.0/16"],
    expected=[("-4 address show dev eth1 up", " 192.168.10.100/24 ")],
    patience=2,
)

# Each notes how it was called. What it does besides is in the file of its name below "does".
_PROGRAM = """echo "${0##*/} $*" >> "$ROOT/calls"
[ ! -e "$ROOT/does/${0##*/}" ] || . "$ROOT/does/${0##*/}"
"""


class Machine(machines.Machine):
    """A host with a network, of which nothing is real."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "/etc/netplan", "/run/", "/sys/")
        for folder in (
            "etc/netplan",
            "run/netplan",
            "run/ciliumlab/netplan/60-lab",
            "sys/class/net/eth1",
            "does",
        ):
            (self.root / folder).mkdir(parents=True)
        for program in ("netplan", "networkctl", "systemctl", "systemd-run", "ip"):
            self.program(program, _PROGRAM)
        self.does("ip", '[ "$1" != -4 ] || echo "    inet 192.168.10.100/24 brd"')
        self.own.write_text("old\n")

    @property
    def own(self) -> Path:
        return self.root / "etc/netplan/60-lab.yaml"

    @property
    def trial(self) -> Path:
        return self.root / "run/netplan/60-lab.yaml"

    def does(self, program: str, what: str) -> None:
        (self.root / "does" / program).write_text(f"{what}\n")

    def calls(self) -> list[str]:
        path = self.root / "calls"
        lines = path.read_text().splitlines() if path.exists() else []
        path.unlink(missing_ok=True)
        return lines

    def configuring(self) -> Path:
        """Where networkd says that it is at work on eth1."""
        (self.root / "sys/class/net/eth1/ifindex").write_text("7\n")
        link = self.root / "run/systemd/netif/links/7"
        link.parent.mkdir(parents=True)
        link.write_text("ADMIN_STATE=configuring\n")
        return link

    def guard(self, verb: str, change: Change = CHANGE) -> subprocess.CompletedProcess[str]:
        path = self.root / f"run/ciliumlab/netplan/{change.file}/guard"
        path.write_text(self.here(script(change)))
        return subprocess.run(
            ["sh", str(path), verb], env=self.environment, capture_output=True, text=True, check=False
        )


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_a_change_is_tried_then_saved(machine: Machine) -> None:
    assert machine.guard("prepare").returncode == 0
    _stopped, armed, generated = machine.calls()
    assert armed.startswith("systemd-run") and "--on-active=2" in armed and armed.endswith("roll-back")
    assert generated == "netplan generate"
    assert (machine.own.read_text(), machine.trial.read_text()) == ("old\n", "new\n")
    machine.guard("apply")
    assert machine.calls()[:4] == [
        "systemctl start systemd-networkd.service",
        "networkctl reload",
        "ip route delete 10.11.0.0/16",
        "networkctl reconfigure eth1",
    ]
    assert (machine.own.read_text(), machine.trial.read_text()) == ("old\n", "new\n")
    assert machine.guard("change").returncode == 0
    assert machine.guard("confirm").returncode == 0
    assert machine.own.read_text() == "new\n"
    assert not machine.trial.exists()
    assert oct(machine.own.stat().st_mode)[-3:] == "600"
    assert [path.name for path in machine.own.parent.iterdir()] == ["60-lab.yaml"]
    machine.calls()
    machine.guard("roll-back")
    assert machine.calls() == []


_REFUSES = 'ls "$ROOT/run/netplan" | grep -q . || exit 0; echo "Error in network definition" >&2; exit 78'


def test_netplan_is_asked_first(machine: Machine) -> None:
    machine.does("netplan", _REFUSES)
    result = machine.guard("prepare")
    assert result.returncode == 1
    assert result.stderr == (
        "Error in network definition\nnetplan does not accept this configuration; nothing was changed\n"
    )
    assert machine.calls()[-4:] == [
        "netplan generate",
        "systemctl stop ciliumlab-netplan-apply-60-lab.service",
        "netplan generate",
        "systemctl stop ciliumlab-netplan-rollback-60-lab.timer",
    ]
    assert not machine.trial.exists()
    machine.guard("roll-back")
    assert machine.calls() == []


def test_a_change_that_was_cut_off_goes_back_when_netplan_refuses_the_next(machine: Machine) -> None:
    change = replace(CHANGE, dummies=["loop1"])
    machine.guard("prepare", change)
    machine.guard("apply", change)
    machine.does("netplan", _REFUSES)
    machine.calls()
    assert machine.guard("prepare").returncode == 1
    assert machine.calls()[-7:] == [
        "netplan generate",
        "ip link delete loop1",
        "systemctl start systemd-networkd.service",
        "networkctl reload",
        "ip route add 10.11.0.0/16",
        "networkctl reconfigure eth1",
        "systemctl stop ciliumlab-netplan-rollback-60-lab.timer",
    ]
    assert not machine.trial.exists()


def test_a_change_that_was_cut_off_goes_back_when_the_next_cannot_be_noted(machine: Machine) -> None:
    machine.guard("prepare")
    machine.guard("apply")
    machine.program("mkdir", 'echo "mkdir: No space left on device" >&2; exit 1')
    machine.calls()
    result = machine.guard("prepare")
    folder = machine.root / "run/ciliumlab/netplan/60-lab"
    assert (result.returncode, result.stderr) == (
        1,
        f"mkdir: No space left on device\n{folder} cannot be written; nothing was changed\n",
    )
    assert "ip route add 10.11.0.0/16" in machine.calls()
    assert not machine.trial.exists()


def test_a_host_that_cannot_go_back_by_itself_is_left_alone(machine: Machine) -> None:
    machine.does("systemd-run", 'echo "Failed to start transient timer unit" >&2; exit 1')
    result = machine.guard("prepare")
    assert (result.returncode, result.stderr) == (
        1,
        "Failed to start transient timer unit\nthis host cannot go back by itself; nothing was changed\n",
    )
    assert not machine.trial.exists()


def test_a_host_that_nobody_reaches_again_goes_back(machine: Machine) -> None:
    machine.guard("prepare")
    machine.guard("apply")
    machine.calls()
    machine.guard("roll-back")
    assert not machine.trial.exists()
    assert machine.own.read_text() == "old\n"
    assert machine.calls() == [
        "systemctl stop ciliumlab-netplan-apply-60-lab.service",
        "netplan generate",
        "systemctl start systemd-networkd.service",
        "networkctl reload",
        "ip route add 10.11.0.0/16",
        "networkctl reconfigure eth1",
    ]
    for verb in ("change", "confirm"):
        late = machine.guard(verb)
        assert late.returncode == 1
        assert "the former one is back" in late.stderr
    assert machine.own.read_text() == "old\n"


def test_what_does_not_come_into_force_goes_back_at_once(machine: Machine) -> None:
    machine.does("networkctl", '[ "$1" != reload ] || { echo "cannot reload" >&2; exit 1; }')
    machine.guard("prepare")
    machine.guard("apply")
    machine.does("networkctl", "true")
    result = machine.guard("change")
    assert result.returncode == 1
    assert "cannot reload" in result.stderr
    assert not machine.trial.exists()
    assert machine.guard("confirm").returncode == 1


def test_an_address_that_is_late_is_waited_for(machine: Machine) -> None:
    machine.does("ip", f'[ ! -e {machine.root}/late ] || echo " 192.168.10.100/24 "')
    machine.guard("prepare")
    started = time.monotonic()
    with subprocess.Popen(["sh", "-c", f"sleep 1.5; touch {machine.root}/late"]):
        machine.guard("apply")
        assert time.monotonic() - started > 1
    assert machine.guard("change").returncode == 0


def test_networkd_has_the_last_word(machine: Machine) -> None:
    link = machine.configuring()
    machine.guard("prepare")
    started = time.monotonic()
    with subprocess.Popen(["sh", "-c", f"sleep 1.5; echo ADMIN_STATE=configured > {link}"]):
        machine.guard("apply")
        assert time.monotonic() - started > 1
    assert machine.guard("change").returncode == 0


def test_a_link_local_address_may_still_be_anybody_s(machine: Machine) -> None:
    machine.configuring()
    machine.does(
        "ip", '[ "$1" = -6 ] && echo "    inet6 fe80::1/64" || echo "    inet 192.168.10.100/24 brd"'
    )
    machine.guard("prepare")
    machine.guard("apply")
    assert "ip -6 address show dev eth1 scope link tentative" in machine.calls()
    assert machine.guard("change").returncode == 0


def test_dummies_are_made_and_taken_back(machine: Machine) -> None:
    change = replace(CHANGE, dummies=["loop1"], interfaces=["loop1"], removals=[], restores=[], expected=[])
    machine.guard("prepare", change)
    machine.guard("apply", change)
    assert "ip link add loop1 type dummy" in machine.calls()
    machine.guard("roll-back", change)
    calls = machine.calls()
    assert "ip link delete loop1" in calls
    assert "ip link add loop1 type dummy" not in calls


def test_a_change_of_another_file_is_none_of_its_business(machine: Machine) -> None:
    machine.guard("prepare")
    machine.guard("apply")
    machine.calls()
    other = replace(CHANGE, file="62-pods", text="other\n")
    (machine.root / "run/ciliumlab/netplan/62-pods").mkdir()
    for verb in ("prepare", "apply", "change", "confirm"):
        assert machine.guard(verb, other).returncode == 0
    assert not any("60-lab" in call for call in machine.calls())
    machine.guard("roll-back")
    assert "ip route add 10.11.0.0/16" in machine.calls()
    assert [path.name for path in machine.own.parent.iterdir() if path.read_text() == "other\n"] == [
        "62-pods.yaml"
    ]
    assert not machine.trial.exists()


def test_a_step_that_comes_late_undoes_nothing(machine: Machine) -> None:
    """It was sent over a connection that was taken to be lost."""
    for verb in ("prepare", "apply", "change", "confirm", "prepare"):
        assert machine.guard(verb).returncode == 0
    machine.calls()
    machine.guard("roll-back")
    assert machine.calls() == ["systemctl stop ciliumlab-netplan-apply-60-lab.service", "netplan generate"]
    assert machine.own.read_text() == "new\n"


def test_a_second_change_takes_the_place_of_one_that_was_cut_off(machine: Machine) -> None:
    machine.guard("prepare")
    machine.guard("apply")
    machine.calls()
    other = replace(CHANGE, text="other\n")
    assert machine.guard("prepare", other).returncode == 0
    assert machine.calls()[0] == (
        "systemctl stop ciliumlab-netplan-rollback-60-lab.timer ciliumlab-netplan-rollback-60-lab.service"
        " ciliumlab-netplan-apply-60-lab.service"
    )
    machine.guard("apply", other)
    assert machine.guard("change", other).returncode == 0
    assert machine.guard("confirm", other).returncode == 0
    assert machine.own.read_text() == "other\n"


def test_a_step_that_was_cut_off_is_asked_for_again(machine: Machine) -> None:
    machine.guard("prepare")
    machine.does("systemd-run", 'sh "$ROOT/run/ciliumlab/netplan/60-lab/guard" apply')
    for _ in range(2):
        assert machine.guard("change").returncode == 0
    assert sum("--unit=ciliumlab-netplan-apply-60-lab" in call for call in machine.calls()) == 1
    for _ in range(2):
        assert machine.guard("confirm").returncode == 0
    assert machine.own.read_text() == "new\n"


def test_what_was_confirmed_and_could_not_be_saved_is_no_success(machine: Machine) -> None:
    machine.guard("prepare")
    machine.guard("apply")
    machine.trial.unlink()
    for _ in range(2):
        result = machine.guard("confirm")
        assert result.returncode == 1
        assert "cannot be saved for the next boot" in result.stderr
    assert machine.own.read_text() == "old\n"


def test_a_change_that_cannot_begin_goes_back_at_once(machine: Machine) -> None:
    machine.guard("prepare")
    machine.does("systemd-run", 'echo "Failed to start transient service unit" >&2; exit 1')
    result = machine.guard("change")
    assert result.returncode == 1
    assert "Failed to start transient service unit" in result.stderr
    assert "the former one is back" in result.stderr


def test_a_change_that_was_given_up_is_not_begun(machine: Machine) -> None:
    machine.guard("prepare")
    machine.guard("roll-back")
    machine.calls()
    machine.guard("apply")
    assert machine.calls() == []
    assert not machine.trial.exists()
