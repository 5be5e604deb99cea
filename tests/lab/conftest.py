"""What whole runs share: a story that ends when a step fails that all else needs, and its figures."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest
from typing_extensions import override
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from . import steps
from .mirror import Mirror, serving
from .running import FIGURE, RunningLab, running


@pytest.fixture(scope="session")
def mirror(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mirror]:
    """What all labs of a session install their cluster from."""
    with serving(tmp_path_factory.mktemp("mirror")) as mirror:
        yield mirror


@pytest.fixture(scope="session")
def containers(mirror: Mirror) -> Iterator[RunningLab]:
    """The reference lab without its dummies as four containers. Several stories have it, one after the other,
    as a first deploy takes longer than most of what they tell.
    """
    with running("container", mirror.data, dummies=False) as lab:
        yield lab
        steps.destroy(lab)


# What test_containers.py proves, the others go on from, with the same machines.
_SHARING = ("test_containers.py", "test_cilium.py", "test_cluster.py")


class _Stories(LoadScopeScheduling):
    """A story is told by one process, and so are all that have the same machines."""

    @override
    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.partition("::")[0].rpartition("/")[2]
        return "containers" if file in _SHARING else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> LoadScopeScheduling:
    return _Stories(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.path.name != _SHARING[0])
    if not os.environ.get("CILIUMLAB_TEST_LONG"):
        left_out = pytest.mark.skip(reason="takes longer than the hour of `make test` allows: make long-runs")
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(left_out)


@pytest.fixture(autouse=True)
def _story(request: pytest.FixtureRequest, lab: RunningLab) -> Iterator[None]:
    """``lab`` is the module's own fixture."""
    if lab.broken:
        pytest.skip(lab.broken)
    lab.figures = request.node.user_properties
    yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """How many seconds each step took, as these figures are quoted."""
    tests = [
        report
        for reports in terminalreporter.stats.values()
        for report in reports
        if isinstance(report, pytest.TestReport) and report.when == "call"
    ]
    figures = [
        (report.nodeid.partition("::")[0], name.removeprefix(FIGURE), seconds)
        for report in sorted(tests, key=lambda report: report.start)
        for name, seconds in report.user_properties
        if name.startswith(FIGURE)
    ]
    if figures:
        terminalreporter.section("seconds")
    for module, step, seconds in figures:
        terminalreporter.line(f"{seconds:7.1f}  {module}: {step}")
