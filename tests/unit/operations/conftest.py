"""A run of its own for each test: what a preflight has found on hosts, by the names in a case's ``unfit``."""

from __future__ import annotations

import pytest

from ciliumlab.errors import Problem
from ciliumlab.operations import preflight


@pytest.fixture(autouse=True)
def reports(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    callspec = getattr(request.node, "callspec", None)
    case = callspec.params.get("case") if callspec else None
    unfit = case.get("unfit", []) if isinstance(case, dict) else []
    found = {name: preflight._Report(stopping=[Problem("memory", "too little")]) for name in unfit}
    monkeypatch.setattr(preflight, "_reports", found)
