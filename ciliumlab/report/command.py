"""``ciliumlab report``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ciliumlab import options, state
from ciliumlab.errors import LabError, Problem
from ciliumlab.settings import Settings
from ciliumlab.topology import load

_FILE = click.Path(path_type=Path, dir_okay=False)


@click.command()
@options.topology
@click.option("--deploy", "deployed", type=_FILE, help="What `pyinfra -y --json … deploy.py` printed.")
@click.option("--checks", "checked", type=_FILE, help="What `pytest tests/states --junit-xml` wrote.")
@click.option("-o", "--output", type=_FILE, default=Path("report.html"), show_default=True)
@options.data
def report(
    path: Path, deployed: Path | None, checked: Path | None, output: Path, overrides: Sequence[str]
) -> None:
    """Write a page about a run: the lab, what changed, every check and what it saw.

    Settings are those that the checks were given, and --data beside them.
    """
    # What other commands do not need, they do not wait for.
    from ciliumlab.report import checks, deploy, page, times

    topology = load(path)
    run = deploy.read(deployed) if deployed else None
    seen = checks.read(checked) if checked else None
    given = [*(seen.data if seen else ()), *overrides]
    settings = Settings.read(state.settings_path(path), given)
    took = times.read(state.State(state.directory(path)), run) if run else {}
    text = page.render(topology, settings, run, took, seen)
    try:
        output.write_text(text)
    except OSError as error:
        raise LabError(Problem(str(output), f"cannot be written: {error.strerror}")) from None
    click.echo(output.absolute().as_uri(), err=True)
