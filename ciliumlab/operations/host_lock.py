"""The lock of one host: a file that a shell there keeps locked for as long as a run's connection lasts.

It needs no undoing: the end of the controller, however it ends, frees it, and so does a reboot. What a run
that was cut has started and is still at work counts as that run.
"""

from __future__ import annotations

import getpass
import os
import shlex
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, Any
from uuid import uuid4

import gevent  # type: ignore[import-untyped]
from gevent.subprocess import PIPE, Popen  # type: ignore[import-untyped]
from paramiko import Channel, SSHException
from pyinfra import logger
from pyinfra.api.arguments import ConnectorArguments
from pyinfra.api.command import StringCommand
from pyinfra.api.host import Host
from pyinfra.connectors.local import LocalConnector
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.connectors.util import (
    CommandOutput,
    OutputLine,
    execute_command_with_sudo_retry,
    make_unix_command_for_host,
)
from pyinfra.context import state

from ciliumlab.errors import LabError, Problem

# In memory, so that a reboot forgets it.
FILE = "/run/ciliumlab.lock"

# Seconds that the end of a run may take to be seen on its hosts.
MOMENT = 1

# Seconds, beyond those, after which a host that does not answer at all is given up.
_SILENCE = 300

# Tells the lock's own processes from others of its connection.
_MARK = "CILIUMLAB_LOCK"

# Takes the lock and says so, or says who has it; then waits for the end of its input, which is that of the
# connection, and of all that the connection has started. (sudo clears the variables of what it starts, and
# keeps its own.) A run takes over what a connection that it has lost still holds. Nothing else here keeps the
# file open for long: to end this shell is to free the lock.
_SCRIPT = r"""
connection=${1-$SSH_CONNECTION} pid= since= holder= what= name=
now() { date +%s; }
holds() { [ -s "$file" ] && read -r pid since holder what name <"$file"; }
left() { grep -lszxF "SSH_CONNECTION=$connection" /proc/[0-9]*/environ | xargs -r grep -Lsz "^$mark="; }
umask 022
exec 9>>"$file" || exit 1
if ! flock -n 9; then
    holds && [ "$holder" = "$run" ] && kill "$pid"
    if ! flock -w "$patience" 9; then
        holds
        echo "held ${pid:-0} $(($(now) - ${since:-$(now)})) ${what:-run} ${name:-somebody}"
        exit 0
    fi
fi
since=$(now)
# Not cut to nothing first: somebody may be reading it. Only its first line counts.
echo "$$ $since $run run $who" 1<>"$file"
echo taken
read -r nothing
[ -n "$connection" ] || exit 0
while [ -n "$(left 9>&-)" ]; do
    echo "$$ $since $run rest $who" 1<>"$file"
    sleep 0.2 9>&-
done
"""

_RUN = uuid4().hex

# What a connection that ends looks like, paramiko's end of file and a time that ran out included.
CUT_OFF = (OSError, SSHException, EOFError)


@dataclass(frozen=True)
class Held:
    """A host's lock, for as long as ``process``, which holds it there, has its input open."""

    client: object
    process: Any
    streams: tuple[IO[Any], ...]

    def lasts(self, client: object) -> bool:
        """Whether the host's connection is still the same, and nobody there has ended what holds the lock."""
        ended = self.process.closed if isinstance(self.process, Channel) else self.process.poll() is not None
        return client is self.client and not ended

    def release(self) -> None:
        # A host that is silent now learns of its end when its connection ends.
        with suppress(*CUT_OFF), gevent.Timeout(MOMENT, False):
            for stream in self.streams:
                stream.close()
            if isinstance(self.process, Channel):
                self.process.close()
            else:
                self.process.wait()


@dataclass(frozen=True)
class Busy:
    """Who has a host's lock: another run, or what is left of one that was cut; ``since``, by our clock."""

    pid: str
    since: str
    rest: bool
    who: str

    def __str__(self) -> str:
        what = f"what {self.who} had started before it was cut off" if self.rest else f"a run of {self.who}"
        return f"{what} is at work here since {self.since}"


def take(host: Host, arguments: ConnectorArguments, patience: int) -> Held | Busy | LabError | None:
    """Try to take a host's lock, for so many seconds."""
    if not isinstance(host.connector, SSHConnector | LocalConnector):
        told = logger.info if state.print_noop_info else logger.debug
        told("%sis not locked: no lock is known for its connector", host.print_prefix)
        return None
    held: list[Held] = []
    answer: list[str] = []

    def attempt() -> tuple[int, CommandOutput]:
        held[:] = [_start(host, arguments, patience)]
        _, stdout, stderr = held[0].streams
        answer[:] = _text(stdout.readline()).split(None, 4)
        if answer:
            return 0, CommandOutput([])
        return 1, CommandOutput([OutputLine("stderr", line) for line in _text(stderr.read()).splitlines()])

    why = f"no answer for {patience + _SILENCE} s"
    try:
        with gevent.Timeout(patience + _SILENCE, False):
            _, output = execute_command_with_sudo_retry(host, arguments, attempt)
            why = " ".join(output.output_lines) or "the connection has ended"
    except CUT_OFF as error:
        why = str(error) or "the connection has ended"
    match answer:
        case ["taken"]:
            return held[0]
        case ["held", pid, seconds, what, who]:
            release(held)
            since = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(time.time() - int(seconds)))
            return Busy(pid, since, what == "rest", who.strip())
    release(held)
    return LabError(Problem(host.name, f"{FILE} cannot be locked: {why}; nothing was changed"))


def cut_off(host: Host) -> bool:
    """Whether a host's connection has ended, which is one of SSH."""
    client = getattr(host.connector, "client", None)
    return client is not None and not (client.get_transport() and client.get_transport().is_active())


def release(outcomes: Iterable[object]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, Held):
            outcome.release()


def _start(host: Host, arguments: ConnectorArguments, patience: int) -> Held:
    given = {"file": FILE, "run": _RUN, "mark": _MARK, "patience": str(patience), "who": _who()}
    values = " ".join(f"{name}={shlex.quote(value)}" for name, value in given.items())
    script = StringCommand(f"{values}{_SCRIPT}")
    line = make_unix_command_for_host(state, host, script, **arguments).get_raw_value()
    client = getattr(host.connector, "client", None)
    if client is None:
        process = Popen(["sh", "-c", f"exec {line} lock ''"], stdin=PIPE, stdout=PIPE, stderr=PIPE)
        return Held(None, process, (process.stdin, process.stdout, process.stderr))
    streams = client.exec_command(f'exec env {_MARK}={_RUN} {line} lock "$SSH_CONNECTION"')
    return Held(client, streams[1].channel, streams)


def _who() -> str:
    """user@controller."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # in a container, a user may be no more than a number
        user = str(os.getuid())
    return f"{user}@{socket.gethostname()}"


def _text(read: str | bytes) -> str:
    return read.decode(errors="replace") if isinstance(read, bytes) else read
