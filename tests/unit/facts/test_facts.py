"""Facts as cases: what a real host printed, and what is to be read from it.

A file of ``cases/`` belongs to the fact that it is named after; each entry has ``arguments`` of the
fact, the ``output`` of its command (blank lines count), and the ``fact``, or ``unreadable: true``.
"""

from __future__ import annotations

import importlib
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyinfra.api.exceptions import FactProcessError

CASES = Path(__file__).parent / "cases"


def _cases() -> list[Any]:
    return [
        pytest.param(path.stem, case, id=f"{path.stem}: {title}")
        for path in sorted(CASES.glob("*.yaml"))
        for title, case in yaml.safe_load(path.read_text()).items()
    ]


@pytest.mark.parametrize(("name", "case"), _cases())
def test_fact(name: str, case: dict[str, Any]) -> None:
    module, _, kind = name.partition(".")
    fact = getattr(importlib.import_module(f"ciliumlab.facts.{module}"), kind)()
    command = fact.command(**case.get("arguments", {}))
    # What cannot be read by a POSIX shell would fail on every host.
    subprocess.run(["sh", "-n", "-c", command], check=True)
    output = case["output"].splitlines()
    if case.get("unreadable"):
        with pytest.raises(FactProcessError):
            fact.process(output)
    else:
        assert fact.process(output) == case["fact"]


def test_every_fact_has_cases() -> None:
    from ciliumlab.facts.shell import State

    for module in (Path(__file__).parents[3] / "ciliumlab" / "facts").glob("*.py"):
        if module.stem not in ("__init__", "shell"):
            importlib.import_module(f"ciliumlab.facts.{module.stem}")
    names = {f"{fact.__module__.rpartition('.')[2]}.{fact.__name__}" for fact in State.__subclasses__()}
    assert names == {path.stem for path in CASES.glob("*.yaml")}
