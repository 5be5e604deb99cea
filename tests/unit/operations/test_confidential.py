"""What a fact reads that may be secret is printed at no verbosity, and what is not secret still is."""

from __future__ import annotations

from pathlib import Path

import pytest

from .test_deploy import pyinfra

DEPLOY = """
from pyinfra.context import host
from ciliumlab.facts.shell import State, sections
from ciliumlab.operations.api import operation, read

class Open(State):
    def command(self):
        return sections(word="echo open-$(echo word)")
    def parse(self, found):
        return found["word"]

class Closed(Open):
    confidential = True
    def command(self):
        return sections(word="echo closed-$(echo word)")

@operation
def both():
    assert read(Open) == ["open-word"]
    assert read(Closed) == ["closed-word"]
    assert read(Open) == ["open-word"]
    host.noop("read")
    yield from ()

both(name="Both are read")
"""


@pytest.mark.parametrize("verbosity", [["-vvv"], ["-vvv", "--debug", "--diff"], ["--dry", "-vvv"]])
def test_what_is_confidential_is_not_printed(tmp_path: Path, verbosity: list[str]) -> None:
    (tmp_path / "deploy.py").write_text(DEPLOY)
    words = [word for word in verbosity if word != "--dry"]
    go = "--dry" if "--dry" in verbosity else "-y"
    result = pyinfra(go, *words, "--data", "_sudo=false", "@local", str(tmp_path / "deploy.py"))
    printed = result.stdout + result.stderr
    assert result.returncode == 0, printed
    assert printed.count("open-word") >= 2
    assert "closed-word" not in printed
