"""``ciliumlab diagram``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ciliumlab import options, state
from ciliumlab.diagram import FORMATS, drawing
from ciliumlab.plan import build
from ciliumlab.plan.path import path as way
from ciliumlab.settings import Settings
from ciliumlab.topology import load


@click.command()
@options.topology
@click.option("--format", "form", type=click.Choice(list(FORMATS)), default="svg", show_default=True)
@click.option(
    "--path",
    "ends",
    nargs=2,
    metavar="FROM TO",
    help="Show a packet's way: a machine, NODE:pod, an address, or ADDRESS@NODE for a service's.",
)
@options.data
def diagram(path: Path, form: str, ends: tuple[str, str] | None, overrides: Sequence[str]) -> None:
    """Draw the lab, and the way of a packet through it."""
    declared, settings = load(path), Settings.read(state.settings_path(path), overrides)
    build(declared, settings)  # what no deploy would take is not drawn either
    found = way(*ends, declared, settings) if ends else None
    click.echo(FORMATS[form](drawing(declared, settings, found)).rstrip("\n"))
