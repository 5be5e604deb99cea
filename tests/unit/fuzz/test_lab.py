"""lab.yaml, whatever is in it: a topology of which a plan can be made, or problems; and soon."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from ciliumlab.errors import DeclarationError
from ciliumlab.plan import build, render
from ciliumlab.settings import Settings
from ciliumlab.topology import load
from tests.unit.fuzz import broken
from tests.unit.fuzz.common import assert_told, fuzzed, quickly

ROOT = Path(__file__).parents[3]
DEFAULTS = Settings.read(ROOT / "group_data" / "all.py")
TOPOLOGIES = Path(__file__).parents[1] / "topologies"
FILES = [ROOT / "inventory" / "lab.yaml", *sorted(TOPOLOGIES.glob("*/*.yaml"))]
TEXTS = [path.read_bytes().decode(errors="replace") for path in FILES]
VALID = [path.read_text() for path in FILES if path.parent.name in ("inventory", "valid")]
TREES = [yaml.safe_load(text) for text in VALID]

# YAML's own signs, which change what all that follows is.
_SIGNS = st.sampled_from(
    [*"{}[]:,-?&*!|>'\"%@`#\n\t <=~", "<<: *a", "&a [*a]", "!!int", "!x", "---\n", "...\n", "? "]
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any") / "lab.yaml"


def attempt(path: Path, content: str) -> None:
    path.write_bytes(content.encode("utf-8", "surrogatepass"))
    try:
        with quickly():
            plan = build(load(path), DEFAULTS)
    except DeclarationError as error:
        assert_told(error, str(path))
    else:
        json.dumps(plan, allow_nan=False, ensure_ascii=False).encode()
        render(plan).encode()


@fuzzed(200)
@given(content=st.lists(broken.WORDS | _SIGNS, max_size=12).map("".join))
def test_any_text(path: Path, content: str) -> None:
    attempt(path, content)


@fuzzed(300)
@given(lines=st.sampled_from([*TEXTS, *VALID * 3]).map(str.splitlines).flatmap(broken.lines))
def test_any_line_broken(path: Path, lines: list[str]) -> None:
    attempt(path, "\n".join(lines))


@fuzzed(300)
@given(data=st.data())
def test_any_sign_put_in(path: Path, data: st.DataObject) -> None:
    text = data.draw(st.sampled_from([*TEXTS, *VALID * 3]))
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(0, len(text)))
        text = text[:at] + data.draw(_SIGNS) + text[at + data.draw(st.integers(0, 2)) :]
    attempt(path, text)


@fuzzed(300)
@given(data=st.data(), text=st.sampled_from(VALID))
def test_any_number(path: Path, data: st.DataObject, text: str) -> None:
    """What still has the right shape; of these, many are labs."""
    places = list(re.finditer(r"\b[0-9]+\b", text))
    for place in sorted(
        data.draw(st.sets(st.sampled_from(places), min_size=1, max_size=2)), key=places.index
    )[::-1]:
        number = data.draw(st.integers(0, 256) | st.integers(20, 32) | st.integers())
        text = f"{text[: place.start()]}{number}{text[place.end() :]}"
    attempt(path, text)


@fuzzed(300)
@given(tree=st.sampled_from(TREES).flatmap(broken.tree))
def test_any_value_anywhere(path: Path, tree: Any) -> None:
    # JSON is YAML too, and can say what YAML's own dumper refuses to write.
    attempt(path, json.dumps(tree))


def mapping(entry: str, count: int) -> str:
    """``{n0: …, n1: …}``, the number filled in wherever the entry has a #."""
    return "{" + ", ".join(entry.replace("#", str(number)) for number in range(count)) + "}\n"


@pytest.mark.parametrize(
    "content",
    [
        pytest.param("nodes: " + mapping("n#: {segment: x#}", 3000), id="nodes"),
        pytest.param(mapping("kubernets#: x", 5000), id="keys"),
        pytest.param(f"name: {'a' * 1_000_000}\n", id="a long value"),
        pytest.param(f"{'a' * 1000}: x\n" * 1000, id="a key again and again"),
        pytest.param(
            "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{f'*a{n - 1}, ' * 9}]\n" for n in range(1, 15)),
            id="aliases of aliases",
        ),
        pytest.param("segments: &a {b: *a}\nrouter: &b {<<: *b}\n", id="aliases of themselves"),
        pytest.param(
            "segments: "
            + mapping("s#: {cidr: 10.1#.0.0/24}", 90)
            + "nodes: "
            + mapping("n#: {segment: t#}", 900),
            id="a segment misspelt on every node",
        ),
        pytest.param("segments: " + mapping("s#: {cidr: 10.0.0.0/8}", 300), id="overlaps"),
    ],
)
def test_much_of_the_same(path: Path, content: str) -> None:
    attempt(path, content)
