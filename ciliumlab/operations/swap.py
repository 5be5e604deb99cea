"""Swap, off for good."""

from __future__ import annotations

import re

from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from ciliumlab.facts.files import Texts
from ciliumlab.facts.shell import quoted
from ciliumlab.facts.swap import Swap
from ciliumlab.facts.together import Asked
from ciliumlab.operations.api import Commands, operation, read, reads_first, show_difference
from ciliumlab.operations.steps import Shell, Write

_FSTAB = "/etc/fstab"

# fstab(5): the third field is the type. What is commented out already is left alone.
_FSTAB_SWAP = re.compile(r"^(?=[ \t]*[^#\s]\S*[ \t]+\S+[ \t]+swap([ \t]|$))", re.MULTILINE)

# swap.target is what brings up every swap unit at boot, those of generators included.
_TARGET = "swap.target"


@operation
def off() -> Commands:
    """
    Turn swap off, now and for every boot to come.

    Entries in fstab are commented out. Swap units of generators (zram-generator, a partition's type)
    and swap.target are masked. Swap units of an administrator, and programs that swap to compressed
    memory or a file of their own, are disabled. In a container nothing is done: swap belongs to the
    container's host.
    """
    reads_first(Asked(Swap, {}), Asked(Texts, {"paths": [_FSTAB]}))
    found, fstab = read(Swap), read(Texts, paths=[_FSTAB]).get(_FSTAB)
    if found["container"]:
        host.noop("swap belongs to the host of this container")
        return
    changes: list[PyinfraCommand] = []
    if fstab and (text := without_swap(fstab["text"])) != fstab["text"]:
        show_difference(_FSTAB, text)
        changes.append(Write(_FSTAB, text, fstab["mode"], fstab["owner"]))
        changes.append(Shell("systemctl daemon-reload"))
    units = {_TARGET: "static"} | found["units"]
    if enabled := [unit for unit, state in units.items() if state.startswith("enabled")]:
        changes.append(Shell(f"systemctl disable --now {quoted(enabled)}"))
    # What a generator makes anew at every boot cannot be disabled, and what lies in /etc cannot be masked.
    generated = [unit for unit, state in units.items() if state == "generated"]
    if to_mask := [*generated, *([] if units[_TARGET].startswith("masked") else [_TARGET])]:
        changes.append(Shell(f"systemctl mask {quoted(to_mask)}"))
    if found["used"]:
        changes.append(Shell("swapoff --all"))
    if not changes:
        host.noop("swap is off and nothing brings it back")
    yield from changes


def without_swap(fstab: str) -> str:
    """fstab with its swap entries commented out; a second time changes nothing."""
    return _FSTAB_SWAP.sub("# ", fstab)
