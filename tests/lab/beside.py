"""Two controllers at once: a first run that stays where it is, and what hosts have recorded of both."""

from __future__ import annotations

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

# Commands that were given over SSH, in their order: the session, and what was said to become root for.
_COMMANDS = """
journalctl --quiet --no-pager --boot --output=json _COMM=sudo |
    jq -r 'select(.MESSAGE | contains("COMMAND=")) | [._SYSTEMD_SESSION, .MESSAGE] | join(" ")'
"""
_LOCKS = f"file={LOCK} run="


@contextmanager
def held_up(lab: RunningLab, name: str) -> Iterator[None]:
    """A run that comes to this host's packages stays there until this ends."""
    lab.shell(name, "dpkg --remove --force-depends tree")
    with held(lab, name, "/var/lib/dpkg/lock-frontend"):
        yield


def order(lab: RunningLab, name: str) -> str:
    """In which order the last two runs have given a host their commands, a letter each.

    "f" is one of the first run, which had the lock, and "s" one of the second; "w" is where the second asked
    for the lock, or waited for it.
    """
    commands = [line.partition(" ") for line in lab.shell(name, _COMMANDS).splitlines()]
    *_, first, second = dict.fromkeys(session for session, _, said in commands if _LOCKS in said)
    letters = ""
    for session, _, said in commands:
        if session == second:
            letters += "w" if _LOCKS in said else "s"
        elif session == first:
            letters += "f"
    return letters
