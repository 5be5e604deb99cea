"""A drawing as a flowchart of Mermaid, which GitHub and GitLab draw in Markdown."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from ciliumlab.diagram.grid import rows
from ciliumlab.diagram.model import NAT_ID, Area, Box, Drawing, told

# Shapes of Mermaid's flowcharts, by what a box is.
_SHAPES = {"router": ("{{", "}}"), "nat": ("([", "])"), "pod": ("(", ")"), "nobody": ("((", "))")}
_STYLES = (
    "classDef control-plane stroke-width:3px",
    "classDef router fill:#e8a33d,color:#000",
    "classDef pod fill:#5aa469,color:#000",
)


def render(drawn: Drawing) -> str:
    """Reads the same in Mermaid's light and dark themes: colours are set with their text's."""
    return "\n".join(_lines(drawn))


def _lines(drawn: Drawing) -> Iterator[str]:
    yield "flowchart TB"
    for box in (*drawn.outside, drawn.router):
        yield f"  {_box(box)}"
    for area in drawn.areas:
        yield from _area(area, drawn)
    if any(box.id == NAT_ID for box in drawn.outside):
        yield f"  {_id(NAT_ID)} -.- {_id(drawn.router.id)}"
    for area in drawn.areas:
        yield f'  {_id(drawn.router.id)} ---|"{area.port}"| {_id(area.id)}'
    for step in drawn.steps:
        assert drawn.path
        arrow = "--x" if step.lost else "==>"
        _, does, _, headers, mtu = told(drawn.path.hops[step.number - 1])
        label = _quoted(f"{step.number}. {does}<br>{_escaped(headers)}<br>MTU {mtu}", markup=True)
        yield f"  {_id(step.source)} {arrow}|{label}| {_id(step.target)}"
    yield from (f"  {style}" for style in _STYLES)


def _area(area: Area, drawn: Drawing) -> Iterator[str]:
    title = "<br>".join(map(_escaped, (area.title, *area.pools)))
    yield f"  subgraph {_id(area.id)}[{_quoted(title, markup=True)}]"
    for box in area.boxes:
        yield f"    {_box(box)}"
    grid = rows(area, drawn)
    for above, below in pairwise(grid):
        yield from (
            f"    {_id(one.id)} ~~~ {_id(other.id)}" for one, other in zip(above, below, strict=False)
        )
    yield "  end"


def _box(box: Box) -> str:
    left, right = _SHAPES.get(box.kind, ("[", "]"))
    words = "<br>".join(map(_escaped, (box.title, *box.lines)))
    return f"{_id(box.id)}{left}{_quoted(words, markup=True)}{right}:::{box.kind}"


def _id(name: str) -> str:
    """An id that is never one of Mermaid's own words, which "end" is."""
    return f"id-{name}".replace(".", "_")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")


def _quoted(text: str, *, markup: bool) -> str:
    return f'"{text if markup else _escaped(text)}"'
