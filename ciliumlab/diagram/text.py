"""A drawing for a terminal."""

from __future__ import annotations

from collections.abc import Iterator

from ciliumlab.diagram.model import HEADINGS, Box, Drawing, told
from ciliumlab.plan.path import Path


def render(drawn: Drawing) -> str:
    """Machines below their segments, and hops in the order of the way."""
    return "\n".join(_lines(drawn))


def _lines(drawn: Drawing) -> Iterator[str]:
    yield f"{drawn.name}: {'; '.join(drawn.facts)}"
    for box in drawn.outside:
        yield f"{box.title}: {' '.join(box.lines)}"
    yield _box(drawn.router)
    for area in drawn.areas:
        yield f"|-- {area.title}, router's {area.port}"
        yield from (f"|   {pool}" for pool in area.pools)
        width = max((len(box.title) for box in area.boxes), default=0)
        yield from (f"|   |-- {_box(box, width)}" for box in area.boxes)
    if drawn.path:
        yield ""
        yield from _way(drawn.path)


def _box(box: Box, width: int = 0) -> str:
    return f"{box.title.ljust(width)}  {box.kind}  {', '.join(box.lines)}"


def _way(path: Path) -> Iterator[str]:
    yield path.verdict
    yield from _table(path)
    if path.answer:
        yield f"the answer, from {path.answer.source} to {path.answer.target}:"
        yield from _table(path.answer)


def _table(path: Path) -> Iterator[str]:
    rows = [("", *HEADINGS), *((str(number), *told(hop)) for number, hop in enumerate(path.hops, 1))]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "  ".join(map(str.ljust, row, widths)).rstrip()
