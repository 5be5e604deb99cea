"""A segment between guests: one vde_switch, a layer-2 switch that needs no root and no bridge."""

from __future__ import annotations

import shutil
import socket
from pathlib import Path

from ciliumlab.machines.programs import listens, run
from ciliumlab.state import State
from ciliumlab.topology import Segment


class Switch:
    """The switch of one segment; whether it runs is asked of itself, not of a process number."""

    def __init__(self, state: State, segment: Segment, ports: int) -> None:
        self.plug: Path = state.socket(segment.name, "switch")
        self._management = state.socket(segment.name, "mgmt")
        self._ports = ports

    def running(self) -> bool:
        return listens(self._management)

    def start(self) -> None:
        """Start the switch unless it runs."""
        if self.running():
            return
        self._clear()
        run(
            [
                *("vde_switch", "-daemon", "-sock", self.plug, "-mode", "0700"),
                *("-mgmt", self._management, "-mgmtmode", "0600", "-numports", str(self._ports)),
            ],
            what=f"starting the switch of {self.plug.stem}",
        )

    def stop(self) -> None:
        """Stop the switch if it runs; guests' cables to it are dead until they are started anew."""
        with socket.socket(socket.AF_UNIX) as client:
            if client.connect_ex(str(self._management)) == 0:
                client.sendall(b"shutdown\n")
                client.settimeout(5)
                while client.recv(4096):
                    pass
        self._clear()

    def _clear(self) -> None:
        self._management.unlink(missing_ok=True)
        shutil.rmtree(self.plug, ignore_errors=True)
