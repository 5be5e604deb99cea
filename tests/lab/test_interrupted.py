"""Runs that are interrupted: the controller killed, the connection cut, the disk read-only, names or the
mirror gone, another run at work. No file is torn, no host is lost, and one more run converges.

Long as a whole: the lab and its first deploy alone would take most of three minutes of `make test`, and a few
seeds of many would prove little. That files are replaced whole, and the lock, have unit tests there.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from random import Random

import pytest

from . import beside, killed, steps
from .beside import BUSY, INSTALLS, REFUSED, WAITS, held_up
from .deploy import Deploy
from .drifts.drift import HOSTS, LOGIN, NETPLAN, PACKAGES
from .killed import Tally
from .mirror import Mirror
from .running import RunningLab, running

pytestmark = [pytest.mark.lab, pytest.mark.long]

_SEEDS = 50

# How often a run may have been faster than its death.
_ATTEMPTS = 3

_FIRST, _WORKER, _ROUTER = "k8s-ctr", "k8s-w1", "router"
_BASE = "tasks/base.py"
_LOGIN = "/etc/profile.d/ciliumlab.sh"


@pytest.fixture(scope="module")
def lab(mirror: Mirror) -> Iterator[RunningLab]:
    if not mirror.doubles:
        pytest.skip("it is undone and interrupted what only doubles do quickly")
    with running("container", mirror.data, dummies=False, name="interrupted") as lab:
        yield lab


@pytest.fixture(scope="module")
def tally() -> Tally:
    return Tally()


def test_a_cluster_is_made(lab: RunningLab) -> None:
    steps.come_up(lab)
    steps.deploy(lab)
    steps.nothing_changes(lab, "deploy with nothing to do")


# Another controller is at work ---------------------------------------------------------------------


def test_a_second_run_waits_for_the_first(lab: RunningLab) -> None:
    with beside.commands_noted(lab):
        with ThreadPoolExecutor() as pool, held_up(lab, _WORKER):
            first = pool.submit(lab.deploy, _BASE)
            lab.until(_WORKER, INSTALLS)
            second = pool.submit(lab.deploy, _BASE)
            lab.until(_FIRST, WAITS)
        orders = lab.everywhere(lambda name: beside.order(lab, name))
    run = first.result()
    assert (run.status, run.changed) == (0, {_WORKER: [f"{PACKAGES}"]}), run.said
    run = second.result()
    assert (run.status, run.changed) == (0, {}), run.said
    assert set(BUSY.findall(run.said)) == set(lab.machines)
    # Each host has had all commands of the first before any of the second, which came while that was at work.
    for name, order in orders.items():
        assert re.fullmatch("f+w[fw]*f[fw]*s+", order), f"{name}: {order}"


def test_a_second_run_that_is_to_wait_for_a_moment_alone(lab: RunningLab) -> None:
    lab.shell(_ROUTER, f"rm {_LOGIN}")
    with ThreadPoolExecutor() as pool, held_up(lab, _WORKER):
        first = pool.submit(lab.deploy, _BASE)
        lab.until(_WORKER, INSTALLS)
        run = lab.deploy(_BASE, lock_timeout=2)
        assert not _exists(lab, _ROUTER, _LOGIN)
    assert (run.status, set(run.failed)) == (1, set(lab.machines)), run.said
    assert "Traceback" not in run.said
    assert len(set(REFUSED.findall(run.said))) == 1, run.said
    run = first.result()
    assert (run.status, set(run.changed)) == (0, {_WORKER, _ROUTER}), run.said


def test_a_second_run_outlives_the_first(lab: RunningLab) -> None:
    """What the first had set going counts as the first, and is waited for too."""
    with ThreadPoolExecutor() as pool, held_up(lab, _WORKER):
        first = lab.begin(_BASE)
        try:
            lab.until(_WORKER, INSTALLS)
            second = pool.submit(lab.deploy, _BASE)
            lab.until(_FIRST, WAITS)
        finally:
            first.kill()
            first.wait()
        lab.until(_WORKER, f"{WAITS} && {INSTALLS}")
    run = second.result()
    assert run.status == 0, run.said
    _converges(lab, set())


def test_a_dry_run_asks_nobody(lab: RunningLab) -> None:
    with ThreadPoolExecutor() as pool, held_up(lab, _WORKER):
        first = pool.submit(lab.deploy, _BASE)
        lab.until(_WORKER, INSTALLS)
        run = lab.pyinfra("--dry", "inventory/lab.py", _BASE)
        assert not first.done()
    assert run.status == 0, run.said
    assert run.planned == {_WORKER: [PACKAGES]}
    assert not BUSY.search(run.said)
    assert first.result().status == 0, first.result().said


# Something is gone ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class ReadOnly:
    """A folder of a host, what is undone there, and the operation that cannot do it again."""

    folder: str
    undone: str
    stage: str
    operation: str
    host: str = _WORKER


_READ_ONLY = {
    "the folder of a file": ReadOnly("/etc/profile.d", f"rm {_LOGIN}", "base", LOGIN),
    "/etc, and names": ReadOnly("/etc", "sed -i '/ k8s-w0$/d' /etc/hosts", "base", HOSTS),
    "/etc, and netplan": ReadOnly("/etc", "rm /etc/netplan/60-ciliumlab.yaml", "network", NETPLAN),
    "/etc, and a service": ReadOnly(
        "/etc",
        "rm /etc/containerd/config.toml",
        "containerd",
        "containerd runs with its configuration",
    ),
    "/usr, and a package": ReadOnly("/usr", "dpkg --remove --force-depends tree", "base", PACKAGES),
    "/usr, and a program": ReadOnly(
        "/usr",
        "rm /usr/local/bin/k9s",
        "control_plane",
        "Helm and the lab's other tools are installed",
        _FIRST,
    ),
    "/var, and a package": ReadOnly("/var", "dpkg --remove --force-depends tree", "base", PACKAGES),
}


@pytest.mark.parametrize("title", _READ_ONLY)
def test_read_only(lab: RunningLab, title: str) -> None:
    case = _READ_ONLY[title]
    folder, task = case.folder, f"tasks/{case.stage}.py"
    lab.shell(
        case.host, f"{case.undone}; mount --bind {folder} {folder} && mount -o remount,bind,ro {folder}"
    )
    try:
        run = lab.deploy(task)
    finally:
        lab.shell(case.host, f"umount --lazy {folder}")
    _told(run, case.host, case.operation, "Read-only file system")
    assert run.failed == [case.host]
    _converges(lab, {case.host}, task)


def test_no_names(lab: RunningLab) -> None:
    """While a package is to be had, whose source has a name."""
    sources = lab.shell(_WORKER, "apt-get indextargets --format '$(REPO_URI)' 'Created-By: Packages'")
    if not any(re.match(r"https?://[^/]*[a-z]", line) for line in sources.splitlines()):
        pytest.skip("the machines' sources of packages have no names, but addresses alone")
    lab.shell(
        _WORKER,
        "dpkg --remove --force-depends tree; apt-get clean;"
        " mv /etc/resolv.conf /etc/resolv.kept && : > /etc/resolv.conf",
    )
    try:
        run = lab.deploy(_BASE)
    finally:
        lab.shell(_WORKER, "mv /etc/resolv.kept /etc/resolv.conf")
    _told(run, _WORKER, PACKAGES, "Temporary failure resolving")
    assert run.failed == [_WORKER]
    _converges(lab, {_WORKER})


def test_the_connection_is_cut(lab: RunningLab) -> None:
    """By the end of the host's side of it, while a command is under way."""
    with ThreadPoolExecutor() as pool, held_up(lab, _WORKER):
        cut = pool.submit(lab.deploy, _BASE)
        lab.until(_WORKER, INSTALLS)
        lab.shell(_WORKER, beside.CUT)
        run = cut.result()
    _told(run, _WORKER, PACKAGES, "the connection has ended")
    assert run.failed == [_WORKER]
    run = lab.deploy(_BASE)
    assert run.status == 0, run.said
    steps.nothing_changes(lab, "deploy after a connection was cut")


def test_the_mirror_goes(lab: RunningLab, mirror: Mirror) -> None:
    """After it was found to be there, and before it is needed."""
    lab.shell(_WORKER, "echo nothing > /etc/apt/keyrings/kubernetes.asc")
    try:
        with ThreadPoolExecutor() as pool:
            with held_up(lab, _WORKER):
                cut = pool.submit(lab.deploy)
                lab.until(_WORKER, INSTALLS)
                mirror.stop()
            run = cut.result()
    finally:
        mirror.start()
    _told(run, _WORKER, "tasks/kubernetes.py | Kubernetes' package repository is known", "http://10.0.2.2")
    _converges(lab, {_WORKER}, "deploy.py")


# The controller is killed --------------------------------------------------------------------------


def test_nobody_is_killed(lab: RunningLab, tally: Tally) -> None:
    """What such a run takes, and what it makes of the hosts."""
    tally.converged = killed.state(lab)
    for installs, title in ((False, "without a package"), (True, "with a package to install")):
        with lab.step(f"see what a run does that nobody interrupts, {title}", essential=True):
            killed.undo(lab, killed.work(Random(title), lab, installs=installs))
            tally.seconds[installs] = killed.uninterrupted(lab, lab.folder / "uninterrupted.log")
            assert _differences(lab, tally) == {}
        lab.figure(f"run with something to do in each stage, {title}", tally.seconds[installs])


@pytest.mark.parametrize("seed", range(_SEEDS))
def test_a_controller_is_killed(lab: RunningLab, tally: Tally, seed: int) -> None:
    draw = Random(seed)
    installs, share = draw.random() < 0.2, draw.random()
    work = killed.work(draw, lab, installs=installs)
    for _ in range(_ATTEMPTS):
        before = killed.undo(lab, work)
        # The one place where a time is drawn, and no condition waited for.
        kill = killed.kill(lab, share * tally.seconds[installs], lab.folder / f"killed-{seed}.log")
        if not kill.ended:
            break
        # This machine has become faster than it was when that was measured.
        tally.seconds[installs] = kill.seconds
    left = killed.look(lab)
    tally.add(seed, kill, left, before)
    lab.figure(f"be killed: {tally.about(seed)}", kill.seconds)

    torn = {name: host.torn(before[name], tally.converged[name]) for name, host in left.items()}
    assert torn == {name: [] for name in lab.machines}
    run = lab.pyinfra("-y", "inventory/lab.py", *killed.TASKS)
    assert run.status == 0, run.said
    # Line for line as they were when a run had found nothing to do: one after this one would find nothing.
    assert _differences(lab, tally) == {}


def test_nothing_changes_after_all_kills(lab: RunningLab) -> None:
    """And what is no line of those, such as what a daemon has read, is right too."""
    steps.nothing_changes(lab, "deploy after all kills")


def test_kills_have_hit_all_of_a_run(lab: RunningLab, tally: Tally) -> None:
    """Or the seeds would have shown nothing."""
    if len(tally.kills) < _SEEDS:
        pytest.skip(f"of {_SEEDS} seeds, {len(tally.kills)} were in this run")
    for line, count in tally.counts():
        lab.figure(line, count)
    # Not all: some last for a moment.
    assert len(set(killed.STAGES) & set(tally.stages)) > len(killed.STAGES) / 2
    assert sum(map(bool, tally.half_way.values())) > _SEEDS / 3


def _differences(lab: RunningLab, tally: Tally) -> dict[str, list[str]]:
    """What on hosts is not as it was when all had converged; hosts without any are left out."""
    now = killed.state(lab)
    differing = {name: sorted(now[name] ^ tally.converged[name]) for name in lab.machines}
    return {name: lines for name, lines in differing.items() if lines}


# All in all -----------------------------------------------------------------------------------------


def test_states_hold_at_the_end(lab: RunningLab) -> None:
    steps.states_hold(lab, "after all that")


def test_nothing_changes_at_the_end(lab: RunningLab) -> None:
    steps.nothing_changes(lab, "deploy after all that")


def test_destroy(lab: RunningLab) -> None:
    steps.destroy(lab)


def _told(run: Deploy, host: str, operation: str, cause: str) -> None:
    """The run has ended by saying what could not be done, where, and why."""
    assert run.status == 1, run.said
    assert host in run.failed, run.said
    assert "Traceback" not in run.said
    _, _, after = run.said.partition(f"Starting operation: {operation}")
    during, _, _ = after.partition("Starting operation: ")
    assert [line for line in during.splitlines() if f"[{host}]" in line and cause in line], run.said


def _converges(lab: RunningLab, changed: set[str], task: str = _BASE) -> None:
    run = lab.deploy(task)
    assert (run.status, set(run.changed)) == (0, changed), run.said
    steps.nothing_changes(lab, f"run {task} after it was interrupted", task)


def _exists(lab: RunningLab, name: str, path: str) -> bool:
    return lab.shell(name, f"[ ! -e {path} ] || echo there") != ""
