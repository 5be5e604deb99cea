"""Answers that no program gives when it is well: each was found by tests/unit/fuzz."""

from __future__ import annotations

import json

import pytest
from pyinfra.api.exceptions import FactProcessError

from ciliumlab.facts.cilium import Agent
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
    answer = [f"==ciliumlab== {name}" for name in ("files", "command", "serving", "containers")]
    answer += ["==ciliumlab== said", "containerd containerd.io 1.7.27", f"a = {'[' * 5000}"]
    assert trouble(Containerd, *answer).startswith("RecursionError(")


def test_much_that_is_unexpected_is_told_in_short() -> None:
    told = trouble(Swap, "x" * 100_000)
    assert told.startswith("ValueError(\"unexpected line 'xxx") and len(told) == 203


def test_what_is_confidential_is_told_by_its_kind_alone() -> None:
    assert trouble(Release, "password: secret") == "ValueError"


def test_a_number_for_an_address() -> None:
    routes = json.dumps([{"dst": "172.20.1.0/24", "gateway": 7}])
    answer = ["==ciliumlab== health", "==ciliumlab== config", "==ciliumlab== routes", routes]
    assert trouble(Agent, *answer) == "TypeError('an item of it.routes.via is of the type int')"


def test_values_of_a_release_that_are_a_list() -> None:
    history = json.dumps([{"revision": 1, "status": "deployed", "chart": "a-1.0.0", "description": ""}])
    answer = {"release": "kube-system/a", "helm": "v3.10.1", "busy": "", "history": history}
    answer |= {"values": '["secret"]', "workloads": "these are all"}
    lines = [line for name, text in answer.items() for line in (f"==ciliumlab== {name}", text) if line]
    assert trouble(Release, *lines) == "TypeError"
