"""systemd units: running, disabled, and restarted exactly when what they read has changed."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from ciliumlab.facts.shell import quoted
from ciliumlab.facts.systemd import RESTART_NOTES, Unit, Units
from ciliumlab.operations.api import Commands, operation, read
from ciliumlab.operations.files import File, differences
from ciliumlab.operations.steps import Shell, sha256

_RUNNING = ("active", "activating", "reloading")
_NOT_AT_BOOT = ("", "disabled", "enabled-runtime", "masked", "masked-runtime")
_AT_BOOT = ("enabled", "enabled-runtime")


@operation
def running(units: Collection[str], files: Mapping[str, File] | None = None) -> Commands:
    """
    Have units run now and after every boot, with the configuration that is in their files.

    + units: full names, as "containerd.service"; one that is masked is unmasked
    + files: configuration that these units read only when they start, see ``files.present``

    A change in ``files`` restarts the units. That a restart is due is noted on the host before a file
    changes, so that the next run makes up for one that was cut in between.
    """
    changes = starts(units, files or {})
    if not changes:
        host.noop(f"{', '.join(units)}: running, and started at boot")
    yield from changes


def starts(
    units: Collection[str], declared: Mapping[str, File], outdated: Collection[str] = ()
) -> list[PyinfraCommand]:
    """What makes units run as ``running`` says; ``outdated`` are those that must be restarted anyhow."""
    found = read(Units, units=list(units), files=list(declared))
    notes = [f"{RESTART_NOTES}/{unit}" for unit in units]
    note = f"mkdir -p {RESTART_NOTES} && touch {quoted(notes)}"
    changes = list(differences(declared, found["files"], first=note))
    changed = any(
        path not in found["files"] or found["files"][path]["sha256"] != sha256(file["text"])
        for path, file in declared.items()
    )
    states = found["units"]
    due = [unit for unit in units if changed or unit in found["restarts"] or unit in outdated]
    stopped = [unit for unit in units if states[unit]["active"] not in _RUNNING and unit not in due]
    if masked := [unit for unit in units if states[unit]["file"].startswith("masked")]:
        changes.append(Shell(f"systemctl unmask {quoted(masked)}"))
    if not_at_boot := [unit for unit in units if states[unit]["file"] in _NOT_AT_BOOT]:
        changes.append(Shell(f"systemctl enable {quoted(not_at_boot)}"))
    if due:
        done = quoted(f"{RESTART_NOTES}/{unit}" for unit in due)
        changes.append(Shell(f"systemctl restart {quoted(due)} && rm -f {done}"))
    if stopped:
        changes.append(Shell(f"systemctl start {quoted(stopped)}"))
    return changes


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
