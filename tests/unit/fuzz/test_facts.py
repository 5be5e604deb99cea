"""What a host answers, whatever it is: a value of the kind that the fact promises, or FactProcessError."""

from __future__ import annotations

import importlib
import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pyinfra.api.exceptions import FactProcessError

from tests.unit.fuzz import broken
from tests.unit.fuzz.common import fuzzed, quickly

CASES = sorted((Path(__file__).parents[1] / "facts" / "cases").glob("*.yaml"))


def outputs(path: Path) -> list[list[str]]:
    return [case["output"].splitlines() for case in yaml.safe_load(path.read_text()).values()]


def documents(lines: list[str]) -> list[tuple[int, int, Any]]:
    """The JSON documents among the lines: the first line of each, the one behind it, and what it says."""
    found, begin = [], 0
    while begin < len(lines):
        for end in range(len(lines), begin, -1) if lines[begin][:1] in ("{", "[") else ():
            try:
                document = json.loads("\n".join(lines[begin:end]))
            except ValueError:
                continue
            found.append((begin, end, document))
            begin = end - 1
            break
        begin += 1
    return found


@st.composite
def answers(draw: st.DrawFn, path: Path) -> list[str]:
    """An answer of one of the cases, with its JSON of another shape or its lines broken, or both."""
    lines = draw(st.sampled_from(outputs(path)))
    found = documents(lines)
    if found and draw(st.booleans()):
        begin, end, document = draw(st.sampled_from(found))
        other = json.dumps(draw(broken.tree(document)), indent=4 if end - begin > 1 else None)
        lines = [*lines[:begin], *other.splitlines(), *lines[end:]]
        if draw(st.booleans()):
            return lines
    return draw(broken.lines(lines))


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_any_answer(path: Path) -> None:
    module, _, kind = path.stem.partition(".")
    fact = getattr(importlib.import_module(f"ciliumlab.facts.{module}"), kind)()

    @fuzzed(100)
    @given(answer=answers(path))
    def attempt(answer: list[str]) -> None:
        try:
            with quickly():
                value = fact.process(answer)
        except FactProcessError as error:
            assert str(error).isprintable() and len(str(error)) < 500
        else:
            assert value is not None

    attempt()
