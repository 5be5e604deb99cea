"""The command line of Cilium over a cluster that is only written down."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree

import pytest
from cilium import cli, connectivity


class Written:
    """Answers `find` out of a mapping of names to objects."""

    def __init__(self, **objects: dict[str, Any]) -> None:
        self.objects = objects

    def find(self, path: str) -> dict[str, Any] | None:
        return self.objects.get(path.rpartition("/")[2].replace("-", "_"))


def daemonset(ready: int = 3, updated: int = 3, seen: int = 1) -> dict[str, Any]:
    return {
        "metadata": {"generation": 1},
        "status": {
            "desiredNumberScheduled": 3, "numberReady": ready, "numberAvailable": ready,
            "updatedNumberScheduled": updated, "observedGeneration": seen,
        },
    }  # fmt: skip


def deployment(ready: int = 1) -> dict[str, Any]:
    return {
        "metadata": {"generation": 1},
        "spec": {"replicas": 1},
        "status": {"readyReplicas": ready, "availableReplicas": ready, "updatedReplicas": 1,
                   "observedGeneration": 1},
    }  # fmt: skip


def test_all_is_well() -> None:
    found = cli.Status(Written(cilium=daemonset(), cilium_operator=deployment()), "kube-system")
    assert found.errors == []
    text = found.text()
    assert " /¯¯\\__/¯¯\\    Cilium:             OK" in text
    assert "    \\__/       ClusterMesh:        disabled" in text
    assert "DaemonSet              cilium                   Desired: 3, Ready: 3/3, Available: 3/3" in text


@pytest.mark.parametrize(
    ("agents", "said"),
    [
        (daemonset(ready=1), "2 pods of DaemonSet cilium are not ready"),
        (daemonset(updated=2), "DaemonSet cilium is rolling out - 1 pods are not up to date"),
        (daemonset(seen=0), "DaemonSet cilium is rolling out"),
        (None, 'daemonsets.apps "cilium" not found'),
    ],
)
def test_what_is_wrong_is_told(agents, said: str) -> None:
    objects = {"cilium_operator": deployment()} | ({"cilium": agents} if agents else {})
    found = cli.Status(Written(**objects), "kube-system")
    assert said in found.text()
    assert len(found.errors) == 1


@pytest.mark.parametrize(
    ("given", "command", "flags"),
    [
        (["status", "--wait"], "status", {"wait": "true"}),
        (["status", "--wait", "--wait-duration", "90s"], "status", {"wait": "true", "wait-duration": "90s"}),
        (
            ["--kubeconfig", "/x", "status", "-n", "cilium"],
            "status",
            {"kubeconfig": "/x", "namespace": "cilium"},
        ),
        (["connectivity", "test", "--junit-file=j.xml"], "connectivity test", {"junit-file": "j.xml"}),
    ],
)
def test_arguments(given, command: str, flags) -> None:
    assert cli.parse(given) == (command, flags)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["install"], 'unknown command "install"'),
        (["status", "--wiat"], "unknown flag: --wiat"),
        (["status", "--wait-duration"], "needs an argument"),
    ],
)
def test_arguments_that_are_refused(given, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(given) == 1
    assert said in capsys.readouterr().err


RESULTS = {"pod-to-pod": [("a -> b", True), ("a -> c", False)], "pod-to-host": [("a -> n", True)]}


def test_a_report_for_machines() -> None:
    root = ElementTree.fromstring(connectivity.junit(RESULTS, 1.5))
    assert (root.get("tests"), root.get("failures")) == ("2", "1")
    (failure,) = root.iter("failure")
    assert failure.get("message") == "a -> c"


def test_a_summary_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    assert connectivity.summary(RESULTS) == 1
    assert "1/2 tests failed (1/3 actions)" in capsys.readouterr().out
    assert connectivity.summary({"pod-to-pod": [("a -> b", True)]}) == 0
    assert "All 1 tests (1 actions) successful" in capsys.readouterr().out
