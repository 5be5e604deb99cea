"""The commands that operations yield: a shell command, a file written whole, a refusal."""

from __future__ import annotations

import hashlib
import posixpath
import shlex
from base64 import b64encode
from typing import Any

from pyinfra import logger
from pyinfra.api.arguments import ConnectorArguments
from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.exceptions import ConnectError
from pyinfra.api.host import Host
from pyinfra.api.state import State
from typing_extensions import override

from ciliumlab.errors import LabError
from ciliumlab.operations import lock
from ciliumlab.operations.host_lock import cut_off

# Seconds after which a host that has stopped answering without a word counts as failed.
SILENCE = 300


class Shell(StringCommand):
    """A shell command line, given up after ``seconds``.

    A connection that ends before it fails this host alone, and that is said. (paramiko reports it as an end
    of file, which pyinfra does not expect: the whole run would end with a traceback; or, where a command
    was under way, as one that has failed without a word.)
    """

    def __init__(self, command: str, seconds: int = SILENCE, **arguments: Any) -> None:
        super().__init__(command, _timeout=seconds, **arguments)

    @override
    def execute(self, state: State, host: Host, connector_arguments: ConnectorArguments) -> object:
        try:
            answer = super().execute(state, host, connector_arguments)
        except EOFError as error:
            raise ConnectionResetError("the connection has ended") from error
        if not answer[0] and cut_off(host):
            host.log_styled("the connection has ended", fg="red", log_func=logger.error)
        return answer


class On(Shell):
    """A shell command on another host of the inventory, as a step of an operation on the host at hand.

    The other host need not be in this run; it fails the host at hand when it cannot be reached.
    """

    def __init__(self, other: str, command: str, seconds: int = SILENCE, **arguments: Any) -> None:
        super().__init__(command, seconds, **arguments)
        self.other = other

    @override
    def execute(self, state: State, host: Host, connector_arguments: ConnectorArguments) -> object:
        try:
            other = elsewhere(state, self.other)
            lock.hold(other)
        except ConnectError as error:
            raise ConnectionError(f"{self.other} cannot be reached: {error}") from error
        except LabError as error:
            raise ConnectionError(str(error)) from error
        return super().execute(state, other, connector_arguments)


def elsewhere(state: State, name: str) -> Host:
    """A host of the inventory, connected to; raises ConnectError when that fails."""
    host = state.inventory.get_host(name)
    host.connect(show_errors=False, raise_exceptions=True)
    return host


class Write(Shell):
    """Replace a file whole or not at all.

    The text goes in by standard input, so that it is in no process list and no log, and may be of any
    length. It is written beside the file, compared with its checksum (to the host a connection that is
    cut looks like the end of the text), brought to disk, and only then given the file's name.

    ``mode`` is in octal digits, ``owner`` is "user:group", ``first`` a shell command to run before that.
    """

    def __init__(
        self, path: str, text: str, mode: str = "644", owner: str = "root:root", first: str = ""
    ) -> None:
        self.path, self.text, self.mode, self.owner, self.first = path, text, mode, owner, first
        directory, name = posixpath.split(path)
        # One name for all attempts, so that what a killed one leaves does not pile up; it begins with a
        # dot and has no suffix that a program looks for.
        new = f"{directory}/.{name}.ciliumlab"
        steps = [
            *([first] if first else []),
            f"path={shlex.quote(path)} new={shlex.quote(new)}",
            f"umask 022 && mkdir -p {shlex.quote(directory)}",
            'umask 077 && base64 -d > "$new"',
            f'echo "{sha256(text)}  $new" | sha256sum --check --status',
            f'chmod {mode} "$new" && chown {shlex.quote(owner)} "$new"',
            'sync "$new" && mv -fT "$new" "$path"',
        ]
        # What was begun goes first: where the connection has been cut, to say anything is the end.
        failed = '{ rm -f "$new"; echo "$path could not be written and is as it was" >&2; exit 1; }'
        super().__init__(f"{' && '.join(steps)} || {failed}", _stdin=b64encode(_bytes(text)).decode())


class Refusal(PyinfraCommand):
    """A step that always fails. So a refusal counts as an error of this host alone, and others go on."""

    def __init__(self, reason: str) -> None:
        super().__init__()
        self.reason = reason

    @override
    def __repr__(self) -> str:
        return f"Refusal({self.reason})"

    @override
    def execute(self, state: State, host: Host, connector_arguments: ConnectorArguments) -> bool:
        return False


def sha256(text: str) -> str:
    """Checksum of a text, in hex, as sha256sum(1) prints it."""
    return hashlib.sha256(_bytes(text)).hexdigest()


def _bytes(text: str) -> bytes:
    # The counterpart of `parse_contents`: bytes that were no UTF-8 come back as they were.
    return text.encode(errors="surrogateescape")
