"""Names in /etc/hosts, in a block of their own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypedDict

from pyinfra.context import host

from ciliumlab.facts.hosts import HOSTS_FILE, HostsFile
from ciliumlab.operations.api import Commands, operation, read, show_difference
from ciliumlab.operations.files import permissions
from ciliumlab.operations.steps import Write

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

    One kind of line outside of it does change: names of the block are taken off loopback addresses.
    Debian's installer and Vagrant write ``127.0.1.1 <own name>``; a host that resolves its own name to
    loopback announces itself to others, as the kubelet does, by an address that they cannot reach.
    """
    found = read(HostsFile)
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
    names = {entry["name"] for entry in entries}
    wanted = [begin, *(f"{entry['address']} {entry['name']}" for entry in entries), end]
    lines: list[str] = []
    place: int | None = None
    remaining = iter(_without_blocks(text.splitlines(), begin, end, names))
    for line in remaining:
        if line is None:
            place = len(lines) if place is None else place
        elif (kept := _off_loopback(line, names)) is not None:
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


def _off_loopback(line: str, names: set[str]) -> str | None:
    """The line without the block's names if it is one of a loopback address; None if no name is left."""
    fields = _fields(line)
    if not fields or not (fields[0].startswith("127.") or fields[0] == "::1"):
        return line
    kept = [name for name in fields[1:] if not {name, name.partition(".")[0]} & names]
    if len(kept) == len(fields) - 1:
        return line
    return " ".join([fields[0], *kept]) if kept else None


def _fields(line: str) -> list[str]:
    return line.partition("#")[0].split()
