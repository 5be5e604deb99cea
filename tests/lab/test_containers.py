"""The reference lab without its dummies as four containers: the whole story in a few minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import steps
from .mirror import Mirror
from .running import TASKS, RunningLab

pytestmark = pytest.mark.lab

# A configuration that netplan accepts, and with which nobody reaches the machine any more.
_CUTS_OFF = """
from ciliumlab.operations import netplan

netplan.configuration(
    name="Machines are cut off",
    file="70-elsewhere",
    document={
        "network": {"version": 2, "ethernets": {"eth0": {"dhcp4": False, "addresses": ["192.0.2.1/24"]}}},
    },
    patience=40,
)
"""


@pytest.fixture(scope="module")
def lab(containers: RunningLab, mirror: Mirror) -> RunningLab:
    containers.story(mirror.data)
    return containers


def test_up(lab: RunningLab) -> None:
    steps.come_up(lab)


def test_up_again_does_nothing(lab: RunningLab) -> None:
    before = lab.everywhere(lab.boot)
    with lab.step("come up when all is up"):
        lab.up()
    assert lab.everywhere(lab.boot) == before


def test_dry_run_changes_nothing(lab: RunningLab) -> None:
    steps.dry_run_changes_nothing(lab)


def test_deploy(lab: RunningLab) -> None:
    steps.deploy(lab)


def test_states_hold(lab: RunningLab) -> None:
    steps.states_hold(lab, "after the deploy")


def test_second_deploy_changes_nothing(lab: RunningLab) -> None:
    steps.nothing_changes(lab, "deploy with nothing to do")


@pytest.mark.parametrize("task", TASKS)
def test_task_alone_changes_nothing(lab: RunningLab, task: str) -> None:
    steps.nothing_changes(lab, f"run {task} with nothing to do", task)


def test_a_change_that_cuts_machines_off_goes_back(lab: RunningLab, tmp_path: Path) -> None:
    file = tmp_path / "cut.py"
    file.write_text(_CUTS_OFF)
    with lab.step("cut machines off"):
        run = lab.deploy(str(file))
    assert (run.status, set(run.failed)) == (1, set(lab.machines)), run.said
    assert run.said.count("cut this host off for 40 s; the former one is back") == len(lab.machines), run.said
    steps.nothing_changes(lab, "deploy after that")


def test_reboot(lab: RunningLab) -> None:
    steps.reboot(lab)


def test_states_hold_after_reboot(lab: RunningLab) -> None:
    steps.states_hold(lab, "after the reboot")


def test_deploy_after_reboot_changes_nothing(lab: RunningLab) -> None:
    steps.nothing_changes(lab, "deploy after the reboot")


def test_killed_machine(lab: RunningLab) -> None:
    steps.a_killed_machine_is_named_and_converges(lab)


def test_states_hold_after_the_kill(lab: RunningLab) -> None:
    steps.states_hold(lab, "after the kill")


def test_deploy_after_the_kill_changes_nothing(lab: RunningLab) -> None:
    steps.nothing_changes(lab, "deploy after the kill")


def test_clock_off(lab: RunningLab) -> None:
    steps.a_clock_that_is_off_stops_the_run(lab)


def test_snapshot(lab: RunningLab) -> None:
    steps.a_snapshot_is_restored(lab)


def test_disks_outlive_a_shutdown(lab: RunningLab) -> None:
    lab.everywhere(lambda name: lab.shell(name, "echo kept > /etc/kept"))
    with lab.step("shut down", essential=True):
        lab.ciliumlab("down")
    assert set(lab.status().values()) == {"off"}
    with lab.step("boot from kept disks", essential=True):
        lab.up()
        steps.settled(lab)
    assert set(lab.everywhere(lambda name: lab.shell(name, "cat /etc/kept")).values()) == {"kept\n"}


def test_states_hold_at_the_end(lab: RunningLab) -> None:
    steps.states_hold(lab, "after a shutdown")
