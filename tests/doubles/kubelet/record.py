"""What kubelet knows of a pod beside the API server, kept in the machine's memory: a reboot forgets it."""

from __future__ import annotations

import contextlib
import json
import os
import signal
from dataclasses import dataclass, field

from common.host import at, write

FOLDERS = "/run/kubernetes-double/pods"
FOLDER = f"{FOLDERS}/{{}}"


@dataclass
class Record:
    """A pod's sandbox, and its processes: each id with the time of its start, which no other process has."""

    node: str
    uid: str
    begun: bool = False
    address: str = ""
    netns: str = ""
    processes: dict[str, tuple[int, str]] = field(default_factory=dict)

    @classmethod
    def read(cls, node: str, uid: str) -> Record:
        try:
            return cls(node, uid, **json.loads(at(f"{FOLDER.format(node)}/{uid}").read_text()))
        except (OSError, ValueError, TypeError):
            return cls(node, uid)

    @property
    def path(self) -> str:
        return f"{FOLDER.format(self.node)}/{self.uid}"

    def write(self) -> None:
        kept = {name: value for name, value in vars(self).items() if name not in ("node", "uid")}
        write(self.path, json.dumps(kept))

    def remove(self) -> None:
        at(self.path).unlink(missing_ok=True)

    def runs(self, container: str, process: int) -> None:
        self.processes[container] = process, _start_of(process)
        self.write()

    def stop_leftovers(self) -> None:
        """End the processes that a kubelet before this one left: what runs is to run once."""
        for process, start in self.processes.values():
            if start and _start_of(process) == start:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(process, signal.SIGKILL)
        self.processes = {}


def recorded(node: str) -> list[str]:
    """The pods of a node of which anything is remembered, by uid."""
    folder = at(FOLDER.format(node))
    if not folder.is_dir():
        return []
    return [path.name for path in folder.iterdir() if not path.name.startswith(".")]


def everything_recorded() -> list[tuple[str, str]]:
    """All pods of this machine, each by its node's name and its uid."""
    folder = at(FOLDERS)
    nodes = [path.name for path in folder.iterdir()] if folder.is_dir() else []
    return [(node, uid) for node in nodes for uid in recorded(node)]


def _start_of(process: int) -> str:
    """When a process began, in ticks since the boot; "" if there is none."""
    try:
        with open(f"/proc/{process}/stat") as file:  # noqa: PTH123
            return file.read().rpartition(")")[2].split()[19]
    except OSError:
        return ""
