"""Names that other programs must accept: what they refuse is refused here, before any host is touched.

Each function returns the name, or raises ValueError with what is wrong and how to mend it.
"""

from __future__ import annotations

import re

from ciliumlab.topology.addresses import address

GROUPS = ("all", "lab", "control_plane", "workers", "nodes", "routers")
"""The inventory's own groups. pyinfra makes ``all``, and ``lab`` from the name of inventory/lab.py."""

NAT_INTERFACE = "eth0"
"""The interface of every machine that leads out of the lab."""

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_GROUP = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,62}")
_INTERFACE = re.compile(r"[!-~]{1,15}")
_USER = re.compile(r"[A-Za-z0-9._][A-Za-z0-9._-]*")


def label(name: str) -> str:
    """A host name, or the lab's: an RFC 1123 label in lower case, as Kubernetes wants node names
    (https://kubernetes.io/docs/concepts/overview/working-with-objects/names/).
    """
    if not _LABEL.fullmatch(name):
        raise ValueError(
            "is not a valid name: use 1 to 63 lower-case letters, digits and hyphens, "
            "with a letter or digit first and last (RFC 1123)"
        )
    if name.isdigit():
        # RFC 1123 2.1 tells names from addresses by a letter: `ping 100` asks for 0.0.0.100.
        raise ValueError("is not a valid name: programs take digits alone for an address; add a letter")
    if name == "localhost":
        raise ValueError("names every machine itself (RFC 6761); choose another name")
    return name


def subdomain(name: str) -> str:
    """A Kubernetes object's name: RFC 1123 labels joined by dots, 253 characters at most."""
    if len(name) > 253 or not all(_LABEL.fullmatch(part) for part in name.split(".")):
        raise ValueError(
            "is not a valid Kubernetes name: use lower-case letters, digits, hyphens and dots, with a "
            "letter or digit at each end, 253 characters at most (RFC 1123 subdomain)"
        )
    return name


def segment(name: str) -> str:
    """A segment's name is also a group of hosts in the inventory, and part of file names."""
    if not _GROUP.fullmatch(name):
        raise ValueError(
            "is not a valid segment name: use 1 to 63 letters, digits, hyphens, underscores, a letter first"
        )
    if name in GROUPS:
        raise ValueError("is already a group of the inventory; choose another name")
    return name


def interface(name: str) -> str:
    """A network interface's name that Linux (``dev_valid_name`` in net/core/dev.c: shorter than
    IFNAMSIZ, 16; no slash, colon or blank; neither . nor ..) and systemd-networkd (``ifname_valid``:
    ASCII, no %, not digits alone, neither ``all`` nor ``default``) both take.
    """
    if (
        not _INTERFACE.fullmatch(name)
        or any(character in name for character in "/:%")
        or name in (".", "..", "all", "default")
        or name.isdigit()
    ):
        raise ValueError(
            "is not a valid interface name: use 1 to 15 ASCII characters, not digits alone, "
            "without blanks, /, : and %"
        )
    if name == "lo":
        raise ValueError("is the loopback interface; choose another")
    if name == NAT_INTERFACE:
        raise ValueError("is the NAT side of every machine; lab interfaces start at eth1")
    return name


def ssh_host(name: str) -> str:
    """Where SSH reaches a machine: an IPv4 address, or a host name (RFC 1123) in either case."""
    if ":" in name or name.rpartition(".")[2].isdigit():
        address(name)
    elif len(name) > 253 or not all(_LABEL.fullmatch(part) for part in name.lower().split(".")):
        raise ValueError("is neither an IPv4 address nor a host name (RFC 1123)")
    return name


def user(name: str) -> str:
    """A login name that is portable (POSIX.1-2017, 3.437) and that ssh cannot take for an option."""
    if not _USER.fullmatch(name):
        raise ValueError(
            "is not a login name: use letters, digits, dots, underscores and hyphens, no hyphen first"
        )
    return name
