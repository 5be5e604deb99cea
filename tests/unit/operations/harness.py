"""Runs an operation on a host that is nothing but its facts."""

from __future__ import annotations

import importlib
import shlex
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from pyinfra.api.command import PyinfraCommand
from pyinfra.context import ctx_host, ctx_state

from ciliumlab.operations import netplan_guard
from ciliumlab.operations.steps import Refusal, Write, sha256

ROOT = Path(__file__).parents[3]


@dataclass
class Host:
    """Stands in for pyinfra's: ``facts`` by class name, None for one that cannot be read."""

    facts: dict[str, Any]
    noops: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def get_fact(self, fact: type, **arguments: Any) -> Any:
        self.asked.append(fact.__name__)
        return self.facts[fact.__name__]

    def noop(self, description: str) -> None:
        self.noops.append(description)

    def log(self, message: str, **style: Any) -> None:
        self.lines.append(message)

    log_styled = log


def with_checksums(facts: Any) -> Any:
    """Facts in which a file's ``of``, its text, has become its ``sha256``."""
    if isinstance(facts, dict):
        return {
            "sha256" if key == "of" else key: sha256(value) if key == "of" else with_checksums(value)
            for key, value in facts.items()
        }
    return facts


@contextmanager
def context(host: Host, diff: bool = False) -> Iterator[None]:
    """pyinfra's context with this host in it."""
    state = SimpleNamespace(config=SimpleNamespace(DIFF=diff), cwd=str(ROOT))
    with ctx_state.use(state), ctx_host.use(host):
        yield


def run(name: str, host: Host, arguments: dict[str, Any], diff: bool = False) -> list[PyinfraCommand]:
    """The commands of the operation ``module.function``."""
    module, _, function = name.partition(".")
    operation = getattr(importlib.import_module(f"ciliumlab.operations.{module}"), function)
    with context(host, diff):
        return list(operation._inner(**arguments))


def shown(command: PyinfraCommand) -> object:
    """A command as cases write it: text, or a mapping for a file that is written or for a refusal."""
    if isinstance(command, Write) and command.path == netplan_guard.PATH:
        subprocess.run(["sh", "-n"], input=command.text, text=True, check=True)
        head = command.text.partition("set -u\n")[2].partition("\nguard=")[0]
        given = dict(word.split("=", 1) for word in shlex.split(head))
        return {"change": {key: value for key, value in given.items() if key != "folder"}}
    if isinstance(command, Write):
        defaults = {"mode": "644", "owner": "root:root", "first": ""}
        given = {key: getattr(command, key) for key in defaults}
        return {
            "write": command.path,
            "text": command.text,
            **{key: value for key, value in given.items() if value != defaults[key]},
        }
    if isinstance(command, Refusal):
        return {"refused": command.reason}
    return str(command) if hasattr(command, "get_masked_value") else repr(command)
