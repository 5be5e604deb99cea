"""Many questions in one remote command, as a login costs more than all of them."""

from __future__ import annotations

import re
import shlex
from base64 import b64decode
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

Answers = Mapping[str, str]

_MARK = "==ciliumlab {}=="
_MARKED = re.compile(r"^==ciliumlab (.*)==\n", re.MULTILINE)


def script(questions: Mapping[str, str]) -> str:
    """One command that asks all questions, each under its name; one that fails does not stop the rest."""
    parts = ["export LC_ALL=C"]
    for name, command in questions.items():
        parts += [f"echo {shlex.quote(_MARK.format(name))}", f"{{ {command}; }} 2>/dev/null"]
    return "\n".join(parts)


def together(questions: Mapping[str, str], *, functions: str = "", at_once: int = 0) -> str:
    """As ``script``, for questions that mostly wait: all are asked at once, errors are answers too.

    ``functions`` are shell functions that the questions use. With ``at_once`` no more than that many wait
    at a time.
    """
    parts = ["export LC_ALL=C", functions]
    for number, (name, command) in enumerate(questions.items(), start=1):
        # A name and its answer are written by one printf, so that they stay together.
        mark = shlex.quote(_MARK.format(name))
        parts.append(f"printf '%s\\n%s\\n' {mark} \"$({{ {command}; }} 2>&1)\" &")
        if at_once and number % at_once == 0:
            parts.append("wait")
    return "\n".join([*filter(None, parts), "wait"])


def answers(output: str) -> Answers:
    """The answer to each question by its name."""
    _, *pieces = _MARKED.split(output)
    return dict(zip(pieces[::2], pieces[1::2], strict=True))


@dataclass(frozen=True)
class File:
    """A file as it is.

    ``mode`` is in octal digits, ``owner`` user:group, and ``changed`` when its text, mode or name last did,
    in Unix seconds: one that mv(1) has put back is as old as ever by when it was written.
    """

    path: str
    mode: str
    owner: str
    changed: int
    text: str


def files(*patterns: str) -> str:
    """A question after all files that match; ``read_files`` understands the answer."""
    return (
        f'for file in {" ".join(patterns)}; do [ ! -f "$file" ] ||'
        ' { stat -c "%a %U:%G %Z %n" "$file"; base64 -w0 "$file"; echo; }; done'
    )


def read_files(answer: str) -> dict[str, File]:
    """The files that exist, by path."""
    found = {}
    lines = iter(answer.splitlines())
    for line in lines:
        mode, owner, changed, path = line.split(" ", 3)
        text = b64decode(next(lines)).decode(errors="replace")
        found[path] = File(path, mode, owner, int(changed), text)
    return found


@dataclass(frozen=True)
class Unit:
    """A systemd unit.

    ``at_boot`` is its unit file's state (enabled, disabled, masked …; empty if it has none), ``started``
    when its process did, in Unix seconds.
    """

    there: bool
    active: bool
    at_boot: str
    started: int


def units(names: Iterable[str]) -> str:
    """A question after systemd units; ``read_units`` understands the answer."""
    properties = "Id,LoadState,ActiveState,UnitFileState,ExecMainStartTimestamp"
    return f"systemctl show --timestamp=unix --property={properties} {' '.join(names)}"


def read_units(answer: str) -> dict[str, Unit]:
    """The units by name."""
    found = {}
    for block in answer.strip().split("\n\n"):
        values = dict(line.split("=", 1) for line in block.splitlines())
        found[values["Id"]] = Unit(
            there=values["LoadState"] != "not-found",
            active=values["ActiveState"] in ("active", "reloading"),
            at_boot=values["UnitFileState"],
            # "@1700000000"; missing or empty for what never ran
            started=int(values.get("ExecMainStartTimestamp", "").lstrip("@") or 0),
        )
    return found


def assignments(text: str) -> dict[str, list[str]]:
    """The values that each key is given, in order, in ``key = value`` lines; comments are left out.

    Below a ``[Section]`` line keys are ``Section.key``.
    """
    found: dict[str, list[str]] = {}
    section = ""
    for line in map(str.strip, text.splitlines()):
        if not line or line[0] in "#;":
            continue
        if line.startswith("["):
            section = line.strip("[]") + "."
            continue
        key, _, value = line.partition("=")
        found.setdefault(section + key.strip(), []).append(value.strip())
    return found
