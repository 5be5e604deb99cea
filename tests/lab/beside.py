"""Two controllers at once: a first run that stays where it is, and what hosts have recorded of both."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager

from ciliumlab.operations.host_lock import FILE as LOCK

from .locks import held
from .running import RunningLab

# What a run does on a host whose package manager is somebody else's, and what one does that waits for a run.
INSTALLS = "pgrep -x apt-get"
WAITS = "pgrep -f '^flock -w [0-9]'"

_AT_WORK = r"\[(\S+)\] +a run of \S+@\S+ is at work here since [-0-9]+ [:0-9]+"
BUSY = re.compile(rf"{_AT_WORK}; waiting for up to \d+ s")
REFUSED = re.compile(
    r"\[\S+\] +(\S+: a run of \S+@\S+ is at work here since [-0-9]+ [:0-9]+ and has not ended in \d+ s;.*)"
)

# Ends the connection that a package manager was started over, without a word.
CUT = """
pid=$(pgrep -x -o apt-get)
until grep -q ^sshd /proc/$pid/comm; do pid=$(sed -n 's/^PPid:[[:space:]]*//p' /proc/$pid/status); done
kill -KILL "$pid"
"""

# sudo's own log has the connection that a command came over; the journal has not, as nobody registers logins.
_LOG = "/var/log/commands.json"
_LOGGING = "/etc/sudoers.d/commands"
_LOCKS = f"file={LOCK} run="


@contextmanager
def held_up(lab: RunningLab, name: str) -> Iterator[None]:
    """A run that comes to this host's packages stays there until this ends."""
    lab.shell(name, "dpkg --remove --force-depends tree")
    with held(lab, name, "/var/lib/dpkg/lock-frontend"):
        yield


@contextmanager
def commands_noted(lab: RunningLab) -> Iterator[None]:
    """Each host notes what is done as root there, for ``order``."""
    setting = f"Defaults logfile={_LOG}, log_format=json_compact"
    lab.everywhere(lambda name: lab.shell(name, f"echo '{setting}' > {_LOGGING}"))
    try:
        yield
    finally:
        lab.everywhere(lambda name: lab.shell(name, f"rm -f {_LOGGING} {_LOG}"))


def order(lab: RunningLab, name: str) -> str:
    """In which order two runs have given a host their commands, a letter each.

    "f" is one of the first run, which had the lock, and "s" one of the second; "w" is where the second asked
    for the lock, or waited for it.
    """
    noted = [json.loads(line)["accept"] for line in lab.shell(name, f"cat {_LOG}").splitlines()]
    commands = [(_connection(one["submitenv"]), " ".join(one["runargv"])) for one in noted]
    first, second = dict.fromkeys(connection for connection, said in commands if _LOCKS in said)
    letters = ""
    for connection, said in commands:
        if connection == second:
            letters += "w" if _LOCKS in said else "s"
        elif connection == first:
            letters += "f"
    return letters


def _connection(environment: list[str]) -> str:
    return next((line for line in environment if line.startswith("SSH_CONNECTION=")), "")
