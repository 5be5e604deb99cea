"""What connectivity tests take for the world outside."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from ciliumlab.plan.connectivity import outside
from ciliumlab.topology import load

ROOT = Path(__file__).parents[3]
VALID = ROOT / "tests/unit/topologies/valid"


@pytest.mark.parametrize(
    ("path", "mirror", "found"),
    [
        (ROOT / "inventory/lab.yaml", "", None),
        (
            ROOT / "inventory/lab.yaml",
            "http://10.0.2.2:8080",
            {"address": "10.10.1.200", "other": "10.10.2.200", "network": "10.10.0.0/16"},
        ),
        (VALID / "no-dummies.yaml", "http://10.0.2.2:8080", None),
        (VALID / "dummies-without-summary.yaml", "http://10.0.2.2:8080", None),
    ],
)
def test_the_routers_dummies_stand_for_it_where_there_is_no_internet(
    path: Path, mirror: str, found: dict[str, str] | None
) -> None:
    assert outside(load(path), SimpleNamespace(mirror=mirror)) == found
