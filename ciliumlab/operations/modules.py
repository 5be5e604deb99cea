"""Kernel modules, loaded now and at boot."""

from __future__ import annotations

from collections.abc import Collection

from pyinfra.context import host

from ciliumlab.facts.files import Files
from ciliumlab.facts.kernel import Modules, module_name
from ciliumlab.facts.shell import quoted
from ciliumlab.facts.together import Asked
from ciliumlab.operations.api import Commands, operation, read, reads_first
from ciliumlab.operations.files import File, differences
from ciliumlab.operations.steps import Shell


@operation
def loaded(modules: Collection[str], file: str) -> Commands:
    """
    Load kernel modules now and at every boot.

    + modules: names as modprobe(8) takes them
    + file: name of the file below /etc/modules-load.d, without its suffix

    One that is built into the kernel is there already. One that the kernel does not have is an error.
    In a container, the file is written but nothing is loaded: the kernel belongs to the container's
    host, which must load what the container needs.
    """
    path = f"/etc/modules-load.d/{file}.conf"
    reads_first(Asked(Modules, {}), Asked(Files, {"paths": [path]}))
    found, files = read(Modules), read(Files, paths=[path])
    missing = [name for name in modules if module_name(name) not in found["loaded"]]
    changes = list(differences({path: File(text="".join(f"{name}\n" for name in modules))}, files))
    if missing and not found["container"]:
        changes.append(
            Shell(
                f"modprobe --all {quoted(missing)} || {{"
                ' echo "the running kernel $(uname -r) cannot load them; if the kernel was upgraded'
                ' since boot, reboot this host" >&2; exit 1; }'
            )
        )
    if not changes:
        left = f"; {', '.join(missing)} must come from the container's host" if missing else ""
        host.noop(f"{', '.join(modules)}: loaded now and at boot{left}")
    yield from changes
