"""--data, whatever it says: settings of which a plan and sources can be made, or problems."""

from __future__ import annotations

import json
from dataclasses import asdict, fields
from functools import reduce
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ciliumlab import sources
from ciliumlab.errors import DeclarationError
from ciliumlab.plan import build, doubts, render
from ciliumlab.plan.cilium.chart import _known, minors
from ciliumlab.plan.cilium.computed import merged
from ciliumlab.settings import Settings
from ciliumlab.topology import load
from tests.unit.fuzz import broken
from tests.unit.fuzz.common import assert_told, fuzzed, quickly

ALL = Path(__file__).parents[3] / "group_data" / "all.py"
LABS = [load(path) for path in sorted((Path(__file__).parents[1] / "topologies" / "valid").glob("*.yaml"))]
DEFAULTS = asdict(Settings.read(ALL))
NAMES = [field.name for field in fields(Settings)]

_LAB = st.sampled_from(LABS)


def attempt(lab: Any, overrides: list[str]) -> None:
    try:
        with quickly():
            settings = Settings.read(ALL, overrides)
            # As inventory/lab.py takes them.
            taken = [
                sources.repositories(settings),
                sources.archives(settings),
                sources.charts(settings),
                sources.manifests(settings),
                sources.images(settings),
            ]
            plan = build(lab, settings)
            doubtful = doubts(lab, settings)
    except DeclarationError as error:
        assert_told(error)
    else:
        json.dumps([plan, taken], allow_nan=False, ensure_ascii=False).encode()
        render(plan).encode()
        assert all(str(doubt).isprintable() for doubt in doubtful)


def overridden(values: dict[str, Any]) -> list[str]:
    return [
        f"{name}={value if isinstance(value, str) else json.dumps(value)}" for name, value in values.items()
    ]


@fuzzed(300)
@given(lab=_LAB, values=st.dictionaries(st.sampled_from(NAMES), broken.JSON, min_size=1, max_size=3))
def test_any_value_of_any_setting(lab: Any, values: dict[str, Any]) -> None:
    attempt(lab, overridden(values))


@fuzzed(400)
@given(
    lab=_LAB,
    value=st.sampled_from(NAMES).flatmap(lambda name: st.tuples(st.just(name), broken.tree(DEFAULTS[name]))),
    mirror=st.sampled_from(["", "http://10.0.2.2:8000"]),
)
def test_any_default_broken(lab: Any, value: tuple[str, Any], mirror: str) -> None:
    attempt(lab, overridden({"mirror": mirror} | dict([value])))


@fuzzed(100)
@given(lab=_LAB, name=st.sampled_from(NAMES) | broken.WORDS, equals=st.sampled_from("= "), text=broken.WORDS)
def test_any_text(lab: Any, name: str, equals: str, text: str) -> None:
    attempt(lab, [f"{name}{equals}{text}"])


_FITTING = {
    "array": st.lists(broken.JSON, max_size=3),
    "boolean": st.booleans(),
    "integer": st.integers(-1, 40) | st.sampled_from([10**400, 2**63]),
    "number": st.floats(),
    "null": st.none(),
    "object": st.dictionaries(broken.WORDS, broken.JSON, max_size=2),
    "string": broken.WORDS
    | st.sampled_from(
        ["native", "tunnel", "geneve", "dsr", "true", "5s", "9" * 400 + "h", f"0.{'0' * 320}1s"]
    ),
    "any": broken.JSON,
    "mapping": broken.JSON,
}


@st.composite
def _chart_value(draw: st.DrawFn) -> dict[str, Any]:
    """One key of the chart, mostly with what its schema takes."""
    path, types = draw(st.sampled_from(sorted(_known(draw(st.sampled_from(minors()))).items())))
    fitting = st.one_of(*(_FITTING[name] for name in types.split("|")))
    value = draw(fitting if draw(st.integers(0, 5)) else broken.JSON)
    for name in reversed(path.split(".")):
        value = {name: value}
    return value


@fuzzed(400)
@given(
    lab=_LAB,
    extra=st.lists(_chart_value(), min_size=1, max_size=5),
    version=st.sampled_from(["1.17.9", "1.18.0", "1.19.6"]),
    announced=st.booleans(),
)
def test_any_value_of_the_chart(lab: Any, extra: list[dict[str, Any]], version: str, announced: bool) -> None:
    values = {
        "cilium_extra_values": reduce(merged, extra, {}),
        "cilium_version": version,
        "l2_announcements": announced,
    }
    attempt(lab, overridden(values))
