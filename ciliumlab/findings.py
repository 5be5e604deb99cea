"""What a preflight finds on a host: plain data between the fact that asks and the rules that judge."""

from __future__ import annotations

from typing import TypedDict


class Card(TypedDict):
    """A network interface: its IPv4 addresses with their prefixes, those by DHCP apart, and what it serves:
    the bridge or bond that it is part of, or "".
    """

    addresses: list[str]
    leased: list[str]
    master: str


class Answer(TypedDict):
    """What came back from an address: an HTTP status, or 0 and what was wrong."""

    status: int
    trouble: str


class Disk(TypedDict):
    """The file system of /var/lib, in MiB."""

    size: int
    free: int


class Clock(TypedDict):
    """The host's time, in Unix seconds, when it began its answer and when it ended it."""

    began: float
    ended: float


class Reached(TypedDict):
    """What came back from sources: ``answers`` by address, of which some depend on the rest.

    ``distribution`` is "debian-13", or "debian" where its version is not known.
    """

    distribution: str
    codename: str
    arch: str
    answers: dict[str, Answer]


class Findings(Reached):
    """``kernel`` is as ``uname -r`` says it, ``memory`` in MiB.

    ``modules`` are those of the wanted ones that the kernel has or can load, with "_" for "-". ``cgroup``
    is the file system of control groups, "cgroup2fs" for version 2. ``kubelet`` is its version on a node
    of a cluster, "" on another host.
    """

    kernel: str
    container: bool
    modules: list[str]
    cgroup: str
    kubelet: str
    cpus: int
    memory: int
    disk: Disk
    root: bool
    cards: dict[str, Card]
    clock: Clock
