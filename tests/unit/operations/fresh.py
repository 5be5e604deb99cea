"""An inventory: the lab's, on pyinfra's @fake connector, with hosts that nothing was done to yet."""

import runpy
from pathlib import Path

_ROOT = Path(__file__).parents[3]


def _units(*names, state):
    load, active, *file = state.split()
    block = [f"LoadState={load}", f"ActiveState={active}", f"UnitFileState={''.join(file)}"]
    blocks = [line for _ in names for line in (*block, "")][:-1]
    return ["units", *blocks, "names", *names, "restarts", "files"]


# What hosts answer, by a piece of the command that asks.
_ANSWERS = {
    "dpkg-query": ["distribution", "debian-13", "packages", "ii |netplan.io|1.1.2", "journal"],
    "list-unit-files": ["container", "used", "fstab", "units", "swap.target static -"],
    "/proc/modules": ["container", "loaded", "builtin", "files"],
    "/proc/sys/": ["container", "values", "/proc/sys/net/ipv4/ip_forward:0", "files"],
    "ufw.service": _units("ufw.service", "apparmor.service", state="not-found inactive"),
    "systemd-networkd.service": _units("systemd-networkd.service", state="loaded active enabled"),
    "apache2.service": _units("apache2.service", state="not-found inactive"),
    "readlink": ["localtime", "/usr/share/zoneinfo/Etc/UTC", "timezone"],
    "for path in /etc/hosts": ["hosts", "files"],
    "ip -json": ["files", "networkd", "links", "[]", "routes", "[]"],
    "mktemp": ["answer", "yes"],
    "sha256sum -- ": ["files"],
    "base64 -w0": ["files"],
}
_SECTIONS = {
    *("distribution", "packages", "journal", "container", "used", "fstab", "units", "loaded", "builtin"),
    *("files", "values", "names", "restarts", "localtime", "timezone", "hosts", "networkd", "links"),
    *("routes", "answer"),
}


def _answer(lines):
    return [f"==ciliumlab== {line}" if line in _SECTIONS else line for line in lines]


def _fake(groups):
    answers = {piece: _answer(lines) for piece, lines in _ANSWERS.items()}
    return {
        name: [
            (f"@fake/{host}", {**data, "fake_delay": 0, "fake_delay_jitter": 0, "fake_responses": answers})
            for host, data in hosts
        ]
        for name, hosts in groups.items()
        if not name.startswith("_") and isinstance(hosts, list)
    }


globals().update(_fake(runpy.run_path(str(_ROOT / "inventory" / "lab.py"))))
