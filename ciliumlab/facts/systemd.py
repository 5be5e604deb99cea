"""systemd units."""

from __future__ import annotations

from typing import TypedDict

from typing_extensions import override

from ciliumlab.facts.shell import FileState, Sections, State, listing, parse_listing, quoted, sections

# Where operations note, until it is done, that a unit must be restarted to read files that changed. It
# lies in memory: a reboot starts every unit anew, and with that the note is void.
RESTART_NOTES = "/run/ciliumlab/restart"


class Unit(TypedDict):
    """A unit as ``systemctl show`` knows it.

    ``load`` is "loaded", "not-found", "masked" …; ``active`` is "active", "inactive", "failed" …;
    ``file`` is "enabled", "disabled", "static" …, empty for one without a file.
    """

    load: str
    active: str
    file: str


class UnitState(TypedDict):
    """Units by the name that was asked for, files that they read, and units that wait for a restart."""

    units: dict[str, Unit]
    files: dict[str, FileState]
    restarts: list[str]


class Units(State[UnitState]):
    """State of several units, of files that belong to them, and of restarts that are still to be done.

    + units: full names, as "ssh.service"; a name that does not exist has ``load`` "not-found"
    + files: absolute paths to list beside them
    """

    @override
    def command(self, units: list[str], files: list[str] | None = None) -> str:
        # One block of properties a name, in the order asked, whether the name exists or is an alias.
        return sections(
            units=f"systemctl show --property=LoadState,ActiveState,UnitFileState -- {quoted(units)}",
            names=f"printf '%s\\n' {quoted(units)}",
            restarts=f"ls {RESTART_NOTES}",
            files=listing(files) if files else "true",
        )

    @override
    def parse(self, found: Sections) -> UnitState:
        blocks = "\n".join(found["units"]).split("\n\n")
        units = {}
        for name, block in zip(found["names"], blocks, strict=True):
            values = dict(line.split("=", 1) for line in block.splitlines())
            units[name] = Unit(
                load=values["LoadState"], active=values["ActiveState"], file=values["UnitFileState"]
            )
        return UnitState(units=units, files=parse_listing(found["files"]), restarts=found["restarts"])
