"""The part of QEMU's machine protocol that a lab needs: one request, one answer, over a Unix socket.

Protocol: https://www.qemu.org/docs/master/interop/qmp-spec.html
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ciliumlab.errors import LabError, Problem


class Monitor:
    """A connection to one guest's monitor; OSError from the constructor means that it does not run."""

    def __init__(self, path: Path, timeout: float = 60) -> None:
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX)
        try:
            self._socket.settimeout(timeout)
            self._socket.connect(str(path))
            self._stream = self._socket.makefile("rwb")
            self._receive()  # the greeting
            self.execute("qmp_capabilities")
        except OSError:
            self._socket.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._socket.close()

    def _receive(self) -> dict[str, Any]:
        line = self._stream.readline()
        if not line:
            raise ConnectionError("the guest's monitor closed the connection")
        message: dict[str, Any] = json.loads(line)
        return message

    def execute(self, command: str, **arguments: Any) -> Any:
        """Carry out one command and return its result; LabError with QEMU's own words if it refuses."""
        self._stream.write(json.dumps({"execute": command, "arguments": arguments}).encode())
        self._stream.flush()
        while True:  # events may come between a request and its answer
            message = self._receive()
            if "return" in message:
                return message["return"]
            if "error" in message:
                raise LabError(Problem(self._path.stem, f"{command}: {message['error']['desc']}"))

    def human(self, command: str) -> str:
        """A command of the human monitor (savevm has no simple counterpart); returns what it prints."""
        output: str = self.execute("human-monitor-command", **{"command-line": command})
        return output.strip()
