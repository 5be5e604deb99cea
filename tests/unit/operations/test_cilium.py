"""What Cilium's preflight consists of: a release of its own that comes, and goes."""

from __future__ import annotations

from typing import Any

import pytest

from .harness import Host, run, shown

_CHART = {"version": "1.19.6", "url": "https://helm.cilium.io/cilium-1.19.6.tgz", "sha256": "21c4"}
_NONE: dict[str, Any] = {
    "helm": "3.21.4",
    "revisions": [],
    "values": {},
    "unfinished": [],
    "busy": False,
    "trouble": [],
}
_DEPLOYED = {"number": 1, "status": "deployed", "chart": "cilium-1.18.12", "description": "Install complete"}
_FAILED = {"number": 2, "status": "failed", "chart": "cilium-1.19.6", "description": "Upgrade failed"}
_CHECKS = {"number": 1, "status": "deployed", "chart": "cilium-1.19.6", "description": "Install complete"}
_VALUES = {
    "preflight": {"enabled": True},
    "agent": False,
    "operator": {"enabled": False},
    "k8sServiceHost": "192.168.10.100",
    "k8sServicePort": 6443,
}


def commands(name: str, checks: dict[str, Any], runs: list[dict[str, Any]], **arguments: Any) -> list[object]:
    """Of an operation, on a host where Cilium has these revisions, and the preflight is this release."""
    host = Host({"Release": {**_NONE, "revisions": runs}, "Release(cilium-preflight)": checks})
    return [shown(command) for command in run(name, host, {"namespace": "kube-system", **arguments})]


@pytest.mark.parametrize("runs", [[_DEPLOYED], [_DEPLOYED, _FAILED]], ids=["the first time", "again"])
def test_another_minor_version_is_tried_before(runs: list[dict[str, Any]]) -> None:
    there = {**_NONE, "revisions": [_CHECKS], "values": {"preflight": {"enabled": True}}}
    values = {"routingMode": "native", "k8sServiceHost": "192.168.10.100", "k8sServicePort": 6443}
    asked = {"release": "cilium", "chart": _CHART, "values": values, "timeout": 60}
    release = {"release": "cilium-preflight", "timeout": 60}
    made = commands("helm.release", there, runs, **release, chart=_CHART, values=_VALUES)
    gone = commands("helm.absent", there, runs, **release)
    assert made
    assert gone
    assert commands("cilium.preflighted", there, runs, **asked) == [*made, *gone]


def test_what_a_cut_run_left_goes() -> None:
    there = {**_NONE, "revisions": [_CHECKS]}
    asked = {"release": "cilium", "chart": {**_CHART, "version": "1.18.12"}, "values": {}, "timeout": 60}
    gone = commands("helm.absent", there, [_DEPLOYED], release="cilium-preflight", timeout=60)
    assert gone
    assert commands("cilium.preflighted", there, [_DEPLOYED], **asked) == gone
