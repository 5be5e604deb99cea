"""Where the cluster's sources are out of reach: a deploy that wants them stops, another goes on without."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from . import steps
from .running import NO_SOURCES, RunningLab, running

pytestmark = pytest.mark.lab


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    with running("container", NO_SOURCES, dummies=False, name="without") as lab:
        yield lab


def test_up(lab: RunningLab) -> None:
    steps.come_up(lab)


def test_required_touches_nothing(lab: RunningLab) -> None:
    before = steps.footprints(lab)
    run = lab.deploy(cluster="required")
    assert (run.status, set(run.failed)) == (1, set(lab.machines)), run.said
    assert "http://10.0.2.2:9" in run.said
    assert "Traceback" not in run.said
    assert steps.footprints(lab) == before


def test_auto_deploys_the_rest_and_says_so(lab: RunningLab) -> None:
    with lab.step("deploy without the cluster", essential=True):
        run = lab.deploy()
    assert run.status == 0, run.said
    assert set(run.changed) == set(lab.machines)
    last = run.said.strip().splitlines()[-1]
    assert "The container runtime and the cluster were not deployed" in last
    assert "http://10.0.2.2:9" in last


def test_states_hold(lab: RunningLab) -> None:
    steps.states_hold(lab, "of a lab without its cluster")


def test_second_deploy_changes_nothing(lab: RunningLab) -> None:
    steps.nothing_changes(lab, "deploy without the cluster with nothing to do")


def test_destroy(lab: RunningLab) -> None:
    steps.destroy(lab)
