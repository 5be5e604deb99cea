"""What hosts are like, as far as stages of a machine declare it: one line a thing."""

from __future__ import annotations

from .running import RunningLab

# Files, with what is in them.
FILES = r"""
find /etc /opt /usr/local /var/www -printf 'mode %p %M %u:%g %l\n'
find /etc /opt /usr/local /var/www -type f -exec sha256sum {} + | sed 's/^/sum /'
"""

# All that a stage declares or a package brings, and what is in force.
LISTING = (
    FILES
    + r"""
dpkg-query -W -f 'package ${db:Status-Abbrev} ${Package} ${Version}\n'
ip -o -4 address | sed 's/^[0-9]*: /address /; s/valid_lft.*//'
ip -o link | sed 's/^[0-9]*: /link /'
ip -4 route | sed 's/^/route /'
systemctl list-units --plain --no-legend --type=service,socket,target --state=active | sed 's/^/unit /'
systemctl list-unit-files --no-legend --type=service,socket,swap,target,timer | sed 's/^/unit file /'
sysctl -a --pattern '^net[.]ipv4[.](ip_forward|conf)' | sed 's/^/sysctl /'
find /run/netplan 2>/dev/null | sed 's/^/trial /'
date +'zone %Z'
"""
)


def after(lab: RunningLab, name: str, *scripts: str) -> set[str]:
    """What a host is like after these."""
    parts = [f"( set -e\n{script}\n) >/dev/null || exit 1" for script in scripts]
    return set(lab.shell(name, "\n".join([*parts, LISTING])).splitlines())
