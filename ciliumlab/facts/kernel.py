"""The running kernel: its modules and its settings."""

from __future__ import annotations

import re
from typing import TypedDict

from typing_extensions import override

from ciliumlab.facts.shell import CONTAINER, Sections, State, quoted, sections


class ModuleState(TypedDict):
    """``loaded`` holds modules in the kernel, whether loaded or built in, with "_" for "-".

    ``container`` is true where the kernel belongs to somebody else.
    """

    loaded: list[str]
    container: bool


class Modules(State[ModuleState]):
    """Kernel modules that are there."""

    early = True

    @override
    def command(self) -> str:
        return sections(
            container=CONTAINER,
            loaded='while read -r name _; do echo "$name"; done < /proc/modules',
            # Paths such as kernel/net/bridge/br_netfilter.ko.
            builtin="read -r kernel < /proc/sys/kernel/osrelease; cat /lib/modules/$kernel/modules.builtin",
        )

    @override
    def parse(self, found: Sections) -> ModuleState:
        names = [*found["loaded"], *(path.rpartition("/")[2].split(".")[0] for path in found["builtin"])]
        return ModuleState(
            loaded=sorted({module_name(name) for name in names}),
            container=bool(found["container"]),
        )


def module_name(name: str) -> str:
    """The kernel's own spelling: it takes "-" and "_" for the same and prints the latter."""
    return name.replace("-", "_")


class SysctlState(TypedDict):
    """``values`` of the keys that exist, blanks normalised to single spaces."""

    values: dict[str, str]
    container: bool


class Sysctls(State[SysctlState]):
    """Kernel settings as they run.

    + keys: names as sysctl(8) writes them, "net.ipv4.ip_forward"
    """

    early = True

    @override
    def command(self, keys: list[str]) -> str:
        return sections(
            container=CONTAINER,
            # The shell's own read takes one byte at a time, and the kernel gives no more than the first.
            values=f"grep -H '' -- {quoted(sysctl_path(key) for key in keys)}",
        )

    @override
    def parse(self, found: Sections) -> SysctlState:
        values = {}
        for line in found["values"]:
            path, value = line.split(":", 1)
            values[path] = " ".join(value.split())
        return SysctlState(
            values={sysctl_key(path): value for path, value in values.items()},
            container=bool(found["container"]),
        )


def sysctl_setting(line: str) -> tuple[str, str]:
    """The key and the value in a line of sysctl.d(5), where a key may begin with a hyphen, and is a path when
    its first separator is a slash.
    """
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
