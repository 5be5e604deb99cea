"""systemd units."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from typing_extensions import override

from ciliumlab.facts.shell import FileState, Joined, Sections, State, listing, parse_listing, quoted, sections

# Where operations note, until it is done, that a unit must be restarted to read files that changed. It
# lies in memory: a reboot starts every unit anew, and with that the note is void.
RESTART_NOTES = "/run/ciliumlab/restart"

_HEADER = re.compile(r"# (/\S+[.]conf)")


class Unit(TypedDict):
    """A unit as ``systemctl show`` knows it.

    ``load`` is "loaded", "not-found", "masked" …; ``active`` is "active", "inactive", "failed" …;
    ``file`` is "enabled", "disabled", "static" …, empty for one without a file. ``started`` is when its
    process was, in seconds since the epoch; 0 for one that never ran, or starts none.
    """

    load: str
    active: str
    file: str
    started: int


class UnitState(TypedDict):
    """Units by the name that was asked for, and files that they read. ``changed`` is when each of these
    was, if only in its mode, in seconds since the epoch; ``restarts`` are units for which one was noted.
    """

    units: dict[str, Unit]
    files: dict[str, FileState]
    changed: dict[str, int]
    restarts: list[str]


class Units(Joined[UnitState]):
    """State of several units, of files that belong to them, and of restarts that are still to be done.

    + units: full names, as "ssh.service"; a name that does not exist has ``load`` "not-found"
    + files: absolute paths to list beside them
    """

    early = True

    @override
    def command(self, units: list[str], files: list[str] | None = None) -> str:
        # One block of properties a name, in the order asked, whether the name exists or is an alias.
        properties = "LoadState,ActiveState,UnitFileState,ExecMainStartTimestamp"
        return sections(
            units=f"systemctl show --timestamp=unix --property={properties} -- {quoted(units)}",
            names=f"printf '%s\\n' {quoted(units)}",
            restarts=f'for note in {RESTART_NOTES}/*; do [ ! -e "$note" ] || echo "${{note##*/}}"; done',
            # When a file was last written does not tell: one that is changed and put back by mv(1) is as
            # old as ever.
            changed=f"stat -c '%Z %n' -- {quoted(files)}" if files else "true",
            files=listing(files) if files else "true",
        )

    @override
    def parse(self, found: Sections) -> UnitState:
        blocks = "\n".join(found["units"]).split("\n\n")
        changed = [line.split(" ", 1) for line in found["changed"]]
        return UnitState(
            units={name: _unit(block) for name, block in zip(found["names"], blocks, strict=True)},
            files=parse_listing(found["files"]),
            changed={path: int(time) for time, path in changed},
            restarts=found["restarts"],
        )

    @override
    def part(self, value: UnitState, arguments: Mapping[str, Any]) -> UnitState:
        files = arguments.get("files") or ()
        return UnitState(
            units={name: value["units"][name] for name in arguments["units"]},
            files={path: value["files"][path] for path in files if path in value["files"]},
            changed={path: value["changed"][path] for path in files if path in value["changed"]},
            restarts=value["restarts"],
        )


def _unit(block: str) -> Unit:
    values = dict(line.split("=", 1) for line in block.splitlines())
    # "@1700000000"; empty for what never ran, and not there for what starts no process.
    started = values.get("ExecMainStartTimestamp", "").lstrip("@")
    return Unit(
        load=values["LoadState"],
        active=values["ActiveState"],
        file=values["UnitFileState"],
        started=int(started or 0),
    )


class Settings(State[dict[str, dict[str, str]]]):
    """What each of systemd's configuration files of one kind sets, ``Section.key`` and value by path, in the
    order in which they are read: the last one that sets a key counts.

    + kind: as systemd-analyze(1) names it, "systemd/networkd.conf"
    """

    early = True

    @override
    def command(self, kind: str) -> str:
        return sections(settings=configuration(kind))

    @override
    def parse(self, found: Sections) -> dict[str, dict[str, str]]:
        return {path: settings(lines) for path, lines in by_file(found["settings"]).items()}


def configuration(kind: str) -> str:
    """A command that prints all files of a kind, for `by_file`."""
    return f"systemd-analyze cat-config -- {shlex.quote(kind)}"


def by_file(lines: Iterable[str]) -> dict[str, list[str]]:
    """The lines of each file that are no comments, by its path, which stands in a line above it."""
    found: dict[str, list[str]] = {}
    path = ""
    for line in map(str.strip, lines):
        if header := _HEADER.fullmatch(line):
            path = header[1]
        elif line and line[0] not in "#;":
            found.setdefault(path, []).append(line)
    return found


def settings(lines: Iterable[str]) -> dict[str, str]:
    """``Section.key`` and its value in lines that are no comments."""
    found = {}
    section = ""
    for line in lines:
        if line.startswith("["):
            section = line.strip("[]")
        else:
            key, _, value = line.partition("=")
            found[f"{section}.{key.strip()}"] = value.strip()
    return found
