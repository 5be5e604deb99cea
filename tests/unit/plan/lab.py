"""Plans of labs, and where facts of Cilium's that tests compare with are."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ciliumlab.plan import Plan, build
from ciliumlab.settings import Settings
from ciliumlab.topology import Topology, load

ROOT = Path(__file__).parents[3]
VALID = ROOT / "tests" / "unit" / "topologies" / "valid"
REFERENCE = ROOT / "inventory" / "lab.yaml"
SETTINGS = ROOT / "group_data" / "all.py"
FACTS = ROOT.parent / "shared" / "cilium-1.18.0"

SHAPES = sorted(VALID.glob("*.yaml"))


def topology(shape: str = "") -> Topology:
    """The reference lab, or the one of a valid file's name."""
    return load(VALID / f"{shape}.yaml" if shape else REFERENCE)


def settings(**changed: Any) -> Settings:
    """The defaults with some changed, as ``--data`` would."""
    return Settings.read(SETTINGS, [f"{name}={json.dumps(value)}" for name, value in changed.items()])


def plan(shape: str = "", **changed: Any) -> Plan:
    return build(topology(shape), settings(**changed))


def flat(values: dict[str, Any], above: str = "") -> dict[str, Any]:
    """Nested mappings by dotted path."""
    found: dict[str, Any] = {}
    for key, value in values.items():
        path = f"{above}{key}"
        found |= flat(value, f"{path}.") if isinstance(value, dict) and value else {path: value}
    return found


def facts(name: str) -> Path:
    """A file or folder of the chart's that stands beside the project; the test is skipped without it."""
    path = FACTS / name
    if not path.exists():
        pytest.skip(f"{path} is not there: what is compared with it is not")
    return path


def chart() -> Path:
    """The chart itself, cilium-1.18.0.tgz; the test is skipped without it."""
    found = os.environ.get("CILIUMLAB_TEST_CHART", "")
    if not found:
        pytest.skip(
            "CILIUMLAB_TEST_CHART names no cilium-1.18.0.tgz: nothing is rendered or compared with it"
        )
    return Path(found)
