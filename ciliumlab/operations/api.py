"""What every operation here is made of: the decorator, reading facts, writing files, refusing."""

from __future__ import annotations

import hashlib
import posixpath
import shlex
from base64 import b64encode
from collections.abc import Callable, Generator
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from pyinfra import logger
from pyinfra.api.arguments import ConnectorArguments
from pyinfra.api.arguments_typed import PyinfraOperation
from pyinfra.api.command import PyinfraCommand, StringCommand
from pyinfra.api.facts import FactBase
from pyinfra.api.host import Host
from pyinfra.api.operation import operation as pyinfra_operation
from pyinfra.api.state import State
from pyinfra.context import host, state
from pyinfra.operations.util.files import generate_color_diff
from typing_extensions import override

from ciliumlab.errors import LabError
from ciliumlab.facts.files import Texts

P = ParamSpec("P")
T = TypeVar("T")
Commands = Generator[PyinfraCommand, None, None]


class Refused(Exception):
    """Why an operation cannot be carried out on a host, what is wrong there and how to mend it."""


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


def operation(function: Callable[P, Commands]) -> PyinfraOperation[P]:
    """Make a generator of commands a pyinfra operation; `Refused` in it fails the host with one line."""

    @wraps(function)
    def refusing(*args: P.args, **kwargs: P.kwargs) -> Commands:
        try:
            yield from function(*args, **kwargs)
        except (Refused, LabError) as refused:
            host.log_styled(str(refused), fg="red", log_func=logger.error)
            yield Refusal(str(refused))

    return pyinfra_operation()(refusing)


def read(fact: type[FactBase[T | None]], **arguments: Any) -> T:
    """The fact's value on the host at hand.

    Raises Refused when it could not be read: pyinfra then goes on with the fact's default, and what is
    not known must not be taken for what is not there.
    """
    value = host.get_fact(fact, **arguments)
    if value is None:
        raise Refused(f"{fact.__name__} could not be read for the reason above, so nothing was changed")
    return value


def shell(command: str) -> StringCommand:
    """A shell command line."""
    return StringCommand(command)


def show_difference(path: str, text: str) -> None:
    """With ``--diff``, print how ``text`` differs from the file at ``path`` on the host."""
    if not state.config.DIFF:
        return
    there = read(Texts, paths=[path]).get(path)
    host.log(f"{'Will modify' if there else 'Will create'} {path}")
    old = there["text"] if there else ""
    for line in generate_color_diff(old.splitlines(keepends=True), text.splitlines(keepends=True)):
        logger.info("  %s", line)


def sha256(text: str) -> str:
    """Checksum of a text, in hex, as sha256sum(1) prints it."""
    return hashlib.sha256(_bytes(text)).hexdigest()


def write(
    path: str, text: str, mode: str = "644", owner: str = "root:root", first: str = ""
) -> StringCommand:
    """A command that replaces a file whole or not at all.

    The text goes in by standard input, so that it is in no process list and no log, and may be of any
    length. It is written beside the file, compared with its checksum (to the host a connection that is
    cut looks like the end of the text), brought to disk, and only then given the file's name.

    ``first`` is a shell command to run before that.
    """
    directory, name = posixpath.split(path)
    # One name for all attempts, so that what a killed one leaves does not pile up; it begins with a dot
    # and has no suffix that a program looks for.
    new = f"{directory}/.{name}.ciliumlab"
    steps = [
        f"path={shlex.quote(path)} new={shlex.quote(new)}",
        f"umask 022 && mkdir -p {shlex.quote(directory)}",
        'umask 077 && base64 -d > "$new"',
        f'echo "{sha256(text)}  $new" | sha256sum --check --status',
        f'chmod {mode} "$new" && chown {shlex.quote(owner)} "$new"',
        'sync "$new" && mv -fT "$new" "$path"',
    ]
    script = " && ".join([first, *steps] if first else steps)
    return StringCommand(
        f'{script} || {{ echo "$path could not be written and is as it was" >&2; rm -f "$new"; exit 1; }}',
        _stdin=b64encode(_bytes(text)).decode(),
    )


def _bytes(text: str) -> bytes:
    # The counterpart of `parse_contents`: bytes that were no UTF-8 come back as they were.
    return text.encode(errors="surrogateescape")
