"""What the keys of a lab.yaml take for themselves, and the rules about what may not be taken twice.

A rule sees keys and what they claim, never the topology's classes: a machine with one wrong value still
has its other values compared.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TypeVar

from netaddr import IPAddress, IPNetwork

from ciliumlab.topology.document import Report
from ciliumlab.topology.names import NAT_INTERFACE
from ciliumlab.wording import listed

_Value = TypeVar("_Value", bound=Hashable)


@dataclass(frozen=True)
class Span:
    """The addresses ``first`` to ``last`` (both included, as numbers) that the key ``key`` takes."""

    key: str
    first: int
    last: int
    text: str

    @classmethod
    def of(cls, key: str, cidr: IPNetwork) -> Span:
        return cls(key, cidr.first, cidr.last, str(cidr.cidr))

    def __contains__(self, other: Span) -> bool:
        return self.first <= other.first and other.last <= self.last

    def meets(self, other: Span) -> bool:
        """Whether the two share an address."""
        return self.first <= other.last and other.first <= self.last


# QEMU's and VirtualBox's user network, the same behind every machine.
NAT = Span.of(f"the NAT side ({NAT_INTERFACE} of every machine)", IPNetwork("10.0.2.0/24"))


def overlaps(spans: Sequence[Span]) -> list[tuple[Span, Span]]:
    """Every two spans that share an address, the one declared first in front; in declaration order.

    A sweep over the sorted spans: the work grows with the number of spans and of overlaps, not with
    the number of pairs.
    """
    pairs = []
    reaching: list[tuple[int, Span]] = []
    for index, span in sorted(enumerate(spans), key=lambda item: item[1].first):
        reaching = [item for item in reaching if item[1].last >= span.first]
        pairs += [sorted([item, (index, span)]) for item in reaching]
        reaching.append((index, span))
    pairs.sort(key=lambda pair: (pair[1][0], pair[0][0]))
    return [(first, second) for (_, first), (_, second) in pairs]


def repeated(claims: Iterable[tuple[str, _Value]]) -> Iterator[tuple[str, _Value, str]]:
    """``(key, value, earlier key)`` for every value that an earlier key claims already."""
    taken: dict[_Value, str] = {}
    for key, value in claims:
        if value in taken:
            yield key, value, taken[value]
        else:
            taken[value] = key


class Claims:
    """Everything that one file claims; ``compare`` when all of it is read."""

    def __init__(self) -> None:
        self.networks: list[Span] = [NAT]
        """The NAT side, the segments, the pod CIDR and the service CIDR."""
        self.dummies: list[Span] = []
        self.summary: Span | None = None
        self.pools: list[Span] = []
        self.machines: list[tuple[str, str]] = []
        """The key that names a machine, and the name."""
        self.addresses: list[tuple[str, IPAddress]] = []
        self.ssh: list[tuple[str, tuple[str, int]]] = []
        """The key, and the host and port that SSH connects to."""

    def compare(self, report: Report) -> None:
        """Report what is taken twice, under the key that came later, and what a summary leaves out."""
        self._compare_networks(report)
        for key, address, earlier in repeated(self.addresses):
            report.add(key, f"{address} is also {earlier}; give each machine its own address")
        for key, name, earlier in repeated(self.machines):
            report.add(key, f"{name} is also {earlier}; give each machine its own name")
        for key, (host, port), earlier in repeated(self.ssh):
            report.add(key, f"port {port} of {host} is also {earlier}; give each machine its own port")
        self._compare_pools(report)

    def _compare_networks(self, report: Report) -> None:
        summary = self.summary
        # A dummy inside the summary is compared with other dummies only: whatever else it overlaps, the
        # summary overlaps too, and one line is enough.
        inside = [dummy for dummy in self.dummies if summary and dummy in summary]
        outside = [dummy for dummy in self.dummies if not (summary and dummy in summary)]
        pairs = [*overlaps([*self.networks, *outside]), *overlaps(inside)]
        if summary:
            pairs += [(network, summary) for network in self.networks if network.meets(summary)]
            for dummy in outside:
                what = f"{summary.text} does not contain {dummy.text} of {dummy.key}; widen it, or drop it"
                report.add(summary.key, what)
        for first, second in pairs:
            what = f"{second.text} overlaps {first.text} of {first.key}; choose a network that is free"
            report.add(second.key, what)

    def _compare_pools(self, report: Report) -> None:
        for first, second in overlaps(self.pools):
            what = f"{second.text} overlaps {first.text} of {first.key}; keep the pools apart"
            report.add(second.key, what)
        taken = sorted((address.value, key) for key, address in self.addresses)
        for pool in self.pools:
            begin, end = (bisect_left(taken, (value, "")) for value in (pool.first, pool.last + 1))
            holders = [key for _, key in taken[begin:end]]
            if holders:
                more = [f"{len(holders) - 2} more"] if len(holders) > 3 else []
                whose = listed([*holders[: 2 if more else 3], *more])
                report.add(pool.key, f"{pool.text} contains {whose}; leave out the machines' addresses")
