"""The running kernel: its modules and its settings, with the files that carry them over a reboot."""

from __future__ import annotations

import re
from typing import TypedDict

from typing_extensions import override

from ciliumlab.facts.shell import (
    CONTAINER,
    FileState,
    Sections,
    State,
    listing,
    parse_listing,
    quoted,
    sections,
)
from ciliumlab.facts.systemd import by_file, configuration


class ModuleState(TypedDict):
    """``loaded`` holds modules in the kernel, whether loaded or built in, with "_" for "-".

    ``container`` is true where the kernel belongs to somebody else.
    """

    loaded: list[str]
    container: bool
    files: dict[str, FileState]


class Modules(State[ModuleState]):
    """Kernel modules that are there, and the file that loads them at boot.

    + file: absolute path of the modules-load.d file
    """

    early = True

    @override
    def command(self, file: str) -> str:
        return sections(
            container=CONTAINER,
            loaded='while read -r name _; do echo "$name"; done < /proc/modules',
            # Paths such as kernel/net/bridge/br_netfilter.ko.
            builtin="read -r kernel < /proc/sys/kernel/osrelease; cat /lib/modules/$kernel/modules.builtin",
            files=listing([file]),
        )

    @override
    def parse(self, found: Sections) -> ModuleState:
        names = [*found["loaded"], *(path.rpartition("/")[2].split(".")[0] for path in found["builtin"])]
        return ModuleState(
            loaded=sorted({module_name(name) for name in names}),
            container=bool(found["container"]),
            files=parse_listing(found["files"]),
        )


def module_name(name: str) -> str:
    """The kernel's own spelling: it takes "-" and "_" for the same and prints the latter."""
    return name.replace("-", "_")


class SysctlState(TypedDict):
    """``values`` of the keys that exist, blanks normalised to single spaces.

    ``boot`` is what each file of sysctl.d sets at boot, in the order of their names: keys and values by path.
    """

    values: dict[str, str]
    boot: dict[str, dict[str, str]]
    container: bool
    files: dict[str, FileState]


class Sysctls(State[SysctlState]):
    """Kernel settings as they run, the file that sets them at boot, and what else does.

    + keys: names as sysctl(8) writes them, "net.ipv4.ip_forward"
    + file: absolute path of the sysctl.d file
    """

    early = True

    @override
    def command(self, keys: list[str], file: str) -> str:
        return sections(
            container=CONTAINER,
            values=f"grep -H '' -- {quoted(sysctl_path(key) for key in keys)}",
            boot=configuration("sysctl.d"),
            files=listing([file]),
        )

    @override
    def parse(self, found: Sections) -> SysctlState:
        values = {}
        for line in found["values"]:
            path, value = line.split(":", 1)
            values[path] = " ".join(value.split())
        return SysctlState(
            values={sysctl_key(path): value for path, value in values.items()},
            boot=_boot(found["boot"]),
            container=bool(found["container"]),
            files=parse_listing(found["files"]),
        )


def _boot(lines: list[str]) -> dict[str, dict[str, str]]:
    return {path: dict(map(_setting, there)) for path, there in by_file(lines).items()}


def _setting(line: str) -> tuple[str, str]:
    """sysctl.d(5): a key may begin with a hyphen, and is a path when its first separator is a slash."""
    key, _, value = line.partition("=")
    key = key.strip().removeprefix("-")
    separator = re.search("[./]", key)
    if separator and separator[0] == "/":
        key = sysctl_key(key)
    return key, " ".join(value.split())


_PROC_SYS = "/proc/sys/"
_SWAP_SEPARATORS = str.maketrans("./", "/.")


def sysctl_path(key: str) -> str:
    """Where the kernel keeps a key: "net.ipv4.conf.eth0/1.rp_filter" is of the interface "eth0.1".

    sysctl(8): "." and "/" are exchanged, so that an interface's dot can be written as "/".
    """
    return _PROC_SYS + key.translate(_SWAP_SEPARATORS)


def sysctl_key(path: str) -> str:
    """The key of a path that `sysctl_path` made."""
    return path.removeprefix(_PROC_SYS).translate(_SWAP_SEPARATORS)
