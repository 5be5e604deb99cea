"""Waiting for machines: each answers over SSH and has started all that it starts at boot."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path
from threading import Event
from typing import Protocol

from ciliumlab.errors import LabError, Problem
from ciliumlab.machines import identity
from ciliumlab.state import State
from ciliumlab.topology import Machine

# An emulated guest takes up to a minute and a half of a processor to boot: 50 s on two idle cores, and 370 s
# were seen where it had a quarter of one.
_SECONDS = 900


class Kind(Protocol):
    """A kind of machine, as far as it is needed to wait for one."""

    def running(self, machine: Machine) -> bool: ...

    def last_line(self, machine: Machine) -> str: ...


def wait(state: State, machine: Machine, kind: Kind, log: Path, given_up: Event) -> None:
    """Return when the machine has booted; LabError that says what is wrong. ``log`` is its console's.

    Returns at once, whatever the machine does, when ``given_up`` is set.
    """
    until = time.monotonic() + _SECONDS
    while not given_up.is_set():
        if not kind.running(machine):
            said = kind.last_line(machine)
            raise LabError(
                Problem(machine.name, f"it went off while booting ({said}); its last words are in {log}")
            )
        if _greets(machine) and _booted(state, machine):
            return
        if time.monotonic() > until:
            raise LabError(Problem(machine.name, f"no SSH in time; what it said while booting is in {log}"))
        given_up.wait(0.2)


# Without a terminal, and without patience for a machine that is gone or going down.
_UNATTENDED = [
    *("-o", "BatchMode=yes", "-o", "ConnectTimeout=30"),
    *("-o", "ServerAliveInterval=5", "-o", "ServerAliveCountMax=6"),
]


def ssh(state: State, machine: Machine, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command on the machine."""
    return subprocess.run(
        [*identity.ssh_command(state, machine, _UNATTENDED), command],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )


def set_clock(state: State, machine: Machine) -> None:
    """Set the machine's clock to this host's."""
    # It is told the time when it waits for nothing else: where its processor is emulated, to log in and to
    # become root takes seconds.
    command = "sudo sh -c 'echo ready; read -r now; date -u -s \"$now\"'"
    with subprocess.Popen(
        [*identity.ssh_command(state, machine, _UNATTENDED), command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.communicate(f"@{time.time():.3f}\n")


def _booted(state: State, machine: Machine) -> bool:
    """Its init has started all there is to start (or says that a part of it failed: still booted)."""
    answer = ssh(state, machine, "timeout 60 systemctl is-system-running --wait")
    return answer.stdout.strip() in ("running", "degraded")


def _greets(machine: Machine) -> bool:
    """Whether an SSH server speaks at the port (a NAT accepts connections before the machine does)."""
    try:
        with socket.create_connection((machine.ssh_host, machine.ssh_port), timeout=10) as client:
            return client.recv(4).startswith(b"SSH")
    except OSError:
        return False
