"""What a host reaches, and along which path."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_TTL = re.compile(r" ttl=(\d+) ")
_HOP = re.compile(r"^ ?(\d+): +(\S+) ", re.MULTILINE)
_RESUME = re.compile(r"Resume: pmtu (\d+) hops (\d+)")


@dataclass(frozen=True)
class Reached:
    """``ttl`` is that of the answer to a ping, ``hops`` are the addresses that tracepath(8) went by.

    ``said`` is all that both printed.
    """

    ttl: int | None
    hops: tuple[str, ...]
    pmtu: int | None
    said: str


def questions(pinged: Iterable[str], traced: Iterable[str]) -> dict[str, str]:
    """``traced`` are those of the addresses whose path is wanted too."""
    traced = set(traced)
    found = {}
    for address in pinged:
        # Sent until the first answer: neighbours that have not met, or that know one another's former
        # card (8 s, see the unicast probes of arp(7)), have to find one another first.
        found[address] = f"ping -n -c 1 -w 15 {address}"
        if address in traced:
            found[address] += f" && tracepath -n -m 8 {address}"
    return found


def read(said: str) -> Reached:
    ttl, resume = _TTL.search(said), _RESUME.search(said)
    hops = {int(number): address for number, address in _HOP.findall(said)}
    return Reached(
        ttl=int(ttl[1]) if ttl else None,
        hops=tuple(hops.values()) if resume and int(resume[2]) == len(hops) else (),
        pmtu=int(resume[1]) if resume else None,
        said=said.strip(),
    )
