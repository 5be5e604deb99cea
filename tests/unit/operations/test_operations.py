"""Operations as cases: what a host is like, and the commands or the reason for none that follow.

A file of ``cases/`` belongs to the operation that it is named after; each entry has the ``arguments``,
the ``facts`` by name (null for one that cannot be read; ``of`` gives a file's text where the fact has
its checksum), and the ``commands`` or the ``noop``. ``elsewhere`` has facts of other hosts by their name
(null for a host that cannot be reached), ``data`` what the inventory says of it, ``failed`` the hosts that
have failed in the run, ``preparing`` is true when changes are only looked for, and ``said`` is what is said
besides.
"""

from __future__ import annotations

import importlib
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from .harness import ROOT, Host, run, shown, with_checksums

CASES = Path(__file__).parent / "cases"

# What is done each time that it is asked for, since it makes another thing each time.
DEEDS = {"connectivity.tested", "etcd.saved", "etcd.restored"}


def _cases() -> list[Any]:
    return [
        pytest.param(path.stem, case, id=f"{path.stem}: {title}")
        for path in sorted(CASES.glob("*.yaml"))
        for title, case in yaml.safe_load(path.read_text()).items()
    ]


@pytest.mark.parametrize(("name", "case"), _cases())
def test_operation(name: str, case: dict[str, Any]) -> None:
    arguments = dict(case.get("arguments", {}))
    if isinstance(arguments.get("lacking"), dict):
        arguments["lacking"] = lambda distribution, table=arguments["lacking"]: table[distribution]
    host = Host(with_checksums(case.get("facts", {})), data=case.get("data", {}))
    others = [Host(with_checksums(facts), there) for there, facts in case.get("elsewhere", {}).items()]
    surroundings = {"elsewhere": others, **{key: case[key] for key in ("failed", "preparing") if key in case}}
    commands = [shown(command) for command in run(name, host, arguments, **surroundings)]
    assert commands == case.get("commands", [])
    assert host.noops == ([case["noop"]] if "noop" in case else [])
    if "said" in case:
        assert host.lines == case["said"]
    for command in commands:
        line = command.get("command") if isinstance(command, dict) else command
        if isinstance(line, str) and not line.startswith(("Guarded", "Until")):
            subprocess.run(["sh", "-n", "-c", line], check=True)


def test_every_operation_has_cases_of_change_no_change_and_an_unreadable_fact() -> None:
    operations = {
        f"{path.stem}.{name}"
        for path in (ROOT / "ciliumlab" / "operations").glob("*.py")
        for name, value in vars(importlib.import_module(f"ciliumlab.operations.{path.stem}")).items()
        if hasattr(value, "_inner") and value.__module__.endswith(f".{path.stem}")
    }
    assert operations == {path.stem for path in CASES.glob("*.yaml")}
    for path in CASES.glob("*.yaml"):
        cases = yaml.safe_load(path.read_text()).values()
        assert any("noop" in case for case in cases) or path.stem in DEEDS, path.stem
        assert any(any("refused" in str(c) for c in case.get("commands", [])) for case in cases), path.stem
