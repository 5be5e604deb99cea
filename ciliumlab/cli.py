"""The command line: ``ciliumlab plan | diagram | report | up | down | destroy | status | ssh | console |
snapshot | restore | doctor | vagrantfile | completion``, and ``ciliumlab mirror fetch | verify | serve``.

Exit status: 0 done; 1 something failed while it was carried out; 2 a wrong declaration or call, and
nothing was touched. Results go to stdout, progress and problems to stderr.
"""

from __future__ import annotations

import gc
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click
import orjson

from ciliumlab import plan as plans
from ciliumlab import state
from ciliumlab.completion import completion
from ciliumlab.diagram.command import diagram
from ciliumlab.doctor.command import doctor
from ciliumlab.errors import LabError
from ciliumlab.mirror.command import mirror
from ciliumlab.options import data as _data_option
from ciliumlab.options import machines as _machines
from ciliumlab.options import topology as _topology_option
from ciliumlab.progress import Progress
from ciliumlab.report.command import report
from ciliumlab.settings import Settings
from ciliumlab.state import State
from ciliumlab.topology import load


class _Group(click.Group):
    """Turns what a user can cause into lines on stderr and an exit status."""

    def invoke(self, context: click.Context) -> Any:
        try:
            return super().invoke(context)
        except LabError as error:
            click.echo(str(error), err=True)
            sys.exit(error.exit_status)


def _lab(path: Path) -> Any:
    from ciliumlab.machines.lab import Lab  # what `plan` does not need, it does not wait for

    return Lab(load(path), State(state.directory(path)), str(path))


@click.group(cls=_Group, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ciliumlab")
def main() -> None:
    """A Cilium networking lab declared as data."""


for _command in (diagram, report, doctor, completion, mirror):
    main.add_command(_command)


@main.command()
@_topology_option
@_data_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def plan(path: Path, overrides: Sequence[str], as_json: bool) -> None:
    """Show what a deploy would make true, without touching a host."""
    with _nothing_thrown_away():
        topology, settings = load(path), Settings.read(state.settings_path(path), overrides)
        built = plans.build(topology, settings)
        for doubt in plans.doubts(topology, settings):
            click.echo(doubt, err=True)
        click.echo(orjson.dumps(built) if as_json else plans.render(built))


@contextmanager
def _nothing_thrown_away() -> Iterator[None]:
    """Where all that is made is needed to the end, looking for what is not takes a sixth of the time."""
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


@main.command()
@_topology_option
def vagrantfile(path: Path) -> None:
    """Print a Vagrantfile for the machines (VirtualBox, libvirt); it belongs into this folder."""
    from ciliumlab.vagrant import vagrantfile as render

    key = os.path.relpath(State(state.directory(path)).key)
    click.echo(render(load(path), str(path), key), nl=False)


@main.command()
@_topology_option
@click.option("--kind", type=click.Choice(["auto", "guest", "container"]), default="auto", show_default=True)
@click.option("--image", type=click.Choice(["auto", "ubuntu", "debian"]), default="auto", show_default=True)
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=_machines)
def up(path: Path, kind: str, image: str, names: Sequence[str]) -> None:
    """Make and start the machines (all, or those named)."""
    lab = _lab(path)
    with Progress() as progress:
        lab.up(names, kind, image, progress)


@main.command()
@_topology_option
@click.argument("names", nargs=-1, metavar="[NAME]...", shell_complete=_machines)
def down(path: Path, names: Sequence[str]) -> None:
    """Shut machines down (all, or those named); they keep their disks."""
    lab = _lab(path)
    with Progress() as progress:
        lab.down(names, progress)


@main.command()
@_topology_option
@click.option("--confirm", metavar="LAB", help="The lab's name, to be asked nothing.")
def destroy(path: Path, confirm: str | None) -> None:
    """Switch the machines off and delete them with their disks."""
    lab = _lab(path)
    name = lab.topology.name
    if confirm is None:
        confirm = click.prompt(f"Deletes all machines of this lab. Repeat its name ({name})", err=True)
    if confirm != name:
        raise click.UsageError(f"{confirm!r} is not this lab's name ({name}); nothing was touched")
    lab.destroy()


@main.command()
@_topology_option
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def status(path: Path, as_json: bool) -> None:
    """Show what stands where."""
    lab = _lab(path)
    rows = lab.status()
    if as_json:
        click.echo(json.dumps(rows, indent=1))
        return
    lines = [("machine", "is", "as", "addresses", "log in with")]
    lines += [
        (row["name"], row["state"], row["kind"], ", ".join(row["addresses"]), f"ciliumlab ssh {row['name']}")
        for row in rows
    ]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        click.echo("  ".join(map(str.ljust, line, widths)).rstrip())


@main.command(context_settings={"ignore_unknown_options": True})
@_topology_option
@click.argument("name", shell_complete=_machines)
@click.argument("command", nargs=-1, type=click.UNPROCESSED)
def ssh(path: Path, name: str, command: Sequence[str]) -> None:
    """Log in to a machine, or run a COMMAND there."""
    from ciliumlab.machines.identity import ssh_command

    lab = _lab(path)
    arguments = [*ssh_command(lab.state, lab.machine(name)), *command]
    os.execvp(arguments[0], arguments)


@main.command()
@_topology_option
@click.argument("name", shell_complete=_machines)
def console(path: Path, name: str) -> None:
    """Sit down at a machine's console (user and password vagrant; Ctrl-] leaves)."""
    from ciliumlab.machines import console as consoles

    lab = _lab(path)
    consoles.attach(lab.console(name))


@main.command()
@_topology_option
@click.argument("tag")
def snapshot(path: Path, tag: str) -> None:
    """Keep all machines as they are now under TAG."""
    lab = _lab(path)
    with Progress() as progress:
        lab.snapshot(tag, progress)


@main.command()
@_topology_option
@click.argument("tag")
def restore(path: Path, tag: str) -> None:
    """Put all machines back to what TAG kept."""
    lab = _lab(path)
    with Progress() as progress:
        lab.restore(tag, progress)
