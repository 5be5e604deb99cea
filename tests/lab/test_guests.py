"""The full reference lab under QEMU, with kernels of its own: the real thing, emulated where it must be.

A cluster takes a quarter of an hour more where kernels are emulated, and containers tell the same of it: with
CILIUMLAB_TEST_GUESTS=cluster it is here too.
"""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from . import steps
from .mirror import Mirror
from .running import MACHINE_TASKS, NO_SOURCES, TASKS, RunningLab, running

pytestmark = [pytest.mark.lab, pytest.mark.guests]


_CLUSTER = os.environ.get("CILIUMLAB_TEST_GUESTS") == "cluster"


@pytest.fixture(scope="module")
def lab(mirror: Mirror) -> Iterator[RunningLab]:
    with running("guest", mirror.data if _CLUSTER else NO_SOURCES, dummies=True) as lab:
        yield lab


def test_up(lab: RunningLab) -> None:
    steps.come_up(lab)


def test_dry_run_changes_nothing(lab: RunningLab) -> None:
    steps.dry_run_changes_nothing(lab)


def test_deploy(lab: RunningLab) -> None:
    steps.deploy(lab)


def test_states_hold(lab: RunningLab) -> None:
    steps.states_hold(lab, "after the deploy")


def test_second_deploy_changes_nothing(lab: RunningLab) -> None:
    steps.nothing_changes(lab, "deploy with nothing to do")


@pytest.mark.parametrize("task", TASKS if _CLUSTER else MACHINE_TASKS)
def test_task_alone_changes_nothing(lab: RunningLab, task: str) -> None:
    steps.nothing_changes(lab, f"run {task} with nothing to do", task)


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


def test_swap_on(lab: RunningLab) -> None:
    steps.swap_is_seen_and_switched_off(lab)


def test_clock_off(lab: RunningLab) -> None:
    steps.a_clock_that_is_off_stops_the_run(lab)


def test_snapshot(lab: RunningLab) -> None:
    steps.a_snapshot_is_restored(lab)


def test_nothing_changes_after_all_that(lab: RunningLab) -> None:
    steps.nothing_changes(lab, "deploy after the restore")


def test_destroy(lab: RunningLab) -> None:
    steps.destroy(lab)
