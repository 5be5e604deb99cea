"""``python -m tests.bench``: measure, print a table, write JSON; exit status 1 when a limit is not kept."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from statistics import median

import click
import pytest
from rich.console import Console
from rich.table import Table

from . import controller, converging, machines
from .measure import ROOT, Failed, Figure

_OF_THE_CONTROLLER = {"plan": controller.plan, "scale": controller.scale}
_OF_MACHINES = {
    "same-state": converging.same_state,
    "no-op": converging.no_op,
    "first-converge": converging.first_converge,
    "boot": converging.boot,
}


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.option("--kind", type=click.Choice(["container", "guest"]), default="container", show_default=True)
@click.option("--runs", type=click.IntRange(1), default=5, show_default=True, help="Of each command.")
@click.option(
    "--only",
    "parts",
    type=click.Choice([*_OF_THE_CONTROLLER, *_OF_MACHINES]),
    multiple=True,
    help="Not all, but what is named.",
)
@click.option(
    "--json",
    "target",
    type=click.Path(path_type=Path, dir_okay=False),
    default=ROOT / ".lab" / "bench.json",
    help="Where figures go, with what they were computed from.",
)
def main(kind: str, runs: int, parts: Sequence[str], target: Path) -> None:
    """Measure how fast the project is, as ratios of medians of runs in turn."""
    figures: list[Figure] = []
    problem = ""
    try:
        with tempfile.TemporaryDirectory() as folder:
            for figure in _measured(kind, runs, parts, Path(folder)):
                click.echo(f"{figure.name}: {figure.value:.3g} {figure.unit}", err=True)
                figures.append(figure)
    except (Failed, pytest.fail.Exception) as failed:  # the latter of the lab that tests share with this
        problem = str(failed)
    _report(figures, target, {**machines.described(kind), "cores": os.cpu_count(), "runs": runs})
    if problem:
        click.echo(problem, err=True)
    raise SystemExit(1 if problem or any(figure.met is False for figure in figures) else 0)


def _measured(kind: str, runs: int, parts: Sequence[str], folder: Path) -> Iterator[Figure]:
    def chosen(known: dict[str, Callable[..., Iterator[Figure]]]) -> list[Callable[..., Iterator[Figure]]]:
        return [part for name, part in known.items() if not parts or name in parts]

    for part in chosen(_OF_THE_CONTROLLER):
        yield from part(folder, runs)
    if of_machines := chosen(_OF_MACHINES):
        with machines.lab(kind) as lab:
            for part in of_machines:
                yield from part(lab, folder, runs)


def _report(figures: Sequence[Figure], target: Path, about: dict[str, object]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    record = {**about, "figures": [figure.as_json() for figure in figures]}
    target.write_text(json.dumps(record, indent=1) + "\n")
    table = Table("figure", "value", "limit", "", "medians", title=", ".join(map(str, about.values())))
    for figure in figures:
        table.add_row(
            figure.name,
            f"{figure.value:.3g} {figure.unit}",
            "" if figure.limit is None else f"{figure.limit:.3g}",
            {True: "met", False: f"NOT MET {figure.note}".strip(), None: figure.note}[figure.met],
            ", ".join(f"{name} {median(values):.3g}" for name, values in figure.samples.items()),
        )
    Console(width=None if Console().is_terminal else 150).print(table)
    click.echo(f"{target}", err=True)


if __name__ == "__main__":
    main()
