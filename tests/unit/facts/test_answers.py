"""Answers that no program gives when it is well: each was found by tests/unit/fuzz."""

from __future__ import annotations

import pytest
from pyinfra.api.exceptions import FactProcessError

from ciliumlab.facts.containerd import Containerd
from ciliumlab.facts.helm import Release, Repositories
from ciliumlab.facts.shell import State
from ciliumlab.facts.swap import Swap


def trouble(fact: type[State[object]], *answer: str) -> str:
    with pytest.raises(FactProcessError) as caught:
        fact().process(list(answer))
    return str(caught.value).removeprefix("cannot understand what the host answered: ")


def test_json_that_is_nested_too_deeply() -> None:
    assert trouble(Repositories, "==ciliumlab== repositories", "[" * 100_000).startswith("RecursionError(")


def test_toml_that_is_nested_too_deeply() -> None:
    answer = [f"==ciliumlab== {name}" for name in ("version", "arguments", "started", "changed", "serving")]
    answer += ["==ciliumlab== containers", "==ciliumlab== dump", f"a = {'[' * 5000}"]
    assert trouble(Containerd, *answer).startswith("RecursionError(")


def test_much_that_is_unexpected_is_told_in_short() -> None:
    told = trouble(Swap, "x" * 100_000)
    assert told.startswith("ValueError(\"unexpected line 'xxx") and len(told) == 203


def test_what_is_confidential_is_told_by_its_kind_alone() -> None:
    assert trouble(Release, "password: secret") == "ValueError"
