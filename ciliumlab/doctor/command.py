"""``ciliumlab doctor``."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from ciliumlab import options


@click.command()
@options.topology
@options.data
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
def doctor(path: Path, overrides: Sequence[str], as_json: bool) -> None:
    """Say what this controller and the machines lack, and how to mend it.

    Exit status 0 when nothing is against a lab, 1 otherwise.
    """
    from ciliumlab.doctor.examine import examine  # what other commands do not need, they do not wait for

    findings = examine(path, overrides)
    wrong = sum(finding.against for finding in findings)
    if as_json:
        click.echo(json.dumps([asdict(finding) for finding in findings], indent=1))
    else:
        for finding in findings:
            click.echo(finding)
        click.echo(f"{wrong or 'nothing'} against this lab, {len(findings) - wrong} to be known")
    sys.exit(1 if wrong else 0)
