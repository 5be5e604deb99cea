"""Files that are wholly this deploy's own."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NotRequired, TypedDict

from jinja2 import Environment, StrictUndefined
from pyinfra.context import host, state

from ciliumlab.facts.files import Files
from ciliumlab.facts.shell import FileState
from ciliumlab.operations.api import Commands, operation, read, show_difference
from ciliumlab.operations.steps import Shell, Write, sha256


class File(TypedDict):
    """A file as it shall be: ``mode`` in octal digits (default "644"), ``owner`` "user:group" (root's)."""

    text: str
    mode: NotRequired[str]
    owner: NotRequired[str]


@operation
def present(files: Mapping[str, File], absent: Iterable[str] = ()) -> Commands:
    """
    Have files with exactly this text, mode and owner, and others not at all.

    + files: what each file shall be, by absolute path; missing folders are made
    + absent: absolute paths of files that shall not exist

    All of them are compared by one listing of checksums. A file is replaced whole or not at all.
    """
    unwanted = list(absent)
    there = read(Files, paths=[*files, *unwanted])
    changes = [*differences(files, there), *removals(unwanted, there)]
    if not changes:
        host.noop(f"{', '.join([*files, *unwanted])}: as declared")
    yield from changes


def differences(files: Mapping[str, File], there: Mapping[str, FileState], first: str = "") -> Commands:
    """What makes the files as declared; ``first`` is a shell command to run before text changes."""
    for path, file in files.items():
        mode, owner = file.get("mode", "644"), file.get("owner", "root:root")
        found = there.get(path)
        if found is None or found["sha256"] != sha256(file["text"]):
            show_difference(path, file["text"])
            yield Write(path, file["text"], mode, owner, first)
            continue
        yield from permissions(path, found, mode, owner)


def permissions(path: str, found: Mapping[str, Any], mode: str, owner: str) -> Commands:
    """What gives a file that exists its mode and owner."""
    if found["owner"] != owner:
        yield Shell(f"chown {shlex.quote(owner)} {shlex.quote(path)}")
    # A change of owner may clear mode bits, so the mode comes second.
    if found["mode"] != mode:
        yield Shell(f"chmod {mode} {shlex.quote(path)}")


def removals(paths: Iterable[str], there: Mapping[str, FileState]) -> Commands:
    """What removes those files that exist."""
    for path in paths:
        if path in there:
            yield Shell(f"rm -f {shlex.quote(path)}")


def rendered(source: str, **data: object) -> str:
    """The text of a Jinja template below the deploy's folder, ``files/router/index.html.j2``.

    A name that the template uses and ``data`` lacks is an error, and the final newline is kept.
    """
    path = Path(state.cwd or ".") / source
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True, autoescape=False)
    return environment.from_string(path.read_text()).render(data)
