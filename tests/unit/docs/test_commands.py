"""Each command of the pages is one that there is: run where it needs no machine, else only parsed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner

from ciliumlab import plan
from ciliumlab.cli import main
from ciliumlab.settings import Settings
from ciliumlab.topology import load
from tests.documents import PAGES, ROOT, Block, blocks

from .commands import called, data_of

_BLOCKS = [block for page in PAGES for block in blocks(page) if block.language == "sh"]
_STAGES = re.findall(r'"(tasks/.+[.]py)"', (ROOT / "deploy.py").read_text())
_FRESH = "tests/unit/operations/fresh.py"

# Of a page that is read from the top, blocks use what those before them have set.
_TOGETHER = {"walk.md"}

# What needs neither a machine nor a network, and is done in a moment.
_RUN = ("plan", "diagram", "vagrantfile", "completion")


def script(block: Block) -> str:
    before = [one for one in _BLOCKS if one.page == block.page and one.line < block.line]
    return "\n".join(one.text for one in [*(before if block.page.name in _TOGETHER else []), block])


@pytest.mark.parametrize("block", _BLOCKS, ids=str)
def test_commands(block: Block, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    calls, complaints = called(script(block), tmp_path / "reader")
    assert complaints == ""
    assert calls, "a block without a command is no sh block"
    for name, *words in calls:
        _JUDGES[name](words)


def ciliumlab(words: Sequence[str]) -> None:
    """Down to the command, whose options and arguments must be ones that it takes."""
    command: click.Command = main
    context = click.Context(main)
    rest = [*words]
    while isinstance(command, click.Group):
        found = command.get_command(context, rest[0])
        assert found, f"there is no ciliumlab {' '.join(words)}"
        command, context, rest = found, click.Context(found, parent=context), rest[1:]
    try:
        command.make_context(command.name, rest, **command.context_settings)
    except click.BadParameter as wrong:
        # Folders that are to be there are the reader's own.
        assert "does not exist" in wrong.message, wrong.message
    _accepted(data_of(words))
    if words[0] in _RUN:
        result = CliRunner().invoke(main, [*words])
        assert result.exit_code == 0, result.output


def of_pyinfra(words: Sequence[str]) -> None:
    parameters = parsed(tuple(words))
    assert parameters["inventory"] == "inventory/lab.py"
    _accepted(parameters["data"])
    for file in parameters["operations"]:
        there = (ROOT / file).exists() or file in ("debug-inventory", *_written())
        assert there, f"there is no {file}"
    if {*parameters["operations"]} <= {"deploy.py", *_STAGES}:
        dry(tuple(parameters["operations"]), tuple(parameters["data"]))


@cache
def parsed(words: tuple[str, ...]) -> dict[str, Any]:
    """What pyinfra makes of its command line, in a process of its own: it patches the one that it is in."""
    script = (
        "import json, sys; from pyinfra_cli.cli import cli;"
        " print(json.dumps(cli.make_context('pyinfra', sys.argv[1:]).params))"
    )
    done = subprocess.run([sys.executable, "-c", script, *words], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    parameters: dict[str, Any] = json.loads(done.stdout)
    return parameters


@cache
def dry(files: tuple[str, ...], data: tuple[str, ...]) -> None:
    """On hosts that were just made, which answer by pyinfra's @fake connector."""
    settings = [f"--data={each}" for each in data]
    done = subprocess.run(
        [sys.executable, "-m", "pyinfra", "--dry", *settings, _FRESH, *files],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def of_pytest(words: Sequence[str]) -> None:
    assert (ROOT / words[0]).exists()
    _accepted(data_of(words))


def of_make(words: Sequence[str]) -> None:
    targets = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    assert {*words} <= {*targets}


def _accepted(data: Sequence[str]) -> None:
    """By the settings, by the chart and by the lab."""
    settings = Settings.read(ROOT / "group_data" / "all.py", data)
    plan.build(load(ROOT / "inventory" / "lab.yaml"), settings)


def _written() -> set[str]:
    """Files that a page tells the reader to write."""
    return {
        name for page in PAGES for name in re.findall(r"`(tasks/\w+\.py)`:$", page.read_text(), re.MULTILINE)
    }


_JUDGES = {
    "ciliumlab": ciliumlab,
    "pyinfra": of_pyinfra,
    "pytest": of_pytest,
    "make": of_make,
    # Programs of others, whose words are theirs.
    "vagrant": lambda words: None,
    "sleep": lambda words: None,
}


@pytest.mark.parametrize(
    ("judge", "words"),
    [
        (ciliumlab, ["upp"]),
        (ciliumlab, ["up", "--kindd", "guest"]),
        (ciliumlab, ["mirror", "fill", "x"]),
        (ciliumlab, ["plan", "--data", "datapath=foo"]),
        (of_pyinfra, ["inventory/lab.py", "tasks/nothing.py"]),
        (of_pyinfra, ["-y", "inventory/lab.py", "deploy.py", "--data", "dattapath=vxlan"]),
        (of_pyinfra, ["--dri", "inventory/lab.py", "deploy.py"]),
        (of_pytest, ["tests/state"]),
        (of_make, ["labb"]),
    ],
)
def test_what_there_is_not_is_found(judge: object, words: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert callable(judge)
    with pytest.raises((AssertionError, click.UsageError, plan.DeclarationError)):
        judge(words)


def test_an_unknown_program_is_found(tmp_path: Path) -> None:
    calls, complaints = called("ciliumlab up; frobnicate", tmp_path / "reader")
    assert calls == [["ciliumlab", "up"]]
    assert "frobnicate" in complaints
