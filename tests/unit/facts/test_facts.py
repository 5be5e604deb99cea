"""Facts as cases: what a real host printed, and what is to be read from it.

A file of ``cases/`` belongs to the fact that it is named after; each entry has ``arguments`` of the
fact, the ``output`` of its command (blank lines count), and the ``fact``, or ``unreadable: true``.
"""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from pyinfra.api.exceptions import FactProcessError

from tests.unit.facts.known import FACTS

CASES = Path(__file__).parent / "cases"


def _cases() -> list[Any]:
    return [
        pytest.param(path.stem, case, id=f"{path.stem}: {title}")
        for path in sorted(CASES.glob("*.yaml"))
        for title, case in yaml.safe_load(path.read_text()).items()
    ]


@pytest.mark.parametrize(("name", "case"), _cases())
def test_fact(name: str, case: dict[str, Any]) -> None:
    fact = FACTS[name]()
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
    assert set(FACTS) == {path.stem for path in CASES.glob("*.yaml")}
