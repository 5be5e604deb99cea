"""What the lab's machines lack: whether they run, can be logged in to, and are fit for their part."""

from __future__ import annotations

import re
import shlex
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pyinfra.api.exceptions import FactProcessError

from ciliumlab import preflight
from ciliumlab.doctor import reach
from ciliumlab.doctor.finding import Finding, against, note, on
from ciliumlab.facts.preflight import Preflight
from ciliumlab.machines.identity import ssh_command
from ciliumlab.preflight import Wants
from ciliumlab.state import State
from ciliumlab.topology import Machine
from ciliumlab.wording import listed

# ssh(1) exits with this when the connection itself failed.
_NO_CONNECTION = 255

# Seconds for a connection, and for all answers.
_CONNECT = 8
_ANSWER = 50

# What a failed connection's last line has in it, and what that means.
_REFUSALS = {
    "REMOTE HOST IDENTIFICATION HAS CHANGED|Host key verification failed": (
        "has another host key than the one that is known",
        "look whether it was made anew, and remove its line from known_hosts if so",
    ),
    "Permission denied": (
        "does not take the key",
        "name the right one by ssh_user and ssh_key in lab.yaml, or add its public half there",
    ),
    "Connection refused": (
        "nothing listens there",
        "look whether it runs, and at ssh_host and ssh_port in lab.yaml",
    ),
    "timed out|No route to host|Network is unreachable|Could not resolve": (
        "is out of reach",
        "look at the network, and at ssh_host in lab.yaml",
    ),
}


def standing(rows: Sequence[Mapping[str, Any]]) -> Iterator[Finding]:
    """Machines that do not run, out of `Lab.status`."""
    off = [row["name"] for row in rows if row["state"] == "off"]
    unmade = [row["name"] for row in rows if row["state"] == "not made"]
    if off:
        verb = "are" if len(off) > 1 else "is"
        yield Finding(listed(off), f"{verb} off; ciliumlab up {' '.join(off)}", False)
    if unmade:
        yield Finding(listed(unmade), "not made yet; ciliumlab up", False)


def machine(state: State, one: Machine, wants: Wants | None) -> Iterator[Finding]:
    """What is wrong on a machine that should answer; whether it does at all, where it is not known what it
    is to be.
    """
    sources = [source for part in wants["sources"].values() for source in part] if wants else []
    question = Preflight().command(modules=[*wants["modules"]] if wants else [], sources=sources)
    began = time.time()
    asked = _run(state, one, question)
    ended = time.time()
    if asked.returncode:
        yield _unanswered(one, asked)
        return
    if wants is None:
        return
    try:
        found = Preflight().process(asked.stdout.splitlines())
    except FactProcessError as error:
        yield Finding(one.name, f"{error}; look whether its login shell prints something", True)
        return
    assert found is not None
    for problem in preflight.problems(found, wants, began, ended):
        yield on(one.name, against(problem))
    for problem in preflight.doubts(wants):
        yield on(one.name, note(problem))
    for problems in preflight.unreachable(found, wants).values():
        for problem in problems:
            yield on(one.name, reach.lost(problem, wants))


def _run(state: State, one: Machine, command: str) -> subprocess.CompletedProcess[str]:
    """Never waits for a password, and learns a machine's host key as a deploy does."""
    options = [
        *(
            "-o",
            "BatchMode=yes",
            "-o",
            f"ConnectTimeout={_CONNECT}",
            "-o",
            "StrictHostKeyChecking=accept-new",
        ),
        *("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=3"),
    ]
    call = [*ssh_command(state, one, options), f"sh -c {shlex.quote(command)}"]
    try:
        return subprocess.run(
            call, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace", timeout=_ANSWER
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(call, _NO_CONNECTION, "", f"timed out after {_ANSWER} s")
    except OSError as error:
        return subprocess.CompletedProcess(call, _NO_CONNECTION, "", f"ssh cannot be run: {error.strerror}")


def _unanswered(one: Machine, asked: subprocess.CompletedProcess[str]) -> Finding:
    where = f"{one.name} ({one.ssh_user}@{one.ssh_host}:{one.ssh_port})"
    said = (asked.stderr.strip().splitlines() or ["it said nothing"])[-1]
    if asked.returncode != _NO_CONNECTION:
        return Finding(
            where, f"cannot be looked at: {said}; give its user a shell, and sudo without a password", True
        )
    for pattern, (what, fix) in _REFUSALS.items():
        if re.search(pattern, asked.stderr):
            return Finding(where, f"{what} ({said}); {fix}", True)
    return Finding(where, f"cannot be logged in to: {said}; try ciliumlab ssh {one.name}", True)
