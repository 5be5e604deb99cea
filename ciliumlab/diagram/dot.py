"""A drawing in the language of Graphviz's ``dot``, which lays it out."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from html import escape
from itertools import pairwise
from textwrap import wrap

from ciliumlab.diagram.grid import rows
from ciliumlab.diagram.model import HEADINGS, NAT_ID, NOBODY_ID, Area, Box, Drawing, told
from ciliumlab.plan.path import Path

_FONT = "DejaVu Sans"
# The longest lines in a table of hops, in letters: of a cell, and of what stands above it.
_NARROW, _WIDE = 46, 105


def render(drawn: Drawing) -> str:
    """A digraph; colours are left to whatever styles the classes of its SVG."""
    return "\n".join(_lines(drawn))


def _lines(drawn: Drawing) -> Iterator[str]:
    yield "digraph lab {"
    yield "  compound=true; newrank=true; ranksep=0.55; nodesep=0.25; pad=0.3; splines=true"
    yield f"  label=<<b>{escape(drawn.name)}</b>: {escape('; '.join(drawn.facts))}>; labelloc=t"
    yield f'  graph [fontname="{_FONT}", fontsize=13]; edge [fontname="{_FONT}", fontsize=10]'
    yield f'  node [fontname="{_FONT}", fontsize=11, shape=box, style="filled,rounded", margin="0.12,0.06"]'
    for box in (*drawn.outside, drawn.router):
        yield f"  {_box(box)}"
    if any(box.id == NAT_ID for box in drawn.outside):
        yield f"  {_arrow(NAT_ID, drawn.router.id)} [class=nat, style=dashed, dir=none]"
    for area in drawn.areas:
        yield from _area(area, rows(area, drawn))
        cable = f"lhead={_quoted(f'cluster-{area.id}')}, label={_quoted(f'  {area.port}')}"
        first = _first(area, drawn)
        middle = first[len(first) // 2]
        yield f"  {_arrow(drawn.router.id, middle)} [class=cable, dir=none, penwidth=2, {cable}]"
        yield from (f"  {_arrow(drawn.router.id, one)} [style=invis]" for one in first if one != middle)
    # Areas side by side, from left to right as in the file.
    firsts = [name for area in drawn.areas for name in _first(area, drawn)]
    yield f"  {{ rank=same; edge [style=invis]; {' -> '.join(map(_quoted, firsts))} }}"
    yield from _steps(drawn)
    yield "}"


def _area(area: Area, grid: list[list[Box]]) -> Iterator[str]:
    words = "<br/>".join([f"<b>{escape(area.title)}</b>", *map(escape, area.pools)])
    yield f"  subgraph {_quoted(f'cluster-{area.id}')} {{"
    yield f'    label=<{words}>; id={_quoted(area.id)}; class=segment; style="filled,rounded"; margin=14'
    if not grid:
        yield f'    {_quoted(_empty(area))} [shape=plain, label="no node", class=empty]'
    for row in grid:
        yield from (f"    {_box(box)}" for box in row)
        yield f"    {{ rank=same; edge [style=invis]; {' -> '.join(_quoted(box.id) for box in row)} }}"
    for above, below in pairwise(grid):
        for one, other in zip(above, below, strict=False):
            yield f"    {_arrow(one.id, other.id)} [style=invis]"
    yield "  }"


def _first(area: Area, drawn: Drawing) -> list[str]:
    """What stands in the first row of an area, nearest to the router."""
    grid = rows(area, drawn)
    return [box.id for box in grid[0]] if grid else [_empty(area)]


def _empty(area: Area) -> str:
    return f"{area.id}-empty"


def _steps(drawn: Drawing) -> Iterator[str]:
    up = {drawn.router.id, *(box.id for box in drawn.outside)}
    for step in drawn.steps:
        # An edge up is drawn from its end, or it would lead around everything.
        turned = step.target in up and step.source not in (NAT_ID, NOBODY_ID)
        ends = (step.target, step.source) if turned else (step.source, step.target)
        kind = f"class={'lost' if step.lost else 'step'}{', dir=back' if turned else ''}"
        yield f"  {_arrow(*ends)} [{kind}, constraint=false, penwidth=2.5, xlabel=<<b>{step.number}</b>>]"
    if drawn.path:
        yield f"  hops [shape=plain, style=filled, class=hops, label=<{_way(drawn.path)}>]"
        for area in drawn.areas:
            grid = rows(area, drawn)
            below = grid[-1][0].id if grid else _empty(area)
            yield f"  {_arrow(below, 'hops')} [style=invis, minlen=2]"


def _box(box: Box) -> str:
    lines = [f"<b>{escape(box.title)}</b>"]
    if box.kind in ("control-plane", "router"):
        lines.append(f"<i>{box.kind}</i>")
    words = "<br/>".join([*lines, *map(escape, box.lines)])
    return f"{_quoted(box.id)} [id={_quoted(box.id)}, class={_quoted(box.kind)}, label=<{words}>]"


def _way(path: Path) -> str:
    """Tables of the hops there and back, one below the other."""
    parts = [_bold(path.verdict), _table(path)]
    if path.answer:
        title = f"The answer, from {path.answer.source} to {path.answer.target}"
        parts += [_bold(title), _table(path.answer)]
    lines = "".join(f'<tr><td align="left" balign="left">{part}</td></tr>' for part in parts)
    return f'<table border="0" cellborder="0" cellspacing="0" cellpadding="5">{lines}</table>'


def _table(path: Path) -> str:
    lines = [_row(("", *HEADINGS), _bold)]
    for number, hop in enumerate(path.hops, 1):
        lines.append(_row((str(number), *told(hop)), _wrapped))
    return f'<table border="0" cellborder="1" cellspacing="0" cellpadding="5">{"".join(lines)}</table>'


def _row(cells: Iterable[str], written: Callable[[str], str]) -> str:
    columns = [f'<td align="left" balign="left">{written(cell)}</td>' for cell in cells]
    return f"<tr>{''.join(columns)}</tr>"


def _bold(text: str) -> str:
    return f"<b>{_wrapped(text, _WIDE)}</b>" if text else ""


def _wrapped(text: str, width: int = _NARROW) -> str:
    """Lines of about this many letters, broken where there are blanks."""
    return "<br/>".join(escape(line) for line in wrap(text, width, break_long_words=False))


def _arrow(source: str, target: str) -> str:
    return f"{_quoted(source)} -> {_quoted(target)}"


def _quoted(name: str) -> str:
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
