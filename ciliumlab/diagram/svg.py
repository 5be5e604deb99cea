"""A drawing as SVG, laid out by Graphviz: one file that needs nothing else, for light and dark."""

from __future__ import annotations

import subprocess
from xml.etree import ElementTree

from ciliumlab.diagram.model import Drawing
from ciliumlab.errors import LabError, Problem

_SVG = "http://www.w3.org/2000/svg"

# Colours of every class, in the light and in the dark: fill, stroke, and what is written on it.
_COLOURS = {
    "graph": (("#ffffff", "none", "#1c2733"), ("#12181f", "none", "#dce5ee")),
    "segment": (("#eef3f8", "#9fb3c8", "#1c2733"), ("#1a232d", "#4a6178", "#dce5ee")),
    "control-plane": (("#cfe2ff", "#2563b0", "#10243d"), ("#1d3f6e", "#6ea8f0", "#e8f1ff")),
    "worker": (("#ffffff", "#5f7d9c", "#1c2733"), ("#26323f", "#7f9bb8", "#dce5ee")),
    "router": (("#ffe3b3", "#b06f00", "#3d2a00"), ("#5c3f08", "#e8a33d", "#fff3dd")),
    "pod": (("#d5f0dc", "#2f7d46", "#123a1e"), ("#1d4a2b", "#63c285", "#e3f8ea")),
    "nat": (("#e9e6f5", "#6b5fa8", "#2a2349"), ("#332c55", "#9f92dd", "#eeeafd")),
    "nobody": (("#fbdcdc", "#b3261e", "#4a0d09"), ("#5a1a16", "#ff8a80", "#ffe9e7")),
    "empty": (("none", "none", "#5f7d9c"), ("none", "none", "#7f9bb8")),
    "hops": (("#ffffff", "#9fb3c8", "#1c2733"), ("#1a232d", "#4a6178", "#dce5ee")),
}
_LINES = {
    "cable": ("#5f7d9c", "#7f9bb8"),
    "nat": ("#6b5fa8", "#9f92dd"),
    "step": ("#1b7f3b", "#63c285"),
    "lost": ("#c5221f", "#ff8a80"),
}


def render(dot: str, drawn: Drawing) -> str:
    """What ``dot`` draws of it, with colours, and each machine's routes to be seen where one points at it.

    Raises LabError where Graphviz is missing, or fails.
    """
    try:
        done = subprocess.run(["dot", "-Tsvg"], input=dot, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        what = "Graphviz, which lays out an SVG, is not installed; `apt-get install graphviz` has it"
        raise LabError(Problem("dot", f"{what} (--format text and mermaid need nothing)")) from None
    if done.returncode != 0:
        raise LabError(Problem("dot", done.stderr.strip().replace("\n", "; ") or f"exit {done.returncode}"))
    return _finished(done.stdout, drawn)


def _finished(drawn_svg: str, drawn: Drawing) -> str:
    ElementTree.register_namespace("", _SVG)
    ElementTree.register_namespace("xlink", "http://www.w3.org/1999/xlink")
    root = ElementTree.fromstring(drawn_svg)
    style = ElementTree.Element(f"{{{_SVG}}}style")
    style.text = _style()
    root.insert(0, style)
    root.set("class", "lab")
    root.set("role", "img")
    boxes = {box.id: box for box in (drawn.router, *(box for area in drawn.areas for box in area.boxes))}
    for group in root.iter(f"{{{_SVG}}}g"):
        title = group.find(f"{{{_SVG}}}title")
        if title is None:
            continue
        box = boxes.get(group.get("id", ""))
        # Browsers show a title where one points; Graphviz has its own names there.
        if box and box.routes:
            title.text = "\n".join([f"{box.title}: routes", *box.routes])
        elif "graph" in group.get("class", "").split():
            title.text = drawn.name
        else:
            group.remove(title)
    return ElementTree.tostring(root, encoding="unicode") + "\n"


def _style() -> str:
    light, dark = ("\n".join(_rules(number)) for number in (0, 1))
    return f"\n{light}\n@media (prefers-color-scheme: dark) {{\n{dark}\n}}\n"


def _rules(number: int) -> list[str]:
    """Rules win over what Graphviz writes as attributes. No variables: not every viewer knows them."""
    rules = []
    for name, colours in _COLOURS.items():
        fill, stroke, words = colours[number]
        # Only what is drawn for the class itself, and not what is in the whole graph.
        group = f".lab g.{name}"
        shapes = ", ".join(f"{group} > {shape}" for shape in ("path", "polygon", "ellipse"))
        rules.append(f"{shapes} {{ fill: {fill}; stroke: {stroke} }}")
        rules.append(f"{group} > text {{ fill: {words} }}")
    for name, both in _LINES.items():
        colour = both[number]
        group = f".lab g.edge.{name}"
        rules.append(f"{group} > path {{ fill: none; stroke: {colour} }}")
        rules.append(f"{group} > polygon {{ fill: {colour}; stroke: {colour} }}")
        rules.append(f"{group} > text {{ fill: {colour} }}")
    return rules
