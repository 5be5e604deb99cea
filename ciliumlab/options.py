"""Options that many commands have, and what a shell completes for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

import click

from ciliumlab import state
from ciliumlab.errors import LabError
from ciliumlab.settings import Settings
from ciliumlab.topology import load

_Command = Callable[..., None]


def topology(command: _Command) -> _Command:
    """``--topology FILE``, as the argument ``path``."""
    return click.option(
        "--topology",
        "path",
        type=click.Path(path_type=Path),
        envvar="CILIUMLAB_TOPOLOGY",
        default=state.DEFAULT_TOPOLOGY,
        show_default=True,
        help="The lab's file.",
    )(command)


def data(command: _Command) -> _Command:
    """``--data KEY=VALUE``, as the argument ``overrides``."""
    return click.option(
        "--data",
        "overrides",
        multiple=True,
        metavar="KEY=VALUE",
        help="Override a setting.",
        shell_complete=_settings,
    )(command)


def machines(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The machines' names, for a shell that completes one; none where the file is wrong."""
    try:
        known = load(context.params.get("path") or state.topology_path()).machines
    except LabError:
        return []
    return [machine.name for machine in known if machine.name.startswith(incomplete)]


def _settings(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The settings' names as ``key=``."""
    return [f"{one.name}=" for one in fields(Settings) if one.name.startswith(incomplete)]
