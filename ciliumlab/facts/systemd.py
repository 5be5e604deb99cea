"""systemd units."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, TypedDict

from typing_extensions import override

from ciliumlab.facts.shell import Joined, Sections, quoted, sections

# Where operations note, until it is done, that a unit must be restarted to read files that changed. It
# lies in memory: a reboot starts every unit anew, and with that the note is void.
RESTART_NOTES = "/run/ciliumlab/restart"

_HEADER = re.compile(r"# (/\S+[.]conf)")


class Unit(TypedDict):
    """A unit as ``systemctl show`` knows it.

    ``load`` is "loaded", "not-found", "masked" …; ``active`` is "active", "inactive", "failed" …;
    ``file`` is "enabled", "disabled", "static" …, empty for one without a file. ``started`` is when its
    process was, in seconds since the epoch; 0 for one that never ran, or starts none. ``command`` is what its
    next start runs, empty for one that runs nothing.
    """

    load: str
    active: str
    file: str
    started: int
    command: list[str]


class UnitState(TypedDict):
    """Units by the name that was asked for; ``restarts`` are units for which one was noted."""

    units: dict[str, Unit]
    restarts: list[str]


class Units(Joined[UnitState]):
    """State of several units, and restarts that are still to be done.

    + units: full names, as "ssh.service"; a name that does not exist has ``load`` "not-found"
    """

    early = True

    @override
    def command(self, units: list[str]) -> str:
        # One block of properties a name, in the order asked, whether the name exists or is an alias.
        properties = "LoadState,ActiveState,UnitFileState,ExecMainStartTimestamp,ExecStart"
        return sections(
            units=f"systemctl show --timestamp=unix --property={properties} -- {quoted(units)}",
            names=f"printf '%s\\n' {quoted(units)}",
            restarts=f'for note in {RESTART_NOTES}/*; do [ ! -e "$note" ] || echo "${{note##*/}}"; done',
        )

    @override
    def parse(self, found: Sections) -> UnitState:
        blocks = "\n".join(found["units"]).split("\n\n")
        return UnitState(
            units={name: _unit(block) for name, block in zip(found["names"], blocks, strict=True)},
            restarts=found["restarts"],
        )

    @override
    def part(self, value: UnitState, arguments: Mapping[str, Any]) -> UnitState:
        return UnitState(
            units={name: value["units"][name] for name in arguments["units"]},
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
        # "{ path=/usr/sbin/sshd ; argv[]=/usr/sbin/sshd -D $SSHD_OPTS ; … }"; of several, the first.
        command=values.get("ExecStart", "").partition("argv[]=")[2].partition(" ;")[0].split(),
    )


class Configuration(Joined[dict[str, list[str]]]):
    """The lines that are no comments of each configuration file of some kinds, by its path, in the order in
    which systemd reads those of a kind: the last one that sets a key counts.

    + kinds: as systemd-analyze(1) names them, "systemd/networkd.conf", "sysctl.d"
    """

    early = True

    @override
    def command(self, kinds: list[str]) -> str:
        return sections(configuration=f"systemd-analyze cat-config -- {quoted(kinds)}")

    @override
    def parse(self, found: Sections) -> dict[str, list[str]]:
        return by_file(found["configuration"])

    @override
    def part(self, value: dict[str, list[str]], arguments: Mapping[str, Any]) -> dict[str, list[str]]:
        kinds = arguments["kinds"]
        return {path: lines for path, lines in value.items() if any(f"/{kind}" in path for kind in kinds)}


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
