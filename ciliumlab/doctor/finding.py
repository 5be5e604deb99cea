"""One line of the doctor's."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ciliumlab.errors import Problem
from ciliumlab.wording import listed


@dataclass(frozen=True)
class Finding:
    """What is the matter where, and how to mend it; ``against`` a lab, or only worth knowing."""

    where: str
    what: str
    against: bool

    def __str__(self) -> str:
        return f"{'against' if self.against else 'note'}: {self.where}: {self.what}"


def against(problem: Problem) -> Finding:
    return Finding(problem.where, problem.what, True)


def note(problem: Problem) -> Finding:
    return Finding(problem.where, problem.what, False)


def on(name: str, finding: Finding) -> Finding:
    """The finding, as one about the machine ``name``."""
    return Finding(f"{name}: {finding.where}", finding.what, finding.against)


def merged(findings: Iterable[Finding]) -> list[Finding]:
    """What is against a lab first; what is the same in several places or on several machines as one."""
    machines: dict[tuple[str, str, bool], dict[str, None]] = {}
    for finding in findings:
        name, _, place = finding.where.partition(": ")
        machines.setdefault((place, finding.what, finding.against), {})[name] = None
    places: dict[tuple[str, str, bool], dict[str, None]] = {}
    for (place, what, is_against), names in machines.items():
        places.setdefault((listed(names), what, is_against), {})[place] = None
    lines = [
        Finding(": ".join(filter(None, [names, listed(where)])), what, is_against)
        for (names, what, is_against), where in places.items()
    ]
    return sorted(lines, key=lambda finding: not finding.against)
