"""Hosts and expectations of these tests come from an inventory: the project's own, or ``--inventory``."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ciliumlab.report.found import DATA, FOUND

from . import evidence
from . import lab as labs
from .lab import ROOT, Lab

_INVENTORY = ROOT / "inventory" / "lab.py"
_LAB = pytest.StashKey[Lab]()


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("states", "states of the lab's hosts")
    group.addoption(
        "--inventory",
        type=Path,
        default=_INVENTORY,
        help="pyinfra inventory of the hosts to check (default: inventory/lab.py)",
    )
    group.addoption(
        "--data",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a setting as the deploy did, as pyinfra's --data",
    )


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "each(cases): run the test for each case that a lab gives")


def pytest_sessionstart(session: pytest.Session) -> None:
    """A lab that cannot be read is told before anything else."""
    _lab(session.config)


def _lab(config: pytest.Config) -> Lab:
    if _LAB not in config.stash:
        # Where this folder is only met on the way (pytest tests), there are no options of its own.
        inventory = config.getoption("inventory", _INVENTORY).absolute()
        try:
            config.stash[_LAB] = labs.read(inventory, config.getoption("data", []))
        except labs.Unreadable as error:
            pytest.exit(f"the inventory cannot be read\n{error}", returncode=error.exit_status)
    return config.stash[_LAB]


@pytest.fixture(autouse=True)
def _evidence(request: pytest.FixtureRequest) -> None:
    """Each test keeps what it compares."""
    evidence.keep_in(request.node.user_properties)


@pytest.fixture(scope="session", autouse=True)
def _found(
    request: pytest.FixtureRequest, record_testsuite_property: Callable[[str, object], None]
) -> Iterator[None]:
    """And all together what they have found, with what they were told."""
    yield
    record_testsuite_property(FOUND, json.dumps(evidence.found(_lab(request.config))))
    record_testsuite_property(DATA, json.dumps(request.config.getoption("data", [])))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    for mark in metafunc.definition.iter_markers("each"):
        names = list(inspect.signature(metafunc.function).parameters)
        cases_of, why_none = mark.args
        found = cases_of(_lab(metafunc.config))
        cases = [case if isinstance(case, tuple) else (case,) for case in found]
        skip = pytest.mark.skip(why_none or "nothing of the kind in this lab")
        none = pytest.param(*names, marks=skip, id="none")
        metafunc.parametrize(names, [pytest.param(*case, id=_id(case)) for case in cases] or [none])


def _id(case: tuple[object, ...]) -> str:
    """The host and the thing: ``k8s-ctr:vim``."""
    return ":".join(" ".join(part) if isinstance(part, tuple) else str(part) for part in case)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _LAB in session.config.stash:
        session.config.stash[_LAB].close()
