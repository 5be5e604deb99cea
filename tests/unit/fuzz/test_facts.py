"""What a host answers, whatever it is: a value of the kind that the fact promises, or FactProcessError."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any, get_args, get_type_hints
from unittest.mock import patch

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase

from ciliumlab.facts.together import Combined
from tests.unit.facts.known import FACTS
from tests.unit.fuzz import broken
from tests.unit.fuzz.common import fuzzed, quickly

CASES = Path(__file__).parents[1] / "facts" / "cases"

# Parts of facts in which there may be anything: what a user gave Helm, and what is in an object.
_ANYTHING = st.dictionaries(st.text(), st.none() | st.text() | st.lists(st.integers()), max_size=2)
_OPEN: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "helm.Release": {"values": _ANYTHING},
    "kubectl.Objects": {"objects": st.lists(_ANYTHING, max_size=2)},
}


@cache
def outputs(name: str) -> list[list[str]]:
    cases = yaml.safe_load((CASES / f"{name}.yaml").read_text())
    return [case["output"].splitlines() for case in cases.values()]


def asked(name: str) -> FactBase[Any]:
    """A fact whose command was made, as it always is before an answer comes."""
    fact = FACTS[name]()
    case = next(iter(yaml.safe_load((CASES / f"{name}.yaml").read_text()).values()))
    fact.command(**case.get("arguments", {}))
    return fact


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
def answers(draw: st.DrawFn, name: str) -> list[str]:
    """An answer of one of the cases, with its JSON of another shape or its lines broken, or both."""
    lines = draw(st.sampled_from(outputs(name)))
    found = documents(lines)
    if found and draw(st.booleans()):
        begin, end, document = draw(st.sampled_from(found))
        other = json.dumps(draw(broken.tree(document)), indent=4 if end - begin > 1 else None)
        lines = [*lines[:begin], *other.splitlines(), *lines[end:]]
        if draw(st.booleans()):
            return lines
    return draw(broken.lines(lines))


@pytest.mark.parametrize("name", FACTS)
def test_any_answer(name: str) -> None:
    fact = asked(name)

    @fuzzed(100)
    @given(answer=answers(name))
    def attempt(answer: list[str]) -> None:
        try:
            with quickly():
                value = fact.process(answer)
        except FactProcessError as error:
            assert str(error).isprintable() and len(str(error)) < 500
        else:
            assert value is not None

    attempt()


def made_of(kind: Any, known: dict[str, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """Values of a kind, some parts of which are known."""
    if not known:
        return st.from_type(kind)
    parts = {name: st.from_type(one) for name, one in get_type_hints(kind).items() if name not in known}
    return st.fixed_dictionaries(parts | known)


# What is combined is made of what was checked.
@pytest.mark.parametrize("name", [name for name in FACTS if not issubclass(FACTS[name], Combined)])
def test_any_value_of_the_kind_and_none_of_another(name: str) -> None:
    """Whatever ``parse`` makes is checked, down to the smallest part."""
    fact = FACTS[name]()
    (kind,) = get_args(type(fact).__orig_bases__[0])
    left_open = _OPEN.get(name, {})

    def taken(value: Any) -> bool:
        with patch.object(fact, "parse", return_value=value):
            try:
                return fact.process([]) is value
            except FactProcessError:
                return False

    @fuzzed(30)
    @given(value=made_of(kind, left_open))
    def attempt(value: Any) -> None:
        assert taken(value)
        assert not taken(object())
        for holder, key in broken.places(value, but=left_open):
            part, holder[key] = holder[key], object()
            assert not taken(value)
            holder[key] = part

    attempt()
