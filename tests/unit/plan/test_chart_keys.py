"""The keys of Cilium's chart that the library knows are those that the chart has."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ciliumlab.plan.cilium.chart import minors, wrong_keys
from ciliumlab.plan.cilium.keys import KEYS

from . import chart_keys
from .lab import chart, facts, flat, plan


def nested(path: str, value: object) -> dict[str, object]:
    """A mapping with this value at the dotted path."""
    for name in reversed(path.split(".")):
        value = {name: value}
    assert isinstance(value, dict)
    return value


def problem(path: str, value: object = "x", minor: str = "1.18") -> str:
    ((told, what),) = wrong_keys(nested(path, value), minor)
    return f"{told}: {what}"


@pytest.fixture(scope="module")
def published() -> dict[str, str]:
    values, schema = facts("values.yaml").read_text(), facts("values.schema.json").read_text()
    found = chart_keys.keys(values, schema)
    # Empty there, and its keys only in templates: with these at hand it is a mapping of two.
    assert found.pop("maglev") == "object"
    return found


def test_every_key_of_the_published_values_is_known(published: dict[str, str]) -> None:
    assert len(published) > 900
    examples = {"array": [], "boolean": True, "integer": 1, "null": None, "number": 0.5, "object": {"x": "y"}}
    refused = [
        (path, what)
        for path, types in published.items()
        for kind in types.split("|")
        for _, what in wrong_keys(nested(path, examples.get(kind, "x")), "1.18")
    ]
    assert refused == []


def test_hardly_any_other_is(published: dict[str, str]) -> None:
    """What templates read though values.yaml does not say so, and what patch releases added."""
    known = set(_known("1.18"))
    assert set(published) <= known
    assert len(known - set(published)) < 60
    assert "maglev.tableSize" in known - set(published)
    assert not {"tunnel", "enableCnpStatusUpdates", "AsMap"} & known


def test_the_data_are_what_the_script_makes_of_the_chart() -> None:
    version, found = chart_keys.read(chart())
    assert version == "1.18.0"
    known = _known("1.18")
    # A later patch release may have given a type to what had none.
    different = {path: (types, known.get(path)) for path, types in found.items() if known.get(path) != types}
    assert different == {"kubeProxyReplacement": ("any", "boolean|string")}


def _known(minor: str) -> dict[str, str]:
    """The data read in the plainest way, as the library does not."""
    found, above = {}, [""] * 20
    for line in KEYS.splitlines():
        matched = re.fullmatch(r"( *)(\S+)(?: (\S+))?((?: \S+)*)", line)
        assert matched, line
        depth = len(matched[1])
        above[depth] = matched[2]
        if matched[3] and (not matched[4] or minor in matched[4].split()):
            found[".".join(above[: depth + 1])] = matched[3]
    return found


@pytest.mark.parametrize("minor", minors())
@pytest.mark.parametrize("datapath", ["native", "geneve"])
def test_computed_values_are_known_to_every_minor(minor: str, datapath: str) -> None:
    found = plan(datapath=datapath, l2_announcements=True, pod_routes="bgp")["helm_values"]
    assert list(wrong_keys(found, minor)) == []
    assert len(flat(found)) > 30


@pytest.mark.parametrize(
    ("path", "instead"),
    [
        ("routingModee", "did you mean routingMode?"),
        ("l2announcement.enabled", "did you mean l2announcements?"),
        ("masquerade", "did you mean bpf.masquerade?"),
        ("bpf.masqerade", "did you mean bpf.masquerade?"),
        ("hubble.ui.service.nodePorts", "did you mean hubble.ui.service.nodePort?"),
        ("configDriftDetection.enable", "did you mean configDriftDetection.enabled?"),
        ("qqqqqqqq.zz", "leave it out"),
    ],
)
def test_an_unknown_key_is_told_with_the_nearest(path: str, instead: str) -> None:
    ((_, what),) = wrong_keys(nested(path, "x"), "1.18")
    assert what == f"is no key of Cilium's chart 1.18, which would not look at it; {instead}"


def test_an_unknown_key_is_told_and_not_what_is_in_it() -> None:
    assert problem("l2announcement.enabled").startswith("l2announcement: is no key")
    assert problem("bpf.masqerade").startswith("bpf.masqerade: is no key")


@pytest.mark.parametrize(
    ("path", "instead"),
    [
        ("tunnel", "routingMode and tunnelProtocol, or rather the setting datapath"),
        ("ipam.operator.clusterPoolIPv4PodCIDR", "ipam.operator.clusterPoolIPv4PodCIDRList"),
        ("ipam.operator.clusterPoolIPv6PodCIDR", "ipam.operator.clusterPoolIPv6PodCIDRList"),
    ],
)
def test_a_removed_key_is_told_with_what_took_its_place(path: str, instead: str) -> None:
    assert problem(path) == f"{path}: was removed from Cilium's chart, which refuses it; use {instead}"


@pytest.mark.parametrize(
    ("path", "value", "line"),
    [
        ("MTU", "1400", "must be of type integer, not the string 1400; the chart's schema refuses it"),
        ("MTU", True, "must be of type integer, not the boolean True; the chart's schema refuses it"),
        ("MTU", 1400.5, "must be of type integer, not the number 1400.5; the chart's schema refuses it"),
        ("routingMode", ["native"], "must be of type string, not the array ['native']; "
         "the chart's schema refuses it"),
        ("k8sServicePort", [], "must be of type integer or string, not the array []; "
         "the chart's schema refuses it"),
        ("k8sClientRateLimit.qps", "20", "must be of type integer, not the string 20; "
         "the chart's schema refuses it"),
        ("ipam.operator.clusterPoolIPv4MaskSize", "24", "must be of type integer, not the string 24; "
         "the chart's schema refuses it"),
        ("hubble", True, "must be a mapping, not True; the chart refuses it"),
        ("podAnnotations", "x", "must be of type object, not the string x; the chart's schema refuses it"),
    ],
)  # fmt: skip
def test_a_value_of_another_type_is_told(path: str, value: object, line: str) -> None:
    assert problem(path, value) == f"{path}: {line}"


@pytest.mark.parametrize(
    "path",
    [
        *("nodeSelector.disk/kind", "extraConfig.any-key", "podAnnotations.a/b", "affinity.nodeAffinity.x"),
        *("hubble.relay.resources.limits.cpu", "envoy.securityContext.runAsUser", "maglev.tableSize"),
    ],
)
def test_open_mappings_take_any_key(path: str) -> None:
    assert list(wrong_keys(nested(path, "x"), "1.18")) == []


def test_null_stands_for_no_default_whatever_the_type() -> None:
    found = {"MTU": None, "hubble": None, "bpf": {"masquerade": None}}
    assert list(wrong_keys(found, "1.18")) == []


def test_what_another_minor_has_is_told_so() -> None:
    assert problem("nodePort.enabled", True, "1.19") == (
        "nodePort.enabled: is no key of Cilium's chart 1.19, which would not look at it"
        " (that of 1.17 and 1.18 has it); leave it out"
    )


def test_the_script_writes_what_is_there(tmp_path: Path) -> None:
    """A chart of three keys, in two minors."""
    old = {"a.b": "boolean", "c": "object"}
    text = chart_keys.module(
        {"1.17.0": old, "1.18.0": {**old, "a.d": "any"}, "1.18.1": {"a.e": "null|string"}}
    )
    names: dict[str, str] = {}
    exec(text, names)
    assert names["MINORS"] == ["1.17", "1.18"]
    assert names["KEYS"].splitlines() == ["a", " b boolean", " d any 1.18", " e null|string 1.18", "c object"]
