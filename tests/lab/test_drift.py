"""Hosts that have left their declared state: a dry run names it, states notice it, a run mends that alone.

Drifts that nothing has in common are looked at together, on different hosts or in the hands of different
operations, so that each is told from the others by where and by what.
"""

from __future__ import annotations

import subprocess
from collections import defaultdict
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import pytest

from . import steps
from .deploy import Deploy
from .drifts import DRIFTS
from .drifts.drift import CONTAINERD, HELD, NETPLAN, NETWORKD, RUNTIME, Drift
from .drifts.harmless import LEFT_ALONE
from .listing import after
from .running import NO_SOURCES, RunningLab, running

pytestmark = [pytest.mark.lab, pytest.mark.long]

_STAGES = ("base", "network", "router", "containerd")

# One host's page is another's to fetch, which takes its time when there is no way.
_OF_ONE_HOST = "not test_page or test_page_file"

_HOSTS = {"node": ("k8s-w1", "k8s-w0", "k8s-ctr"), "router": ("router",)}
_HOSTS["any"] = (*_HOSTS["node"], *_HOSTS["router"])

# What one of these does shows in what the other one looks at.
_ONE_HAND = {NETWORKD: NETPLAN, HELD: CONTAINERD, RUNTIME: CONTAINERD}


@dataclass
class Round:
    """Drifts that are looked at together, by host, and what became of them."""

    drifts: dict[str, dict[str, Drift]] = field(default_factory=lambda: defaultdict(dict))
    dry: Deploy | None = None
    run: Deploy | None = None
    before: dict[str, set[str]] = field(default_factory=dict)
    drifted: dict[str, set[str]] = field(default_factory=dict)
    mended: dict[str, set[str]] = field(default_factory=dict)
    undone: dict[str, set[str]] = field(default_factory=dict)
    noticed: set[tuple[str, str]] = field(default_factory=set)
    """Tests of tests/states that failed on the hosts as they were found, with the host; and below, after."""
    left: set[tuple[str, str]] = field(default_factory=set)

    def takes(self, host: str, drift: Drift) -> bool:
        there = self.drifts[host].values()
        hands = {hand for other in there for hand in _hands(other)}
        # A run ends on a host that refuses.
        return not (hands & _hands(drift) or (there and (drift.refused or any(one.refused for one in there))))

    def expected(self, host: str, *, dry: bool) -> set[str]:
        return {
            name
            for drift in self.drifts[host].values()
            for name in (*drift.mended, *(drift.told if dry else ()))
            if dry or not drift.refused
        }


def _hands(drift: Drift) -> set[str]:
    return {_ONE_HAND.get(name, name) for name in (*drift.mended, *drift.told)}


def _rounds(drifts: Mapping[str, Drift]) -> list[Round]:
    rounds: list[Round] = []
    for number, (title, drift) in enumerate(drifts.items()):
        hosts = _HOSTS[drift.part]
        turned = [*hosts[number % len(hosts) :], *hosts[: number % len(hosts)]]
        places = ((one, host) for one in rounds for host in turned if one.takes(host, drift))
        one, host = next(places, (None, turned[0]))
        if one is None:
            one = Round()
            rounds.append(one)
        one.drifts[host][title] = drift
    return rounds


_DUMMIES = (
    subprocess.run(
        ["unshare", "--net", "ip", "link", "add", "try", "type", "dummy"], capture_output=True
    ).returncode
    == 0
)

_POSSIBLE = {title: drift for title, drift in DRIFTS.items() if _DUMMIES or not drift.dummies}
_ROUNDS = [*_rounds(_POSSIBLE), *_rounds(LEFT_ALONE)]
_CASES = [
    pytest.param(one, host, title, id=title)
    for one in _ROUNDS
    for host, drifts in one.drifts.items()
    for title in drifts
]


@pytest.fixture(scope="module")
def lab() -> Iterator[RunningLab]:
    # With the distribution's own containerd, these stages need no source of the cluster's.
    data = {**NO_SOURCES, "containerd_package": "containerd"}
    with running("container", data, dummies=_DUMMIES, name="drift") as lab:
        yield lab


def test_up(lab: RunningLab) -> None:
    steps.come_up(lab)


def test_deploy(lab: RunningLab) -> None:
    steps.deploy(lab)


def test_states_hold(lab: RunningLab) -> None:
    steps.states_hold(lab, "before any drift")


@pytest.mark.parametrize(("one", "host", "title"), _CASES)
def test_drift(lab: RunningLab, one: Round, host: str, title: str) -> None:
    drift = one.drifts[host][title]
    _gone_through(lab, one)
    assert one.dry and one.run

    # A dry run names what is to be done, and nothing else; and that is what is done.
    planned, changed = set(one.dry.planned.get(host, [])), set(one.run.changed.get(host, []))
    assert planned >= {*drift.mended, *drift.told}
    assert planned == one.expected(host, dry=True)
    assert changed == one.expected(host, dry=False)
    assert (host in one.run.failed) == bool(drift.refused), one.run.said
    assert drift.refused in one.run.said

    # The states notice, unless there is nothing to be noticed, and are content afterwards.
    noticed = {test for test, where in one.noticed if where == host}
    assert drift.seen in noticed if drift.seen else noticed == set()
    assert {test for test, where in one.left if where == host} == set()

    # What is somebody else's has stayed, and else nothing is as it was not before.
    for path in drift.stays:
        assert _sums(one.drifted[host], path) == _sums(one.mended[host], path) != []
    assert sorted(one.before[host] ^ one.undone[host]) == []


@pytest.mark.parametrize("title", [title for title in DRIFTS if title not in _POSSIBLE])
def test_drift_of_dummies(title: str) -> None:
    pytest.skip("this host's kernel has no dummy interfaces")


def test_no_other_host_was_touched(lab: RunningLab) -> None:
    for one in _ROUNDS:
        if one.dry and one.run:
            hosts = {host for host in one.drifts if one.expected(host, dry=True)}
            assert set(one.dry.planned) == hosts
            assert set(one.run.changed) | set(one.run.failed) == hosts


def test_states_hold_at_the_end(lab: RunningLab) -> None:
    steps.states_hold(lab, "after all drifts")


def test_nothing_changes_at_the_end(lab: RunningLab) -> None:
    steps.nothing_changes(lab, "deploy after all drifts")


def test_destroy(lab: RunningLab) -> None:
    steps.destroy(lab)


def _gone_through(lab: RunningLab, one: Round) -> None:
    """Let the drifts of a round happen, once, and look at what follows."""
    if one.run:
        return
    tasks = [f"tasks/{stage}.py" for stage in _STAGES]
    with lab.step(f"go through drifts, round {_ROUNDS.index(one) + 1} of {len(_ROUNDS)}", essential=True):
        one.before = lab.everywhere(lambda name: after(lab, name))
        one.drifted = lab.everywhere(
            lambda name: after(lab, name, *(d.done for d in one.drifts[name].values()))
        )
        with ThreadPoolExecutor() as pool:
            noticed = pool.submit(lab.failing, *_STAGES, only=_OF_ONE_HOST)
            one.dry = lab.pyinfra("--dry", "inventory/lab.py", *tasks)
            one.noticed = noticed.result()
        run = lab.pyinfra("-y", "inventory/lab.py", *tasks)
        one.mended = lab.everywhere(lambda name: after(lab, name))
        one.undone = lab.everywhere(
            lambda name: after(lab, name, *(d.undone for d in one.drifts[name].values()))
        )
        one.left = lab.failing(*_STAGES, only=_OF_ONE_HOST)
        one.run = run


def _sums(listing: set[str], path: str) -> list[str]:
    return [line for line in listing if line.startswith("sum ") and line.endswith(f"  {path}")]
