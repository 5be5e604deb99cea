"""Who reaches whom, as the lab's packets go: what all stages together are for."""

from __future__ import annotations

from .expect import each, expect
from .lab import Lab, Machine

_MTU = 1500


@each(Lab.pings)
def test_ping(machine: Machine, target: Machine, address: str, ttl: int) -> None:
    target.answers()
    reached = machine.reached[address]
    expect(machine, f"TTL of what {target} answers from {address}", ttl, reached.ttl, reached.said)


@each(Lab.paths)
def test_path(machine: Machine, target: Machine, address: str, hops: tuple[str, ...]) -> None:
    target.answers()
    reached = machine.reached[address]
    expect(machine, f"way to {target}", hops, reached.hops, reached.said)
    expect(machine, f"path MTU to {target}", _MTU, reached.pmtu, reached.said)
