"""What this host has to spare for machines: ports, memory, disk."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Sequence
from pathlib import Path

from ciliumlab.errors import Problem
from ciliumlab.topology import Machine

_DISK_MIB_A_MACHINE = 2048


def ports(machines: Sequence[Machine], where: str) -> list[Problem]:
    """SSH ports that cannot be listened at; ``where`` names the topology's file."""
    found = []
    for machine in machines:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((machine.ssh_host, machine.ssh_port))
            except OSError as error:
                found.append(
                    Problem(
                        f"{where}: {machine.name}.ssh_port",
                        f"{machine.ssh_port} cannot be used on this host ({error.strerror}); end what"
                        f" listens there (ss -ltnp sport = :{machine.ssh_port}) or choose another port",
                    )
                )
    return found


def memory(machines: Sequence[Machine], where: str) -> list[Problem]:
    """Whether machines with memory of their own fit into what is available."""
    needed = sum(machine.memory_mib for machine in machines)
    available = _available_memory_mib()
    if available is None or needed <= available:
        return []
    return [
        Problem(
            "this host",
            f"the machines to start take {needed} MiB of memory and {available} MiB are available;"
            f" lower memory_mib in {where} or start fewer: ciliumlab up NAME…",
        )
    ]


def disk(machines: Sequence[Machine], folder: Path) -> list[Problem]:
    """Whether what the machines write fits beside ``folder``."""
    free, needed = shutil.disk_usage(folder).free >> 20, _DISK_MIB_A_MACHINE * len(machines)
    if free >= needed:
        return []
    return [
        Problem(
            str(folder),
            f"{free} MiB of disk are free and {needed} are needed ({_DISK_MIB_A_MACHINE} a machine);"
            " free some, or set CILIUMLAB_STATE to another disk",
        )
    ]


def _available_memory_mib() -> int | None:
    """What can be had without swapping; None where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text().splitlines()
    except FileNotFoundError:
        return None
    kib = next(int(line.split()[1]) for line in lines if line.startswith("MemAvailable:"))
    return kib >> 10
