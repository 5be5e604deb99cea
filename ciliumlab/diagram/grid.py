"""Boxes of an area in rows, so that a segment with many nodes is no line as long as a street."""

from __future__ import annotations

import math

from ciliumlab.diagram.model import Area, Box, Drawing


def rows(area: Area, drawn: Drawing) -> list[list[Box]]:
    """In the given order; as many in a row as make the whole drawing, with its areas side by side, somewhat
    wider than high. A box is about three times as wide as high.
    """
    boxes, beside = area.boxes, max(1.0, len(drawn.areas) / 2)
    columns = max(1, math.ceil(math.sqrt(len(boxes) / 1.5 / beside)))
    return [list(boxes[start : start + columns]) for start in range(0, len(boxes), columns)]
