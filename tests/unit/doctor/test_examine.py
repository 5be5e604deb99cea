"""The doctor as a whole: sources, declarations, time, and the command."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from ciliumlab.cli import main
from ciliumlab.doctor import controller, examine, machines, reach
from ciliumlab.doctor.asking import together
from ciliumlab.doctor.finding import Finding, merged

from .conftest import free_ports

pytestmark = pytest.mark.usefixtures("fit_host")


class _Server(BaseHTTPRequestHandler):
    """A mirror that has everything but Helm."""

    def do_HEAD(self) -> None:
        self.send_response(404 if "helm" in self.path else 200)
        self.end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing is to be printed."""


class _Mirror(ThreadingHTTPServer):
    request_queue_size = 128  # all sources are asked for at once


@contextmanager
def served() -> Iterator[str]:
    """Its address as the lab's machines have it."""
    with _Mirror(("127.0.0.1", 0), _Server) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://10.0.2.2:{server.server_port}"
        server.shutdown()


def run(lab_file: Path, *arguments: str) -> Result:
    return CliRunner().invoke(main, ["doctor", "--topology", str(lab_file), *arguments])


def test_a_mirror_is_asked_where_it_is_served(lab_file: Path) -> None:
    with served() as mirror:
        result = run(lab_file, "--data", f"mirror={mirror}")
    lines = result.output.splitlines()
    assert len(lines) == 3
    assert lines[0].startswith(f"against: {mirror}/archives/helm-v3.21.4-linux-")
    assert "cannot be had: HTTP status 404; check its version, or fill the mirror" in lines[0]
    assert lines[1:] == [
        "note: k8s-ctr, k8s-w1, k8s-w0 and router: not made yet; ciliumlab up",
        "1 against this lab, 1 to be known",
    ]
    assert result.exit_code == 1


def test_nothing_against_a_lab_is_exit_status_0(lab_file: Path) -> None:
    with served() as mirror:
        result = run(lab_file, "--data", f"mirror={mirror}", "--data", "cluster=auto")
    assert result.exit_code == 0
    assert result.output.splitlines()[-1] == "nothing against this lab, 2 to be known"


def test_a_mirror_that_is_not_there_is_one_finding(lab_file: Path) -> None:
    (port,) = free_ports(1)
    result = run(lab_file, "--data", f"mirror=http://10.0.2.2:{port}", "--json")
    first, *rest = json.loads(result.stdout)
    assert first["where"] == f"http://10.0.2.2:{port}"
    assert "run ciliumlab mirror serve DIR" in first["what"] and first["against"] is True
    assert [finding["against"] for finding in rest] == [False]
    assert result.exit_code == 1


def test_all_that_is_wrong_with_the_declaration_is_told_at_once(lab_file: Path) -> None:
    lab_file.write_text(lab_file.read_text().replace("192.168.10.0/24", "192.168.10.5/24"))
    result = run(lab_file, "--data", "datapath=foo")
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert any(f"against: {lab_file}: segments.net10.cidr: " in line for line in lines)
    assert any("against: --data datapath: must be native, vxlan or geneve, not foo" in line for line in lines)


def test_what_cilium_cannot_be_is_a_finding_and_the_host_is_looked_at_nevertheless(lab_file: Path) -> None:
    result = run(lab_file, "--data", 'cilium_extra_values={"routingModee": 1}')
    lines = result.output.splitlines()
    assert lines[0].startswith("against: cilium_extra_values: routingModee: ")
    assert lines[1].startswith("note: k8s-ctr, k8s-w1, k8s-w0 and router: not made yet")


def test_what_has_no_answer_in_time_is_a_finding(lab_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    never = threading.Event()
    monkeypatch.setattr(examine, "SECONDS", 0.3)
    monkeypatch.setattr(reach, "sources", lambda wants, settings: [Finding("x", str(never.wait(60)), True)])
    # On a busy host others are late, too, and are told in the same line.
    (late,) = [line for line in run(lab_file).output.splitlines() if ": no answer within 0 s" in line]
    where, _, what = late.removeprefix("against: ").partition(": ")
    assert "the sources" in where
    assert what == "no answer within 0 s; look what keeps it busy, and ask again"


def test_machines_that_answer_are_asked_themselves(lab_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = ("up", "up", "off", "direct")
    names = ("k8s-ctr", "k8s-w1", "k8s-w0", "router")
    rows = [{"name": name, "state": state} for name, state in zip(names, states, strict=True)]
    monkeypatch.setattr(examine.Lab, "status", lambda self: rows)
    monkeypatch.setattr(
        machines,
        "machine",
        lambda state, one, wants: [Finding(f"{one.name}: disk", str(wants["node"]), True)],
    )
    assert run(lab_file).output.splitlines() == [
        "against: k8s-ctr and k8s-w1: disk: True",
        "against: router: disk: False",
        "note: k8s-w0: is off; ciliumlab up k8s-w0",
        "2 against this lab, 1 to be known",
    ]


def test_what_raises_what_a_user_can_cause_is_a_finding(
    lab_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def host(lab: object, project: Path) -> Iterator[Finding]:
        yield Finding("first", "is told", False)
        raise controller.LabError(controller.Problem("second", "cannot be told"))

    monkeypatch.setattr(controller, "host", host)
    monkeypatch.setattr(reach, "sources", lambda wants, settings: [])
    lines = run(lab_file).output.splitlines()
    assert "against: second: cannot be told" in lines and "note: first: is told" in lines


def test_the_same_in_several_places_is_one_line() -> None:
    findings = [
        Finding("a: https://x", "is gone", True),
        Finding("a: https://y", "is gone", True),
        Finding("b: https://x", "is gone", True),
        Finding("b: https://y", "is gone", True),
        Finding("c: https://x", "is gone", False),
    ]
    assert [str(finding) for finding in merged(reversed(findings))] == [
        "against: b and a: https://y and https://x: is gone",
        "note: c: https://x: is gone",
    ]


def test_answers_keep_the_order_of_the_questions() -> None:
    never, last = threading.Event(), threading.Event()
    answers = together({"a": last.wait, "b": never.wait, "c": last.set}, 1.0)
    assert [*answers.items()] == [("a", True), ("c", None)]
