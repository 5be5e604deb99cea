"""``ciliumlab mirror fetch | verify | serve``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from ciliumlab import options, sources, state
from ciliumlab.errors import LabError, Problem
from ciliumlab.progress import Progress
from ciliumlab.settings import Settings


@click.group()
def mirror() -> None:
    """A folder with everything that a lab downloads."""


@mirror.command()
@options.topology
@options.data
@click.option(
    "--arch",
    "architectures",
    type=click.Choice(sources.ARCHITECTURES),
    multiple=True,
    default=sources.ARCHITECTURES,
    show_default=True,
)
@click.option(
    "--distribution",
    "codenames",
    type=click.Choice([codename for _, codename in sources.DISTRIBUTIONS]),
    multiple=True,
    default=[codename for _, codename in sources.DISTRIBUTIONS],
    show_default=True,
    help="For packages that depend on it.",
)
@click.option(
    "--only",
    "kinds",
    type=click.Choice(sources.KINDS),
    multiple=True,
    help="Not all, but what is named.",
)
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def fetch(
    path: Path,
    overrides: Sequence[str],
    architectures: Sequence[str],
    codenames: Sequence[str],
    kinds: Sequence[str],
    folder: Path,
) -> None:
    """Fill DIR from upstream, checksums and signatures verified; goes on where it was cut off."""
    from ciliumlab.mirror.fetch import fetch as fill

    settings = Settings.read(state.settings_path(path), overrides)
    distributions = [known for known in sources.DISTRIBUTIONS if known[1] in codenames]
    with Progress() as progress:
        contents = fill(folder, settings, architectures, distributions, kinds or sources.KINDS, progress)
    click.echo(f"{folder}: {len(contents)} files, {contents.size / 1e6:.0f} MB", err=True)


@mirror.command()
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
def verify(folder: Path) -> None:
    """Compare DIR with what was fetched: changed, missing and foreign files."""
    from ciliumlab.mirror.contents import NAME, Contents

    contents = Contents(folder)
    if not len(contents):
        raise LabError(Problem(str(folder), f"holds no mirror (it has no {NAME}); fetch one first"))
    if problems := list(contents.problems()):
        raise LabError(problems)
    click.echo(f"{folder}: {len(contents)} files are as they were fetched", err=True)


@mirror.command()
@click.option("--port", type=click.IntRange(1, 65535), default=8000, show_default=True)
@click.option("--address", default="127.0.0.1", show_default=True, help="The address to listen at.")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, exists=True, file_okay=False))
def serve(folder: Path, port: int, address: str) -> None:
    """Serve DIR over HTTP until interrupted; machines of the lab find it at 10.0.2.2."""
    from ciliumlab.mirror.serve import Server

    with Server(folder, address, port, lambda line: click.echo(line, err=True)) as server:
        click.echo(f"{folder} is served at http://{address}:{port}; Ctrl-C ends it", err=True)
        click.echo(f"use it with: --data mirror=http://10.0.2.2:{port}", err=True)
        try:
            server.serve_forever()
        except KeyboardInterrupt:
            click.echo("ended", err=True)
