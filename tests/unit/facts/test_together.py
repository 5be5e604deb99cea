"""Several facts by one command, run by a real shell; whatever comes back, none is taken for another."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from pyinfra.api.facts import FactBase

from ciliumlab.facts.files import Files, Texts
from ciliumlab.facts.together import Asked, Together


class Failing(FactBase[str]):
    command = "echo something; exit 3"


class Unended(FactBase[str]):
    command = "printf 'no newline'"


class Silent(FactBase[str]):
    command = "true"


def printed(fact: Together, *asked: Asked) -> list[str]:
    result = subprocess.run(["sh", "-c", fact.command(asked)], capture_output=True, text=True, check=True)
    return result.stdout.splitlines()


def test_each_has_its_own_answer(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_text("text")
    texts, files = Asked(Texts, {"paths": [str(path)]}), Asked(Files, {"paths": [str(path)]})
    fact = Together()
    unended = Asked(Unended, {})
    lines = printed(fact, texts, Asked(Failing, {}), unended, Asked(Silent, {}), files)
    of_texts, of_failing, of_unended, of_silent, of_files = fact.process(lines)
    assert of_texts[str(path)]["text"] == "text"
    assert of_files[str(path)]["mode"] == f"{path.stat().st_mode & 0o7777:o}"
    assert of_unended == "no newline"
    # pyinfra reads them alone, and says what there is to be said.
    assert of_failing is None
    assert of_silent is None


def test_what_is_asked_for_twice_is_read_once(tmp_path: Path) -> None:
    fact, unended = Together(), Asked(Unended, {})
    lines = printed(fact, unended, Asked(Texts, {"paths": [str(tmp_path)]}), Asked(Unended, {}))
    assert lines.count("==ciliumlab== begins") == 2
    assert fact.process(lines) == ["no newline", {}, "no newline"]


def test_an_answer_that_was_cut_off_is_none(tmp_path: Path) -> None:
    fact = Together()
    lines = printed(fact, Asked(Unended, {}), Asked(Texts, {"paths": [str(tmp_path)]}))
    assert fact.process(lines) == ["no newline", {}]
    assert fact.process(lines[:-1]) == [None, None]


@given(st.lists(st.sampled_from(["==ciliumlab== begins", "==ciliumlab== ends with 0", "x", ""])))
def test_whatever_comes_back(lines: list[str]) -> None:
    fact = Together()
    fact.command([Asked(Unended, {}), Asked(Failing, {})])
    assert len(fact.process(lines)) == 2
