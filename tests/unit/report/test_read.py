"""What pyinfra and pytest have written, read again."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from ciliumlab.cli import main
from ciliumlab.errors import DeclarationError
from ciliumlab.plan.routes import tables
from ciliumlab.report import checks, deploy, times
from ciliumlab.report.found import nothing
from ciliumlab.report.routes import compared
from ciliumlab.state import State
from ciliumlab.topology import load

from . import made


def test_checks() -> None:
    read = checks.read(made.checks())
    assert (read.count("passed"), read.count("failed"), read.count("skipped")) == (4, 1, 1)
    assert read.found == made.found()
    assert list(read.data) == made.DATA
    first, *_ = read.checks
    assert (first.stage, first.name, first.host) == ("network", "static route", "k8s-ctr")
    assert first.evidence[0].startswith("k8s-ctr: routes to 10.10.0.0/16: expected")
    (failed,) = (check for check in read.checks if check.result == "failed")
    assert (failed.host, failed.what) == ("k8s-w1", "172.20.0.0/16")
    assert "<script>" in failed.message
    (skipped,) = (check for check in read.checks if check.result == "skipped")
    assert (skipped.host, skipped.message) == ("", "no pods in this lab & nothing to see")


def test_dry_run() -> None:
    read = deploy.read(made.deploy())
    assert read.dry
    names = [stage.name for stage in read.stages]
    assert names[:3] == ["tasks/preflight.py", "tasks/base.py", "tasks/network.py"]
    router = next(stage for stage in read.stages if stage.name == "tasks/router.py")
    assert ("Apache is running", ("@fake/router",)) in [(one.name, one.changed) for one in router.changes]


def test_failed_run() -> None:
    read = deploy.read(made.failed_deploy())
    assert (read.dry, read.failed) == (False, ("@fake/router",))
    (stage,) = read.stages
    (operation,) = stage.told
    assert operation.failed == ("@fake/router",)
    assert len(operation.changed) == 3


def test_times_are_those_of_the_same_run(tmp_path: Path) -> None:
    state = State(tmp_path)
    failed, other = deploy.read(made.failed_deploy()), deploy.read(made.deploy())
    assert times.read(state, failed) == {}
    state.times.write_text(made.times().read_text())
    (took,) = times.read(state, failed).values()
    assert 0 < took < 60
    assert list(times.read(state, failed)) == [failed.stages[0].name]
    # A dry run takes no time, and a run that changed other things is another one.
    assert times.read(state, other) == {}
    text = state.times.read_text()
    state.times.write_text(text.replace('"@fake/k8s-w1"', '"@fake/k8s-w9"'))
    assert times.read(state, failed) == {}
    state.times.write_text("{")
    assert times.read(state, failed) == {}


def test_routes_side_by_side() -> None:
    expected = tables(load(made.REFERENCE), made.SETTINGS)
    rows = {name: compared(name, expected[name], made.found()) for name in expected}
    assert {row.match for row in rows["k8s-ctr"]} == {"same"}
    assert [(row.expected, row.found) for row in rows["k8s-w1"] if row.match != "same"] == [
        ("172.20.0.0/16 via 192.168.10.200 dev eth1 proto static", ""),
        ("", "192.0.2.0/24 via 192.168.10.9 dev eth1"),
    ]
    # The agent's device is its own next hop, whose address nobody can know.
    own = {**made.found(), "routes": {"k8s-ctr": []}}
    own["routes"]["k8s-ctr"] = ["172.20.1.0/24 via 172.20.0.201 dev cilium_host proto kernel mtu 1450"]
    seen = compared("k8s-ctr", expected["k8s-ctr"], own)
    assert [row.expected for row in seen if row.match == "same"] == [
        "172.20.1.0/24 dev cilium_host proto kernel mtu 1450"
    ]
    # Which networks a node's pods have is not in lab.yaml.
    unseen = {row.expected: row.match for row in compared("k8s-ctr", expected["k8s-ctr"], nothing())}
    unknown = [text for text, match in unseen.items() if match == "unknown"]
    assert unknown == [text for text in unseen if text.startswith("pods of ")]
    assert len(unknown) == 3
    assert {match for text, match in unseen.items() if text not in unknown} == {"missing"}


@pytest.mark.parametrize("text", ["", "No hosts remaining!", "[]", '{"results": {}}', "null"])
def test_no_result_of_pyinfras(tmp_path: Path, text: str) -> None:
    (tmp_path / "deploy.json").write_text(text)
    with pytest.raises(DeclarationError, match=r"\A[^\n]*is no result of `pyinfra --json`[^\n]*\Z"):
        deploy.read(tmp_path / "deploy.json")


@pytest.mark.parametrize("text", ["", "<html></html>", "<testsuites><testsuite>", "{}"])
def test_no_result_of_pytests(tmp_path: Path, text: str) -> None:
    (tmp_path / "checks.xml").write_text(text)
    with pytest.raises(DeclarationError, match=r"\A[^\n]*is no JUnit XML of pytest's[^\n]*\Z"):
        checks.read(tmp_path / "checks.xml")


def test_files_that_are_not_there(tmp_path: Path) -> None:
    for read in (deploy.read, checks.read):
        with pytest.raises(DeclarationError, match="No such file"):
            read(tmp_path / "none")


def test_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(made.ROOT)
    page = tmp_path / "report.html"
    arguments = ["report", "--deploy", str(made.deploy()), "--checks", str(made.checks()), "-o", str(page)]
    done = CliRunner().invoke(main, arguments)
    assert (done.exit_code, done.stdout) == (0, "")
    assert page.as_uri() in done.stderr
    # By the settings that the checks were given.
    assert "datapath geneve" in page.read_text()
    done = CliRunner().invoke(main, ["report", "-o", str(tmp_path / "none" / "report.html")])
    assert done.exit_code == 1
    assert "cannot be written: No such file or directory" in done.stderr
