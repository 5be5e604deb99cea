"""Figures that need no machine: how the controller's own work grows with the lab."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median

from .labs import declaration
from .measure import ROOT, Figure, in_turn, ratio, run

# Hosts of the runs over pyinfra's @fake connector, and nodes of the plan.
_FEW, _MORE, _MANY = 10, 100, 500
_NODES = 5000

# What a lab of 5,000 nodes has to compute most for: everything that goes by segments is on.
_EVERYTHING = ("pod_routes=bgp", "bgp_load_balancer_ips=true", "l2_announcements=true", "workloads=true")


def plan(folder: Path, runs: int) -> Iterator[Figure]:
    """`ciliumlab plan` with 5,000 nodes in 100 segments, as it is declared by default and with all on.

    It never waits and has one thread, so that processor time is what it takes on a machine of its own.
    """
    lab = folder / "plan.yaml"
    lab.write_text(declaration(_NODES))
    data = [f"--data={setting}" for setting in _EVERYTHING]
    command = [sys.executable, "-m", "ciliumlab", "plan", "--json", "--topology", lab]
    peaks: list[float] = []
    wall: list[float] = []

    def measure(*more: str) -> float:
        done = run([*command, *more])
        peaks.append(done.mebibytes)
        wall.append(done.seconds)
        return done.processor

    samples = in_turn(runs, default=measure, everything=lambda: measure(*data))
    nodes = f"{_NODES} nodes in 100 segments"
    for name, values in samples.items():
        yield Figure(
            f"plan, {nodes}, {name}, processor time",
            median(values),
            "s",
            2.0,
            samples={"processor": values, "wall, of both": wall},
        )
    yield Figure(f"plan, {nodes}, memory", max(peaks), "MiB", 300, samples={"peaks": peaks})


def scale(folder: Path, runs: int) -> Iterator[Figure]:
    """A first deploy of all stages over hosts that answer after 10 ms and do nothing, see `many.py`."""
    peaks: list[float] = []

    def measure(hosts: int) -> float:
        lab = folder / f"{hosts}.yaml"
        lab.write_text(declaration(hosts - 1))  # and the router
        command = [sys.executable, "-m", "pyinfra", "-y", "--data", "cluster=auto"]
        deploy = run(
            [*command, ROOT / "tests/bench/many.py", "deploy.py"],
            # Two keys that are not there: no lab of this host is looked for.
            {"CILIUMLAB_TOPOLOGY": str(lab), "CILIUMLAB_STATE": str(folder)},
        )
        if hosts == _MANY:
            peaks.append(deploy.mebibytes)
        return deploy.seconds

    samples = in_turn(
        runs, few=lambda: measure(_FEW), more=lambda: measure(_MORE), many=lambda: measure(_MANY)
    )
    yield Figure(
        f"deploy of {_MANY} @fake hosts, against {_MORE}",
        ratio(samples, "many", "more"),
        "x",
        6.0,
        samples=samples,
    )
    yield Figure(
        f"deploy of {_MORE} @fake hosts, against {_FEW}",
        ratio(samples, "more", "few"),
        "x",
        note="start-up counts for the few",
        samples=samples,
    )
    yield Figure(
        f"deploy of {_MANY} @fake hosts, memory",
        max(peaks),
        "MiB",
        1000 * 1e6 / 2**20,
        samples={"peaks": peaks},
    )
