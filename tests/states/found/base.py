"""Packages, kernel, swap, time, names, services and logins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .shell import Answers, File, Unit, assignments, files, read_files, read_units, units

MODULES_FILE = "/etc/modules-load.d/ciliumlab.conf"
SYSCTL_FILE = "/etc/sysctl.d/99-ciliumlab.conf"
LOGIN_FILE = "/etc/profile.d/ciliumlab.sh"
OFF = ("apparmor.service", "ufw.service")

# dpkg-query(1), db:Status-Abbrev: what is desired, what is, and R where files are damaged. Installed is
# "i", whole are also n (not there) and c (only its configuration is).
_WHOLE = "inc"


@dataclass(frozen=True)
class Base:
    began: float
    """Its own time when it began to answer, in Unix seconds, and below when it came to an end."""
    user: str
    """Who a command over SSH runs as."""
    container: str
    """What kind of container this is, empty for none. Its kernel then belongs to the host."""
    distribution: str
    installed: frozenset[str]
    half_done: list[str]
    """Packages that dpkg left half done, and its journal if it was cut off."""
    modules: frozenset[str]
    sysctls: dict[str, str]
    sysctls_at_boot: dict[str, str]
    swaps: list[str]
    swap_units: dict[str, str]
    """Units that have to do with swap, with their unit files' states."""
    zone: str
    """The zone that /etc/localtime points to."""
    utc_offset: str
    names: dict[str, set[str]]
    """The addresses that each name of the lab resolves to."""
    units: dict[str, Unit]
    files: dict[str, File]
    ended: float


def questions(data: dict[str, Any]) -> dict[str, str]:
    """For the host that the inventory has this data of."""
    names = " ".join(entry["name"] for entry in data["etc_hosts"])
    return {
        "began": "date +%s.%N",
        "user": 'echo "${SUDO_USER:-$(id -un)}"',
        "container": "systemd-detect-virt --container | grep -vx none",
        "distribution": '. /etc/os-release && echo "$ID-$VERSION_ID"',
        "packages": "dpkg-query -W -f '${db:Status-Abbrev}|${Package}\\n'",
        "journal": "ls /var/lib/dpkg/updates",
        "modules": (
            "cut -d' ' -f1 /proc/modules;"
            ' sed "s|.*/||; s|[.]ko.*||" "/lib/modules/$(uname -r)/modules.builtin"'
        ),
        "sysctls": f"sysctl {' '.join(data['sysctls'])}",
        "sysctls at boot": "systemd-analyze cat-config sysctl.d",
        "swaps": "tail -n +2 /proc/swaps",
        "swap units": "systemctl list-unit-files --no-legend --no-pager '*swap*' 'zram*'",
        "zone": "readlink /etc/localtime",
        "offset": "date +%z",
        "names": f"getent ahostsv4 {names}",
        "units": units(OFF),
        "files": files(MODULES_FILE, SYSCTL_FILE, LOGIN_FILE, "/etc/fstab", "/etc/hosts", "/etc/timezone"),
        "ended": "date +%s.%N",
    }


def read(found: Answers) -> Base:
    packages = [line.split("|") for line in found["packages"].splitlines()]
    return Base(
        began=float(found["began"]),
        user=found["user"].strip(),
        container=found["container"].strip(),
        distribution=found["distribution"].strip(),
        installed=frozenset(name for status, name in packages if status[1:].strip() == "i"),
        half_done=[
            *(f"{name} ({status.strip()})" for status, name in packages if not _whole(status)),
            *(f"dpkg's journal {entry}" for entry in found["journal"].split()),
        ],
        modules=frozenset(name.replace("-", "_") for name in found["modules"].split()),
        sysctls=_last(found["sysctls"]),
        sysctls_at_boot=_last(found["sysctls at boot"]),
        swaps=found["swaps"].splitlines(),
        swap_units={line.split()[0]: line.split()[1] for line in found["swap units"].splitlines()},
        zone=found["zone"].strip().partition("/zoneinfo/")[2],
        utc_offset=found["offset"].strip(),
        names=_names(found["names"]),
        units=read_units(found["units"]),
        files=read_files(found["files"]),
        ended=float(found["ended"]),
    )


def _whole(status: str) -> bool:
    return status[1] in _WHOLE and not status[2:].strip()


def _last(text: str) -> dict[str, str]:
    """The value that counts for each key: the last one. sysctl.d(5): a key may begin with a hyphen, and
    is a path when its first separator is a slash.
    """
    found = {}
    for key, values in assignments(text).items():
        key = key.removeprefix("-")
        slash, dot = (key.find(separator) % (len(key) + 1) for separator in "/.")
        found[key.translate(str.maketrans("/.", "./")) if slash < dot else key] = values[-1]
    return found


def _names(text: str) -> dict[str, set[str]]:
    """getent(1) prints the name beside the first line of each address alone."""
    found: dict[str, set[str]] = {}
    name = ""
    for line in text.splitlines():
        address, _kind, *names = line.split()
        name = names[0] if names else name
        found.setdefault(name, set()).add(address)
    return found


def fstab_swaps(text: str) -> list[str]:
    """The lines of fstab(5) that are in force and make swap."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return [line for line in lines if line.split()[2:3] == ["swap"]]


def hosts_block(text: str) -> list[str]:
    """The lines of /etc/hosts from the first mark of the managed block to the last."""
    lines = text.splitlines()
    marks = [n for n, line in enumerate(lines) if line.strip() in ("# BEGIN ciliumlab", "# END ciliumlab")]
    return lines[marks[0] : marks[-1] + 1] if marks else []


def loopback_names(text: str) -> set[str]:
    """All names that /etc/hosts gives to loopback addresses, with their first labels."""
    found = set()
    for line in text.splitlines():
        address, *names = line.partition("#")[0].split() or [""]
        if address.startswith("127.") or address == "::1":
            found.update(names, (name.partition(".")[0] for name in names))
    return found
