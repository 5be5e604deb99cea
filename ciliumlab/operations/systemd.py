"""systemd units: running, disabled, and restarted exactly when what they read has changed."""

from __future__ import annotations

import posixpath
from collections.abc import Collection, Mapping

from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from ciliumlab.facts.files import Files
from ciliumlab.facts.shell import FileState, quoted
from ciliumlab.facts.systemd import RESTART_NOTES, Configuration, Unit, Units, UnitState, by_file, settings
from ciliumlab.facts.together import Asked
from ciliumlab.operations.api import Commands, Refused, operation, read, reads_first
from ciliumlab.operations.files import File, differences
from ciliumlab.operations.steps import Shell

_RUNNING = ("active", "activating", "reloading")
_NOT_AT_BOOT = ("", "disabled", "enabled-runtime", "masked", "masked-runtime")
_AT_BOOT = ("enabled", "enabled-runtime")


@operation
def running(units: Collection[str], files: Mapping[str, File] | None = None, among: str = "") -> Commands:
    """
    Have units run now and after every boot, with the configuration that is in their files.

    + units: full names, as "containerd.service"; one that is masked is unmasked
    + files: configuration that these units read only when they start, see ``files.present``
    + among: where these are read together with others, what systemd-analyze(1) calls all of them, as
      "systemd/networkd.conf"; one of somebody else's that comes later and says otherwise is an error

    A change in ``files`` restarts the units, also one that was made before this run. That a restart is due
    is noted on the host before a file changes, so that the next run makes up for one that was cut in between.
    """
    files = files or {}
    reads_first(
        Asked(Units, {"units": list(units)}),
        *([Asked(Files, {"paths": list(files)})] if files else []),
        *([Asked(Configuration, {"kinds": [among]})] if among else []),
    )
    found = read(Units, units=list(units))
    there = read(Files, paths=list(files)) if files else {}
    changes = starts(found, files, there)
    yield from changes
    if among:
        said = {path: settings(lines) for path, lines in read(Configuration, kinds=[among]).items()}
        for path, file in files.items():
            not_overridden(said, settings(by_file(file["text"].splitlines()).get("", [])), path)
    if not changes:
        host.noop(f"{', '.join(units)}: running, and started at boot")


def starts(
    found: UnitState,
    declared: Mapping[str, File],
    there: Mapping[str, FileState],
    outdated: Collection[str] = (),
) -> list[PyinfraCommand]:
    """What makes units run as ``running`` says: these as they were found, with files as declared where they
    are as they are ``there``. ``outdated`` are those that must be restarted anyhow.
    """
    units = found["units"]
    notes = [f"{RESTART_NOTES}/{unit}" for unit in units]
    note = f"mkdir -p {RESTART_NOTES} && touch {quoted(notes)}"
    changes = list(differences(declared, there, first=note))
    changed = bool(changes)
    newest = max((file["changed"] for file in there.values()), default=0)
    waiting = [*found["restarts"], *behind(found, newest), *outdated]
    due = [unit for unit in units if changed or unit in waiting]
    stopped = [unit for unit in units if units[unit]["active"] not in _RUNNING and unit not in due]
    # Each of the two takes away its own kind alone: the mask for good, and that until the next boot.
    for state, unmask in (("masked", "unmask"), ("masked-runtime", "unmask --runtime")):
        if masked := [unit for unit in units if units[unit]["file"] == state]:
            changes.append(Shell(f"systemctl {unmask} {quoted(masked)}"))
    if not_at_boot := [unit for unit in units if units[unit]["file"] in _NOT_AT_BOOT]:
        changes.append(Shell(f"systemctl enable {quoted(not_at_boot)}"))
    if due:
        done = quoted(f"{RESTART_NOTES}/{unit}" for unit in due)
        changes.append(Shell(f"systemctl restart {quoted(due)} && rm -f {done}"))
    if stopped:
        changes.append(Shell(f"systemctl start {quoted(stopped)}"))
    return changes


def behind(found: UnitState, changed: int) -> list[str]:
    """Units that were started before a file changed, at this time, which they read only then."""
    return [name for name, unit in found["units"].items() if 0 < unit["started"] < changed]


def not_overridden(there: Mapping[str, Mapping[str, str]], wanted: Mapping[str, str], own: str) -> None:
    """Raise Refused where files that are read after ``own`` set otherwise what it sets; the last one counts.

    ``there`` is what each file in folders like its own sets: keys and values by path.
    """
    name = posixpath.basename(own)
    last = {
        key: (path, value)
        for path, settings in there.items()
        if posixpath.dirname(path).endswith(".d") and posixpath.basename(path) > name
        for key, value in settings.items()
        if key in wanted
    }
    words = [f"{path} sets {key} to {value}" for key, (path, value) in last.items() if value != wanted[key]]
    if words:
        raise Refused(
            f"{', '.join(words)}, and is read after {own}; take that out, or give it a name before {name}"
        )


@operation
def disabled(units: Collection[str]) -> Commands:
    """
    Stop units and keep them from starting at boot.

    + units: full names, as "ufw.service"; one that the host does not have is as it should be
    """
    states = read(Units, units=list(units))["units"]
    active = [unit for unit in units if states[unit]["active"] in _RUNNING]
    at_boot = [unit for unit in units if states[unit]["file"] in _AT_BOOT]
    if active:
        yield Shell(f"systemctl stop {quoted(active)}")
    if at_boot:
        yield Shell(f"systemctl disable {quoted(at_boot)}")
    if not active and not at_boot:
        host.noop(", ".join(f"{unit}: {_rest(states[unit])}" for unit in units))


def _rest(unit: Unit) -> str:
    return "not on this host" if unit["load"] == "not-found" else "stopped and disabled"
