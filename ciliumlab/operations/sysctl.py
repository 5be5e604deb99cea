"""Kernel settings, in force now and at boot."""

from __future__ import annotations

from collections.abc import Mapping

from pyinfra.context import host

from ciliumlab.facts.files import Files
from ciliumlab.facts.kernel import Sysctls, sysctl_setting
from ciliumlab.facts.shell import quoted
from ciliumlab.facts.systemd import Configuration
from ciliumlab.facts.together import Asked
from ciliumlab.operations.api import Commands, operation, read, reads_first
from ciliumlab.operations.files import File, differences
from ciliumlab.operations.steps import Shell
from ciliumlab.operations.systemd import not_overridden

# What systemd-analyze(1) calls all files of sysctl.d(5).
_KIND = "sysctl.d"


@operation
def settings(values: Mapping[str, str | int], file: str) -> Commands:
    """
    Set kernel settings now and at every boot.

    + values: what each key shall be, by its name as sysctl(8) writes it, "net.ipv4.ip_forward"
    + file: name of the file below /etc/sysctl.d, without its suffix

    Only keys that differ are written to the kernel. In a container, keys outside of net.* are only
    written to the file: they belong to the kernel of the container's host. A file of somebody else's that
    comes after this one at boot, and sets a key otherwise, is left to him who wrote it: an error names it.
    """
    path = f"/etc/sysctl.d/{file}.conf"
    wanted = {key: " ".join(str(value).split()) for key, value in values.items()}
    reads_first(
        Asked(Sysctls, {"keys": list(wanted)}),
        Asked(Files, {"paths": [path]}),
        Asked(Configuration, {"kinds": [_KIND]}),
    )
    found, files = read(Sysctls, keys=list(wanted)), read(Files, paths=[path])
    text = "".join(f"{key} = {value}\n" for key, value in wanted.items())
    changes = list(differences({path: File(text=text)}, files))
    differing = [key for key, value in wanted.items() if found["values"].get(key) != value]
    foreign = [key for key in differing if found["container"] and not key.startswith("net.")]
    to_set = [f"{key}={wanted[key]}" for key in differing if key not in foreign]
    if to_set:
        changes.append(Shell(f"sysctl -q -w {quoted(to_set)}"))
    yield from changes
    boot = read(Configuration, kinds=[_KIND])
    not_overridden({file: dict(map(sysctl_setting, lines)) for file, lines in boot.items()}, wanted, path)
    if not changes:
        left = f"; {', '.join(foreign)} must be set by the container's host" if foreign else ""
        host.noop(f"{', '.join(wanted)}: set now and at boot{left}")
