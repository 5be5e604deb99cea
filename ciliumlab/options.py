"""Options that many commands have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import click

from ciliumlab import state

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
        "--data", "overrides", multiple=True, metavar="KEY=VALUE", help="Override a setting."
    )(command)
