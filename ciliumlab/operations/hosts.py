"""Names in /etc/hosts, in a block of their own."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypedDict

from pyinfra.context import host

from ciliumlab.facts.files import Texts
from ciliumlab.facts.shell import FileText
from ciliumlab.operations.api import Commands, operation, read, show_difference
from ciliumlab.operations.files import permissions
from ciliumlab.operations.steps import Write

HOSTS_FILE = "/etc/hosts"

# What a host without the file gets besides the block; see hosts(5).
_LOOPBACK = "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n"


class Entry(TypedDict):
    """A name and its address."""

    address: str
    name: str


@operation
def block(entries: Sequence[Entry], title: str) -> Commands:
    """
    Keep names in a block of /etc/hosts between two marker lines; every other line stays as it is.

    + entries: the names and addresses of the block, in order
    + title: what the markers call the block, so that several blocks can live side by side

    One kind of line outside of it does change: names of the block are taken off other IPv4 addresses, as
    a name that two lines have resolves to both. Debian's installer and Vagrant write ``127.0.1.1 <own
    name>``; a host that resolves its own name to loopback, or to a NAT's side, announces itself to others,
    as the kubelet does, by an address that they cannot reach.
    """
    missing = FileText(mode="", owner="", text="")
    found = read(Texts, paths=[HOSTS_FILE]).get(HOSTS_FILE, missing)
    text = edited(found["text"] or _LOOPBACK, entries, title)
    if text != found["text"]:
        show_difference(HOSTS_FILE, text)
        yield Write(HOSTS_FILE, text)
        return
    changes = list(permissions(HOSTS_FILE, found, "644", "root:root"))
    if not changes:
        host.noop(f"{HOSTS_FILE} names {', '.join(entry['name'] for entry in entries)}")
    yield from changes


def edited(text: str, entries: Sequence[Entry], title: str) -> str:
    """The hosts file with the block in it: at the place of the old one, or at the end."""
    begin, end = f"# BEGIN {title}", f"# END {title}"
    names = {entry["name"]: entry["address"] for entry in entries}
    wanted = [begin, *(f"{entry['address']} {entry['name']}" for entry in entries), end]
    lines: list[str] = []
    place: int | None = None
    remaining = iter(_without_blocks(text.splitlines(), begin, end, set(names)))
    for line in remaining:
        if line is None:
            place = len(lines) if place is None else place
        elif (kept := _off_others(line, names)) is not None:
            lines.append(kept)
    if place is None:
        place = len(lines)
    return "\n".join([*lines[:place], *wanted, *lines[place:]]) + "\n"


def _without_blocks(lines: list[str], begin: str, end: str, names: set[str]) -> Iterable[str | None]:
    """The lines outside of blocks; None where a block was.

    Of a torn block, which begins and never ends, only lines that name hosts of the block are its own.
    """
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        if line.strip() == end:
            continue
        if line.strip() != begin:
            yield line
            continue
        yield None
        rest = [other.strip() for other in lines[position:]]
        next_begin = rest.index(begin) if begin in rest else len(rest)
        if end in rest[:next_begin]:
            position += rest.index(end) + 1
        else:
            while position < len(lines) and set(_fields(lines[position])[1:]) & names:
                position += 1


def _off_others(line: str, names: Mapping[str, str]) -> str | None:
    """The line without the block's names if its address is another IPv4 one, or loopback; None if no name
    is left. On loopback a name with a domain is taken for the host's own, too.
    """
    address, *given = _fields(line) or [""]
    if address.startswith("127.") or address == "::1":
        kept = [name for name in given if not {name, name.partition(".")[0]} & set(names)]
    else:
        kept = [name for name in given if ":" in address or names.get(name, address) == address]
    if kept == given:
        return line
    return " ".join([address, *kept]) if kept else None


def _fields(line: str) -> list[str]:
    return line.partition("#")[0].split()
