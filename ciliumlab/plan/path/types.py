"""A packet's way as data."""

from __future__ import annotations

from dataclasses import dataclass

from ciliumlab.plan.path.endpoints import Address


@dataclass(frozen=True)
class Header:
    source: Address
    target: Address

    def __str__(self) -> str:
        return f"{self.source} > {self.target}"

    @property
    def turned(self) -> Header:
        """That of an answer."""
        return Header(self.target, self.source)


@dataclass(frozen=True)
class Outer:
    """What a tunnel puts around a packet: ``protocol`` (vxlan, geneve) over UDP to ``port``."""

    header: Header
    protocol: str
    port: int

    def __str__(self) -> str:
        return f"{self.header} {self.protocol} udp/{self.port}"


@dataclass(frozen=True)
class Hop:
    """A packet at ``at``, a machine or "NODE:pod", which ``does`` something with it and sends it on.

    ``device`` is the interface that it leaves by and ``to`` who gets it then; ``to`` is empty at the end of
    the way. The headers are those on leaving. ``mtu``, in bytes, is what the packet without its outer
    headers may have from here.
    """

    at: str
    does: str
    device: str
    to: str
    inner: Header
    outer: Outer | None
    mtu: int


@dataclass(frozen=True)
class Path:
    """``lost`` says why the packet does not arrive, and is empty where it does; then ``answer`` is the way
    of what is answered.
    """

    source: str
    target: str
    hops: tuple[Hop, ...]
    lost: str
    answer: Path | None = None

    @property
    def verdict(self) -> str:
        """How it ends, in a line."""
        if self.lost:
            return f"{self.source} does not reach {self.target}: {self.lost}"
        if self.answer and self.answer.lost:
            return f"{self.source} reaches {self.target}, whose answer does not come back: {self.answer.lost}"
        return f"{self.source} reaches {self.target}, and the answer comes back"
