"""Controllers that are killed at a moment which a seed draws, and the work that they are killed at."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from subprocess import TimeoutExpired

from ciliumlab.operations.host_lock import FILE as LOCK

from .drifts import base, containerd, network, router
from .drifts.drift import NETPLAN_PACKAGE, PACKAGES, Drift
from .listing import FILES, LISTING, after
from .running import ROOT, RunningLab

_KUBERNETES_SOURCE = "/etc/apt/sources.list.d/kubernetes.sources"
_FIRST, _WORKER = "first", "worker"

# What a run undoes, by stage: whatever is known to be put right by one run that nobody disturbs.
_UNDONE: dict[str, dict[str, Drift]] = {
    "base": base.DRIFTS,
    "network": network.DRIFTS,
    "router": router.DRIFTS,
    "containerd": containerd.DRIFTS,
    "kubernetes": {
        "the repository moved": Drift(
            "node",
            f"sed -i 's|^URIs: .*|URIs: http://127.0.0.1:9/|' {_KUBERNETES_SOURCE}",
            ("Kubernetes' package repository is known",),
        ),
        "the repository's key replaced": Drift(
            "node",
            "echo nothing > /etc/apt/keyrings/kubernetes.asc",
            ("Kubernetes' package repository is known",),
        ),
        "packages unheld": Drift(
            "node",
            "apt-mark unhold kubelet kubeadm kubectl",
            ("kubelet, kubeadm and kubectl are held at their version",),
        ),
        # Not of the control plane: the double's goes with its kubelet, and takes a while to come back.
        "kubelet stopped and disabled": Drift(
            _WORKER, "systemctl disable --now kubelet", ("kubelet runs, and waits for kubeadm",)
        ),
    },
    "control_plane": {
        "a program removed": Drift(
            _FIRST, "rm /usr/local/bin/k9s", ("Helm and the lab's other tools are installed",)
        ),
        "a program changed": Drift(
            _FIRST, "echo >> /usr/local/bin/etcdctl", ("Helm and the lab's other tools are installed",)
        ),
        "a login without aliases": Drift(
            _FIRST,
            "rm /etc/profile.d/ciliumlab-kubernetes.sh",
            ("A login knows kubectl's completion, aliases and prompt",),
        ),
    },
}

STAGES = tuple(_UNDONE)
TASKS = tuple(f"tasks/{stage}.py" for stage in STAGES)

_STAGE_OF = {
    name: stage
    for stage in STAGES
    for name in re.findall(r'name="(.+?)"', (ROOT / f"tasks/{stage}.py").read_text())
}

# Of Debian's package of that name, and this lab has Docker's.
_NOT_HERE = ("containerd removed", "containerd not held")

_NO_TREE = Drift("any", "dpkg --remove --force-depends tree", (PACKAGES,))

# What a run writes beside a file of its own before it takes its place.
_OURS = re.compile(r"/\.[^/ ]+\.ciliumlab\b")

# What a run has noted for the next one, and what it has set going that outlasts it.
_PENDING = """
find /run/ciliumlab/restart -type f 2>/dev/null | sed 's/^/pending /'
systemctl list-units --plain --no-legend 'ciliumlab-*' | sed 's/^/pending /'
"""
# Has run at boot, and ends with a networkd that was stopped by hand.
_OF_A_BOOT = "unit systemd-networkd-wait-online.service"

_SETTLED = "== settled"
_REST = "== rest"


def work(draw: Random, lab: RunningLab, *, installs: bool) -> dict[str, list[Drift]]:
    """What is to be undone on which host: something of each of its stages, and on one a package too.

    A package takes about as long as all else, so that runs with and without are of two kinds.
    """
    parts = {name: {"any", "node", _WORKER} for name in lab.machines}
    parts.update({lab.first: {"any", "node", _FIRST}, "router": {"any", "router"}})
    installing = draw.choice(sorted(lab.machines)) if installs else ""
    found: dict[str, list[Drift]] = {}
    for name in sorted(lab.machines):
        found[name] = [_NO_TREE] if name == installing else []
        for stage in STAGES:
            candidates = [
                drift
                for title, drift in _UNDONE[stage].items()
                if drift.part in parts[name] and title not in _NOT_HERE and _mends_alone(drift)
            ]
            if candidates:
                found[name].append(draw.choice(candidates))
    return found


def _mends_alone(drift: Drift) -> bool:
    """Whether a run puts right all of it, on any kernel and without a download."""
    by_person = drift.refused or drift.stays or drift.undone != "true"
    return not (by_person or drift.dummies or {PACKAGES, NETPLAN_PACKAGE} & set(drift.mended))


def undo(lab: RunningLab, todo: Mapping[str, list[Drift]]) -> dict[str, set[str]]:
    """Hosts as they are then, one line a thing."""
    return lab.everywhere(lambda name: after(lab, name, *(drift.done for drift in todo[name])))


def uninterrupted(lab: RunningLab, log: Path) -> float:
    """How many seconds a run takes that nobody kills."""
    started = time.monotonic()
    with log.open("wb") as said:
        process = lab.begin(*TASKS, said=said)
        assert process.wait() == 0, log.read_text()
    return time.monotonic() - started


@dataclass(frozen=True)
class Kill:
    """When and where a run was killed: the operation that had begun last, "" for none yet, and its stage.

    ``ended`` is true of a run that was faster than its death; then ``seconds`` is how long it took.
    """

    operation: str
    seconds: float
    ended: bool

    @property
    def stage(self) -> str:
        return "after its end" if self.ended else _STAGE_OF.get(self.operation, "preparing")


def kill(lab: RunningLab, seconds: float, log: Path) -> Kill:
    """Begin a run and kill its controller after so many seconds, wherever it is."""
    started = time.monotonic()
    with log.open("wb") as said:
        process = lab.begin(*TASKS, said=said)
        try:
            process.wait(seconds)
        except TimeoutExpired:
            process.kill()
        status = process.wait()
    took = time.monotonic() - started
    text = log.read_text(errors="replace")
    assert status in (0, -9), text
    operations = re.findall(r"Starting operation: (.+?) *$", text, re.MULTILINE)
    return Kill(operations[-1] if operations else "", took, ended=status == 0)


@dataclass(frozen=True)
class Left:
    """A host's files at once, and all that it is like when what the run had set going there has ended.

    ``rest``: whether anything was still at work at first.
    """

    at_once: set[str]
    settled: set[str]
    rest: bool

    def torn(self, before: set[str], converged: set[str]) -> list[str]:
        """Files that are neither as they were before the run nor as they shall be."""
        return sorted(
            line
            for line in (self.at_once | self.settled) - before - converged
            if line.startswith(("mode ", "sum ")) and not _OURS.search(line)
        )

    @property
    def begun(self) -> list[str]:
        """Files that were not finished, and have not taken the place of others."""
        return sorted(
            line.split()[1] for line in self.settled if line.startswith("mode ") and _OURS.search(line)
        )

    def half_way(self, before: set[str], converged: set[str]) -> bool:
        """Whether some of the work is done, and not all of it."""
        return bool((self.settled - before) & converged) and bool(converged - self.settled)


def look(lab: RunningLab) -> dict[str, Left]:
    """At all hosts, each of which must answer."""
    script = (
        f"flock -n {LOCK} true || echo '{_REST}'\n{FILES}"
        f"flock {LOCK} true\necho '{_SETTLED}'\n{LISTING}{_PENDING}"
    )

    def left(name: str) -> Left:
        at_once, _, settled = lab.shell(name, script).partition(f"{_SETTLED}\n")
        lines = set(at_once.splitlines())
        return Left(lines - {_REST}, set(settled.splitlines()), _REST in lines)

    return lab.everywhere(left)


def state(lab: RunningLab) -> dict[str, set[str]]:
    """Hosts one line a thing, with what is pending on them."""

    def lines(name: str) -> set[str]:
        there = lab.shell(name, LISTING + _PENDING).splitlines()
        return {line for line in there if not line.startswith(_OF_A_BOOT)}

    return lab.everywhere(lines)


@dataclass
class Tally:
    """What kills have hit, by seed.

    ``seconds`` is how long a run takes that nobody kills, one with a package to install and one without.
    """

    converged: dict[str, set[str]] = field(default_factory=dict)
    seconds: dict[bool, float] = field(default_factory=dict)
    kills: dict[int, Kill] = field(default_factory=dict)
    half_way: dict[int, list[str]] = field(default_factory=dict)
    """Hosts on which some of the work was done, and not all of it; and below, where it still went on."""
    rest: dict[int, list[str]] = field(default_factory=dict)
    begun: dict[int, list[str]] = field(default_factory=dict)
    """Files that were left beside those whose place they were to take."""

    def add(self, seed: int, kill: Kill, left: Mapping[str, Left], before: Mapping[str, set[str]]) -> None:
        self.kills[seed] = kill
        self.half_way[seed] = [
            name for name, host in left.items() if host.half_way(before[name], self.converged[name])
        ]
        self.rest[seed] = [name for name, host in left.items() if host.rest]
        self.begun[seed] = [path for host in left.values() for path in host.begun]

    def about(self, seed: int) -> str:
        kill = self.kills[seed]
        where = f"{kill.stage} ({kill.operation})" if kill.operation else kill.stage
        return f"{where}, {len(self.half_way[seed])} hosts half-way, {len(self.rest[seed])} at work"

    @property
    def stages(self) -> Counter[str]:
        """How many kills have hit each stage."""
        return Counter(kill.stage for kill in self.kills.values())

    def counts(self) -> Iterator[tuple[str, int]]:
        """For people: how many seeds have hit what."""
        for stage in ("preparing", *STAGES, "after its end"):
            yield f"seeds whose kill hit {stage}", self.stages[stage]
        yield "seeds with a host half-way", sum(map(bool, self.half_way.values()))
        yield "seeds with a host where the run's last command went on", sum(map(bool, self.rest.values()))
        yield "seeds with a file that was begun", sum(map(bool, self.begun.values()))
