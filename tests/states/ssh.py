"""Speaking to a host: commands through testinfra, and a login as a person makes it."""

from __future__ import annotations

import os
import re
import selectors
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

import testinfra

# A guest without hardware acceleration takes its time.
_CONNECT_SECONDS = 60
_LOGIN_SECONDS = 60

# The end of a shell's prompt, and what a terminal is told after it (bracketed paste and the like).
_PROMPT = re.compile(rb"[#$%>] (\x1b\[[0-9;?]*[a-zA-Z])*$")


class Silent(Exception):
    """The host does not answer; says why."""


class Connection:
    """SSH to one host, by what the inventory tells pyinfra's connector. All commands share one login."""

    def __init__(self, data: dict[str, Any], sockets: Path) -> None:
        self.user: str = data["ssh_user"]
        self.where = f"{self.user}@{data['ssh_hostname']}:{data['ssh_port']}"
        self._target = f"{self.user}@{data['ssh_hostname']}"
        options = {
            "BatchMode": "yes",
            "ConnectTimeout": _CONNECT_SECONDS,
            "ControlMaster": "auto",
            "ControlPath": f"{sockets}/%C",
            "ControlPersist": _CONNECT_SECONDS,
            "LogLevel": "ERROR",
            "Port": data["ssh_port"],
            # A host that goes away in the middle is given up.
            "ServerAliveInterval": 5,
            "ServerAliveCountMax": 6,
            "StrictHostKeyChecking": data.get("ssh_strict_host_key_checking", "accept-new"),
        }
        if "ssh_known_hosts_file" in data:
            options["UserKnownHostsFile"] = data["ssh_known_hosts_file"]
        if "ssh_key" in data:
            options |= {"IdentitiesOnly": "yes", "IdentityFile": data["ssh_key"]}
        self._options = [word for key, value in options.items() for word in ("-o", f"{key}={value}")]
        self._host = testinfra.get_host(
            f"ssh://{self._target}", ssh_extra_args=shlex.join(self._options), sudo=self.user != "root"
        )

    def run(self, script: str) -> str:
        """What a shell script prints that runs as root. Raises Silent."""
        try:
            return self._host.run(script).stdout
        except RuntimeError as error:  # testinfra's word for ssh's exit status 255
            said = error.args[0].stderr.strip().splitlines()
            raise Silent(said[-1] if said else "ssh failed") from error

    def login(self, line: str) -> str:
        """What the terminal shows of a person who logs in and types ``line`` at the first prompt."""
        process = subprocess.Popen(
            ["ssh", *self._options, "-tt", self._target],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            bufsize=0,
        )
        with process:
            # What is typed before the prompt is lost where one shell gives way to another.
            shown = _until_prompt(process)
            try:
                rest, _ = process.communicate(f"{line}; exit\n".encode(), timeout=_LOGIN_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                rest, _ = process.communicate()
        return (shown + rest).decode(errors="replace").replace("\r", "")

    def close(self) -> None:
        subprocess.run(["ssh", *self._options, "-O", "exit", self._target], capture_output=True)


def _until_prompt(process: subprocess.Popen[bytes]) -> bytes:
    """All that is shown up to the first prompt, or to the end of the time for it."""
    assert process.stdout is not None
    deadline = time.monotonic() + _LOGIN_SECONDS
    shown = b""
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while not _PROMPT.search(shown) and selector.select(max(0, deadline - time.monotonic())):
            piece = os.read(process.stdout.fileno(), 4096)
            if not piece:
                break
            shown += piece
    return shown
