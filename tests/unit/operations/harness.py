"""Runs an operation on a host that is nothing but its facts."""

from __future__ import annotations

import importlib
import json
import re
import shlex
import subprocess
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from unittest.mock import patch

import yaml
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import ConnectError
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host, ctx_state

from ciliumlab.operations import helm, lock, netplan_guard
from ciliumlab.operations.kubeadm import invitation
from ciliumlab.operations.steps import On, Refusal, Write, sha256

ROOT = Path(__file__).parents[3]


@dataclass(eq=False)
class Host:
    """Stands in for pyinfra's: ``facts`` by class name, None for one that cannot be read.

    "Release(cilium)" is the fact of one release of Helm's, where an operation asks for several.
    """

    facts: dict[str, Any]
    name: str = "k8s-w1"
    data: dict[str, Any] = field(default_factory=dict)
    noops: list[str] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    connector: object = None

    def get_fact(self, fact: type, **arguments: Any) -> Any:
        assert self.facts is not None
        self.asked.append(fact.__name__)
        of_release = f"{fact.__name__}({arguments.get('release')})"
        return self.facts[of_release if of_release in self.facts else fact.__name__]

    def connect(self, **how: Any) -> None:
        if self.facts is None:
            raise ConnectError("timed out")

    def noop(self, description: str) -> None:
        self.noops.append(description)

    def log(self, message: str, **style: Any) -> None:
        self.lines.append(message)

    log_styled = log


def with_checksums(facts: Any) -> Any:
    """Facts in which a file's ``of``, its text, has become its ``sha256``, of one that is as old as time."""
    if isinstance(facts, dict):
        old = {"changed": 0} if "of" in facts else {}
        return old | {
            "sha256" if key == "of" else key: sha256(value) if key == "of" else with_checksums(value)
            for key, value in facts.items()
        }
    return facts


class Inventory(dict[str, Host]):
    """Stands in for pyinfra's: hosts by name."""

    def get_host(self, name: str) -> Host:
        return self[name]


@contextmanager
def context(
    host: Host,
    diff: bool = False,
    elsewhere: Iterable[Host] = (),
    failed: Iterable[str] = (),
    preparing: bool = False,
) -> Iterator[None]:
    """pyinfra's context with this host in it, others of the inventory, and those that have failed."""
    state = SimpleNamespace(
        config=SimpleNamespace(DIFF=diff),
        cwd=str(ROOT),
        current_stage=StateStage.Prepare if preparing else StateStage.Execute,
        inventory=Inventory({one.name: one for one in (host, *elsewhere)}),
        failed_hosts=[SimpleNamespace(name=name) for name in failed],
    )
    # What is nothing but its facts cannot be locked: test_lock.py has hosts that can.
    with ctx_state.use(state), ctx_host.use(host), patch.object(lock, "hold"):
        yield


def run(name: str, host: Host, arguments: dict[str, Any], **surroundings: Any) -> list[PyinfraCommand]:
    """The commands of the operation ``module.function``; ``surroundings`` are those of ``context``."""
    module, _, function = name.partition(".")
    operation = getattr(importlib.import_module(f"ciliumlab.operations.{module}"), function)
    with context(host, **surroundings):
        return list(operation._inner(**arguments))


def shown(command: PyinfraCommand) -> object:
    """A command as cases write it: text, or a mapping for a file that is written, for a refusal, for what
    Helm does, and for a command on another host or with documents on its standard input.
    """
    if isinstance(command, Write) and command.path.startswith(netplan_guard.FOLDER):
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
    if isinstance(command, helm.Step):
        subprocess.run(["sh", "-n", "-c", str(command)], check=True)
        text = command.connector_arguments.get("_stdin")
        return {"helm": command.helm, **({"values": json.loads(text)} if isinstance(text, str) else {})}
    if not hasattr(command, "get_masked_value"):
        return repr(command)
    # What is another one with each run: times, and below secrets, which only documents may hold.
    line = re.sub(r"\d{8}T\d{6}Z", "TIME", str(command))
    given = command.connector_arguments.get("_stdin")
    extras = {
        **({"host": command.other} if isinstance(command, On) else {}),
        **({"documents": _documents(given)} if isinstance(given, str) else {}),
    }
    return {"command": line, **extras} if extras else line


def _documents(text: str) -> list[Any]:
    """YAML documents in which a word stands for each secret of this run."""
    known = invitation()
    for secret, word in ((known.token, "TOKEN"), (known.certificate_key, "KEY")):
        text = text.replace(secret, word)
    return list(yaml.safe_load_all(text))
