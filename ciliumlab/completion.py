"""``ciliumlab completion``: Click's own, for the shells that it knows."""

from __future__ import annotations

import click
from click.shell_completion import BashComplete, FishComplete, ShellComplete, ZshComplete

_SHELLS: dict[str, type[ShellComplete]] = {"bash": BashComplete, "zsh": ZshComplete, "fish": FishComplete}


@click.command()
@click.argument("shell", type=click.Choice([*_SHELLS]))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    """Print what makes SHELL complete commands, machines and settings.

    For bash: eval "$(ciliumlab completion bash)" in ~/.bashrc.
    """
    root = context.find_root().command
    click.echo(_SHELLS[shell](root, {}, "ciliumlab", "_CILIUMLAB_COMPLETE").source())
