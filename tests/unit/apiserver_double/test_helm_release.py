"""helm.release and helm.absent with real Helm and kubectl: what runs on a host, and what is then there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from ciliumlab.operations import helm as operations

from . import agents
from .cluster import Client, Cluster
from .control import Node, Outcome
from .proxy import Proxy


@dataclass
class Lab:
    """A release "agent" in a namespace of its own."""

    node: Node
    namespace: str
    charts: dict[str, Any]
    kubectl: Client
    helm: Client

    def arguments(self, version: str = "1.0.0", timeout: int = 60, **more: Any) -> dict[str, Any]:
        of_release = {"release": "agent", "namespace": self.namespace, "chart": self.charts[version]}
        return {**of_release, "values": {}, "timeout": timeout, **more}

    def release(self, *version: str, **more: Any) -> Outcome:
        return self.node.run(operations.release, **self.arguments(*version, **more))

    def commands(self, *version: str, **more: Any) -> Iterator[Any]:
        return self.node.commands(operations.release, **self.arguments(*version, **more))

    def comes_to_its_end(self, version: str = "1.0.0", **arguments: Any) -> None:
        done = self.release(version, **arguments)
        assert done.status == 0, done.printed
        assert self.config() == {"colour": "green", "chart": version}
        assert self.history()[-1][1] == "deployed"
        assert [status for _, status in self.history()].count("deployed") == 1
        again = self.release(version, **arguments)
        assert (again.commands, again.said) == ([], [])

    def history(self) -> list[tuple[int, str]]:
        found = json.loads(self.helm("history", "agent", "--namespace", self.namespace, "-o", "json"))
        return [(each["revision"], each["status"]) for each in found]

    def config(self) -> dict[str, str]:
        template = ("-o", "jsonpath={.data}")
        return json.loads(
            self.kubectl("get", "configmap", "agent-config", "-n", self.namespace, *template) or "{}"
        )


@pytest.fixture(scope="module")
def packages(helm: Client, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("charts")
    return {version: agents.package(helm, folder, version) for version in ("1.0.0", "1.1.0")}


@pytest.fixture(scope="module", autouse=True)
def kubelet(cluster: Cluster) -> Iterator[None]:
    thread = agents.Kubelet(cluster)
    thread.start()
    yield
    thread.stop()


class Cutter:
    """Kills what runs on the host as soon as the API server has carried out the nth write of it."""

    def __init__(self, proxy: Proxy) -> None:
        self.proxy = proxy

    @property
    def writes(self) -> int:
        return self.proxy.writes

    def cut(self, lab: Lab, write: int, *version: str, **more: Any) -> bool:
        """Whether it was cut before it came to its end."""
        self.proxy.writes = 0
        for command in lab.commands(*version, **more):
            given = command.connector_arguments.get("_stdin") or ""
            kubeconfig = self.proxy.kubeconfig(lab.node.root)
            process = lab.node.start(str(command), str(given), kubeconfig)
            self.proxy.kill = (write, process.pid)
            if process.wait(60) != 0:
                return True
        return False


@pytest.fixture(scope="module")
def proxy(cluster: Cluster) -> Iterator[Proxy]:
    with Proxy(cluster) as running:
        yield running


@pytest.fixture
def cutter(proxy: Proxy) -> Cutter:
    return Cutter(proxy)


@pytest.fixture
def lab(
    request: pytest.FixtureRequest,
    cluster: Cluster,
    packages: dict[str, Path],
    helm: Client,
    kubectl: Client,
    tmp_path: Path,
) -> Lab:
    node = Node(cluster, tmp_path / "node")
    charts = {version: node.keep(path, version) for version, path in packages.items()}
    name = "".join(letter if letter.isalnum() else "-" for letter in request.node.name)[:60].strip("-")
    return Lab(node, name, charts, kubectl, helm)


def test_installed_once_and_upgraded_when_something_differs(lab: Lab) -> None:
    values = {"colour": "blue", "deep": {"list": [1, 2.5, "é😀"], "none": None, "yes": True}}
    first = lab.release(values=values)
    assert (first.status, len(first.commands)) == (0, 1), first.printed
    assert lab.config() == {"colour": "blue", "chart": "1.0.0"}

    again = lab.release(values=values)
    assert (again.commands, again.noops) == (
        [],
        ["agent is agent-1.0.0 with these values, and rolled out"],
    )

    # All values are given each time: what is not said any more is the chart's own again.
    assert lab.release(values={"deep": {"yes": 1}}).status == 0
    assert lab.config() == {"colour": "red", "chart": "1.0.0"}
    assert lab.release(values={"deep": {"yes": True}}).commands, "true is not 1"
    assert lab.release(values={}).commands
    assert lab.release(values={}).commands == []

    assert lab.release("1.1.0").status == 0
    assert lab.config() == {"colour": "red", "chart": "1.1.0"}
    assert [status for _, status in lab.history()] == ["superseded"] * 4 + ["deployed"]


def test_what_was_first_installed_with_is_kept(lab: Lab) -> None:
    lab.release(values={"compatible": "1.0", "colour": "blue"}, keep=["compatible"])
    assert lab.release("1.1.0", values={"compatible": "1.1", "colour": "green"}, keep=["compatible"]).commands
    found = json.loads(lab.helm("get", "values", "agent", "-n", lab.namespace, "-o", "json"))
    assert found == {"compatible": "1.0", "colour": "green"}
    again = lab.release("1.1.0", values={"compatible": "1.1", "colour": "green"}, keep=["compatible"])
    assert again.commands == []


def test_no_value_is_on_a_command_line_or_in_a_file(lab: Lab) -> None:
    for values in ({"password": "hunter2", "colour": "blue"}, {"password": "hunter3", "colour": "blue"}):
        done = lab.release(values=values, diff=True)
        assert done.status == 0
        assert "hunter" not in " ".join([*done.commands, done.printed, *done.said])
    files = [path for path in lab.node.root.rglob("*") if path.is_file()]
    assert [path for path in files if b"hunter" in path.read_bytes()] == []


def test_the_difference_is_shown_without_what_is_secret(lab: Lab, caplog: pytest.LogCaptureFixture) -> None:
    lab.release(values={"password": "hunter2", "colour": "blue"})
    caplog.clear()
    with caplog.at_level("INFO", logger="pyinfra"):
        done = lab.release("1.1.0", values={"password": "hunter3", "colour": "green"}, diff=True)
    assert done.said == ["Will upgrade agent from agent-1.0.0 to version 1.1.0"]
    assert "blue" in caplog.text and "green" in caplog.text and "(another secret)" in caplog.text
    assert "hunter" not in caplog.text


def test_values_that_arrive_cut_change_nothing(lab: Lab) -> None:
    (command,) = lab.commands(values={"colour": "blue", "image": "good"})
    done = lab.node.shell(str(command), str(command.connector_arguments["_stdin"])[:-9])
    assert done.returncode == 1
    assert done.stderr.endswith("agent: 1.0.0: the values did not arrive whole; nothing was changed\n")
    assert "not found" in lab.helm("history", "agent", "-n", lab.namespace, status=1)


def test_a_chart_that_cannot_be_had_changes_nothing(lab: Lab) -> None:
    for path in (lab.node.root / "cache").iterdir():
        path.unlink()
    done = lab.release()
    assert done.status == 1
    assert "agent: 1.0.0: the chart cannot be had from http://127.0.0.1:9/agent-1.0.0.tgz" in done.printed
    assert "not found" in lab.helm("history", "agent", "-n", lab.namespace, status=1)


def test_what_does_not_roll_out_is_told_and_undone(lab: Lab) -> None:
    lab.release(values={"colour": "blue"})
    done = lab.release(values={"colour": "green", "image": "broken"}, timeout=3)
    assert done.status == 1
    assert (
        f"{lab.namespace}/agent-x7k2p on k8s-w1: agent waits: CrashLoopBackOff: back-off 10s" in done.printed
    )
    assert 'Error, exit code 1: level=fatal msg="invalid daemon configuration"' in done.printed
    assert done.printed.endswith("agent: revision 1 is back\n")
    # One of three may be missing for Helm, which calls it deployed.
    assert lab.history() == [(1, "superseded"), (2, "superseded"), (3, "deployed")]
    assert lab.config() == {"colour": "blue", "chart": "1.0.0"}
    assert lab.release(values={"colour": "blue"}).commands == []
    assert lab.release(values={"colour": "green"}).status == 0


def test_what_helm_itself_gives_up_is_undone(lab: Lab) -> None:
    lab.release(values={"colour": "blue"})
    done = lab.release(values={"colour": "green", "outside": True}, timeout=3)
    assert done.status == 1
    assert "timed out waiting" in done.printed
    assert "not found" not in done.printed
    assert done.printed.endswith("agent: revision 1 is back\n")
    assert lab.history() == [(1, "superseded"), (2, "failed"), (3, "deployed")]


def test_a_first_one_that_does_not_roll_out_is_left_and_gone_on_from(lab: Lab) -> None:
    done = lab.release(values={"outside": True}, timeout=2)
    assert done.status == 1
    assert "no revision was ever deployed that could be put back; this one is left as it is" in done.printed
    assert "not found" not in done.printed
    assert lab.history() == [(1, "failed")]
    assert lab.release().status == 0
    assert lab.history() == [(1, "superseded"), (2, "deployed")]


def test_values_that_the_chart_cannot_take_change_nothing(lab: Lab) -> None:
    lab.release(values={"colour": "blue"})
    done = lab.release(values={"colour": "none"}, timeout=2)
    assert (done.status, "a colour is needed" in done.printed) == (1, True)
    assert done.printed.endswith("agent: nothing was changed\n"), done.printed
    assert lab.config()["colour"] == "blue"


def test_what_was_cut_while_it_rolled_out_is_waited_for(lab: Lab) -> None:
    lab.release(values={"image": "broken"}, timeout=2)
    assert lab.history() == [(1, "deployed")]
    done = lab.release(values={"image": "broken"}, timeout=2)
    assert done.said[0].startswith("agent is as declared, and has not rolled out yet: DaemonSet ")
    assert (done.status, "CrashLoopBackOff" in done.printed) == (1, True)
    assert lab.history() == [(1, "deployed")]


INSTALL, UPGRADE, ROLLBACK = 5, 5, 5
"""How many times Helm writes something; it is killed at every one of these."""


@pytest.mark.parametrize("write", range(1, INSTALL + 1))
def test_an_installation_that_was_killed_is_made_again(lab: Lab, cutter: Cutter, write: int) -> None:
    assert cutter.cut(lab, write, values={"colour": "green"})
    lab.comes_to_its_end(values={"colour": "green"})


@pytest.mark.parametrize("write", range(1, UPGRADE + 1))
def test_an_upgrade_that_was_killed_is_made_again(lab: Lab, cutter: Cutter, write: int) -> None:
    lab.release(values={"colour": "blue"})
    assert cutter.cut(lab, write, "1.1.0", values={"colour": "green"})
    lab.comes_to_its_end("1.1.0", values={"colour": "green"})


@pytest.mark.parametrize("write", range(1, ROLLBACK + 1))
def test_a_way_back_that_was_killed_is_gone_again(lab: Lab, cutter: Cutter, write: int) -> None:
    lab.release(values={"colour": "blue"})
    cutter.cut(lab, 3, values={"colour": "green"})
    assert cutter.cut(lab, write, values={"colour": "green"})
    lab.comes_to_its_end(values={"colour": "green"})


def test_these_are_all_writes(lab: Lab, cutter: Cutter) -> None:
    assert not cutter.cut(lab, 99, values={"colour": "blue"})
    assert cutter.writes == INSTALL
    assert not cutter.cut(lab, 99, values={"colour": "green"})
    assert cutter.writes == UPGRADE
    cutter.cut(lab, 3, values={"colour": "red"})
    assert not cutter.cut(lab, 99, values={"colour": "red"})
    assert cutter.writes == ROLLBACK + UPGRADE


def test_a_killed_run_is_told(lab: Lab, cutter: Cutter) -> None:
    cutter.cut(lab, 2, values={"colour": "blue"})
    left = "agent was left pending-install by a run that was cut"
    assert lab.release(values={"colour": "blue"}).said == [
        f"{left}, and no revision was ever deployed: it is taken away first"
    ]
    cutter.cut(lab, 2, values={"colour": "green"})
    left = "agent was left pending-upgrade by a run that was cut"
    assert lab.release(values={"colour": "blue"}).said == [f"{left}: it goes back to revision 1 first"]
    assert lab.history() == [(1, "superseded"), (2, "pending-upgrade"), (3, "deployed")]


def test_a_helm_that_another_run_has_left_at_work_is_waited_for(lab: Lab) -> None:
    lab.release(values={"colour": "blue"})
    (command,) = lab.commands(values={"colour": "green", "outside": True}, timeout=4)
    left = lab.node.start(str(command), str(command.connector_arguments["_stdin"]))
    while ("pending-upgrade") not in str(lab.history()):
        assert left.poll() is None
    done = lab.release(values={"colour": "green"})
    assert left.poll() == 1, "it went back before this one began"
    assert done.said == ["another run's Helm is still at agent: its end is waited for"]
    assert done.status == 0, done.printed
    assert [status for _, status in lab.history()] == ["superseded", "failed", "superseded", "deployed"]


def test_taken_away_once(lab: Lab) -> None:
    lab.release()
    there = {"release": "agent", "namespace": lab.namespace}
    assert len(lab.node.run(operations.absent, **there).commands) == 1
    assert lab.kubectl("get", "configmaps,daemonsets", "-n", lab.namespace, "-o", "name") == ""
    again = lab.node.run(operations.absent, **there)
    assert (again.commands, again.noops) == ([], ["there is no release agent"])
