"""A run of tests/states by pytest's JUnit XML: every check, with what it saw."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast
from xml.etree.ElementTree import ParseError

from junitparser import JUnitXmlError, Property, Skipped
from junitparser.xunit2 import JUnitXml, TestCase, TestSuite

from ciliumlab.errors import DeclarationError, Problem
from ciliumlab.report.found import DATA, EVIDENCE, FOUND, Found, nothing

Result = Literal["failed", "skipped", "passed"]

_CASE = re.compile(r"(?P<test>[^\[]+)(?:\[(?P<host>[^:\]]+)(?::(?P<what>.*))?\])?", re.DOTALL)


@dataclass(frozen=True)
class Check:
    """``stage`` is the file that it is in, ``host`` the machine that it looked at, ``what`` the thing there.

    ``evidence``: a line for each thing that it compared, with what was expected and found; ``message``: why
    it failed or was skipped.
    """

    stage: str
    name: str
    host: str
    what: str
    result: Result
    seconds: float
    message: str
    evidence: tuple[str, ...]


@dataclass(frozen=True)
class Checks:
    """``data`` are the settings that the run was given, ``began`` when, in ISO 8601."""

    checks: tuple[Check, ...]
    found: Found
    data: tuple[str, ...]
    began: str

    def count(self, result: Result) -> int:
        return sum(check.result == result for check in self.checks)


def read(file: Path) -> Checks:
    """Raises DeclarationError where the file cannot be read, or is no result of tests/states."""
    try:
        parsed = JUnitXml.fromfile(str(file))
        # Its parts are said to be of JUnit's other family, by annotations that were inherited.
        suites = [cast(TestSuite, suite) for suite in ([parsed] if isinstance(parsed, TestSuite) else parsed)]
        properties = {one.name: one.value for suite in suites for one in _properties(suite)}
        found, data = json.loads(properties.get(FOUND, "null")), json.loads(properties.get(DATA, "[]"))
        began = str(suites[0].timestamp or "") if suites else ""
        checks = tuple(_check(cast(TestCase, case)) for suite in suites for case in suite)
    except OSError as error:
        raise DeclarationError(Problem(str(file), f"cannot be read: {error.strerror}")) from None
    except (JUnitXmlError, ParseError, ValueError):
        what = "is no JUnit XML of pytest's; make it anew: pytest tests/states --junit-xml FILE"
        raise DeclarationError(Problem(str(file), what)) from None
    return Checks(checks, {**nothing(), **(found or {})}, tuple(data), began)


def _check(case: TestCase) -> Check:
    match = _CASE.fullmatch(case.name or "")
    assert match, case.name
    results = case.result
    skipped = any(isinstance(one, Skipped) for one in results)
    result: Result = "passed" if not results else "skipped" if skipped else "failed"
    return Check(
        stage=(case.classname or "").rpartition(".")[2].removeprefix("test_"),
        name=match["test"].removeprefix("test_").replace("_", " "),
        host=match["host"] or "",
        what=match["what"] or "",
        result=result,
        seconds=float(case.time or 0),
        message="\n".join(_messages(results)),
        evidence=tuple(str(one.value) for one in _properties(case) if one.name == EVIDENCE),
    )


def _properties(of: TestSuite | TestCase) -> list[Property]:
    return list(of.properties())  # type: ignore[no-untyped-call]


def _messages(results: Iterable[object]) -> Iterable[str]:
    """What pytest says of a failure at length, and of what was skipped the reason alone."""
    for one in results:
        text, short = str(getattr(one, "text", "") or ""), str(getattr(one, "message", "") or "")
        yield short if isinstance(one, Skipped) else text or short
