"""A lab as a picture: what lab.yaml declares, and the way of a packet through it."""

from __future__ import annotations

from collections.abc import Callable

from ciliumlab.diagram import dot, mermaid, svg, text
from ciliumlab.diagram.model import Drawing, drawing

__all__ = ["FORMATS", "Drawing", "drawing"]

FORMATS: dict[str, Callable[[Drawing], str]] = {
    "svg": lambda drawn: svg.render(dot.render(drawn), drawn),
    "mermaid": mermaid.render,
    "text": text.render,
}
"""What a drawing can be written as. Only ``svg`` needs a program, Graphviz's."""
