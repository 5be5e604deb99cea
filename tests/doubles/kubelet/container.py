"""One container of a pod: waiting, running or terminated, as a process or only as a word."""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

from common.api import Object
from kubelet.static import now

# Seconds between a crash and the next start, doubled each time up to the longest; forgotten after a good run.
BACKOFF_SECONDS, LONGEST_SECONDS, GOOD_SECONDS = 10, 40, 60
# Of a log that stands in for a termination message.
_LAST_LINES, _LAST_BYTES = 80, 2048

Start = Callable[["Container"], "subprocess.Popen[bytes] | None"]


class Container:
    """``known`` is its status as the API server last had it, ``begun`` whether the sandbox still stands."""

    def __init__(self, spec: Object, policy: str, known: Object, begun: bool) -> None:
        self.spec, self.policy = spec, policy
        self.restarts = int(known.get("restartCount", 0))
        self.last: Object = known.get("lastState") or {}
        self.state: Object = {"waiting": {"reason": "ContainerCreating"}}
        self.process: subprocess.Popen[bytes] | None = None
        self.log = self.ready_file = Path(os.devnull)
        self.ready = False
        self._started, self._crashes, self._due = 0.0, 0, 0.0
        self._since = ""
        state = known.get("state") or {}
        if "terminated" in state and not self._is_renewed(state["terminated"]["exitCode"]):
            self.state = state
        elif "running" in state and begun:
            self._since = state["running"]["startedAt"]
        elif "running" in state or "terminated" in state:
            # The machine was switched off under it.
            self.restarts += 1
            since = (state.get("running") or {}).get("startedAt") or now()
            lost = {"exitCode": 255, "reason": "Unknown", "startedAt": since, "finishedAt": now()}
            self.last = {"terminated": lost}

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def is_over(self) -> bool:
        """Whether it has ended for good."""
        return "terminated" in self.state

    def wait(self, reason: str, message: str = "") -> None:
        said = {"reason": reason, **({"message": message} if message else {})}
        self.state, self.ready = {"waiting": said}, False

    def tend(self, start: Start, may_be_ready: bool, of: str) -> None:
        """Start it if it is time to; see whether it has ended, and whether it is ready."""
        if self.is_over:
            return
        if "running" in self.state and self.process and self.process.poll() is not None:
            self._ended(self.process.returncode, of)
        if "running" not in self.state and not self.is_over and time.monotonic() >= self._due:
            self.process = start(self)
            self._started, self._since = time.monotonic(), self._since or now()
            self.state = {"running": {"startedAt": self._since}}
            self._since = ""
        running = "running" in self.state
        self.ready = running and may_be_ready and (self.process is None or self.ready_file.exists())

    def _is_renewed(self, code: int) -> bool:
        return self.policy == "Always" or (self.policy == "OnFailure" and code != 0)

    def _ended(self, returncode: int, of: str) -> None:
        code = 128 - returncode if returncode < 0 else returncode
        record = {
            "exitCode": code,
            "reason": "Error" if code else "Completed",
            "startedAt": self.state["running"]["startedAt"],
            "finishedAt": now(),
        }
        if message := self._message(code):
            record["message"] = message
        self.process, self.ready = None, False
        self.ready_file.unlink(missing_ok=True)
        if not self._is_renewed(code):
            self.state = {"terminated": record}
            return
        self.last = {"terminated": record}
        self.restarts += 1
        lived = time.monotonic() - self._started
        self._crashes = 1 if lived > GOOD_SECONDS else self._crashes + 1
        # The first time it is started again at once.
        wait = 0 if self._crashes == 1 else min(BACKOFF_SECONDS * 2 ** (self._crashes - 2), LONGEST_SECONDS)
        self._due = time.monotonic() + wait
        self.wait("CrashLoopBackOff", f"back-off {wait}s restarting failed container={self.name} pod={of}")

    def _message(self, code: int) -> str:
        if not code or self.spec.get("terminationMessagePolicy") != "FallbackToLogsOnError":
            return ""
        try:
            lines = self.log.read_bytes().splitlines(keepends=True)[-_LAST_LINES:]
        except OSError:
            return ""
        return b"".join(lines)[-_LAST_BYTES:].decode(errors="replace")

    def end(self) -> None:
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        if self.process and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                self.process.kill()
            self.process.wait()

    @property
    def is_gone(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def status(self, uid: str) -> Object:
        mark = hashlib.sha256(f"{uid}/{self.name}/{self.restarts}".encode()).hexdigest()
        image = self.spec["image"]
        waits = "waiting" in self.state
        return {
            "name": self.name,
            "image": image,
            "imageID": "" if waits and not self.restarts else image,
            **({} if waits and not self.restarts else {"containerID": f"containerd://{mark}"}),
            "ready": self.ready,
            "started": "running" in self.state,
            "restartCount": self.restarts,
            "state": self.state,
            "lastState": self.last,
        }
