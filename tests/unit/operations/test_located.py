"""Files that are no modules, as pyinfra runs them, are found by `inspect` without a search."""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from ciliumlab.operations import located


@pytest.fixture
def stage(tmp_path: Path) -> Iterator[Path]:
    """A file that asks where it is called: the frame, and the module that stands for the file."""
    path = tmp_path / "stage.py"
    path.write_text("locate()\nfound = inspect.getmodule(sys._getframe())\nlines = inspect.stack()\n")
    yield path
    located._seen.discard(str(path))
    for name in [
        name for name, module in sys.modules.items() if getattr(module, "__file__", "") == str(path)
    ]:
        del sys.modules[name]


def _executed(path: Path) -> dict[str, Any]:
    names: dict[str, Any] = {"locate": located.locate, "inspect": inspect, "sys": sys}
    exec(compile(path.read_text(), str(path), "exec"), names)
    return names


def test_a_file_that_is_run_stands_for_a_module(stage: Path) -> None:
    found = _executed(stage)["found"]
    assert isinstance(found, ModuleType)
    assert found.__file__ == str(stage)


def test_lines_are_told_as_before(stage: Path) -> None:
    """They are what pyinfra orders operations by."""
    first, *_ = _executed(stage)["lines"]
    assert (first.filename, first.lineno) == (str(stage), 3)
    assert first.code_context == ["lines = inspect.stack()\n"]


def test_one_module_a_file(stage: Path) -> None:
    assert _executed(stage)["found"] is _executed(stage)["found"]


def test_without_it_all_modules_are_gone_through(stage: Path) -> None:
    stage.write_text("found = inspect.getmodule(sys._getframe())\n")
    assert _executed(stage)["found"] is None
