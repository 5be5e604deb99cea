"""The word at the end of pyinfra's runs, over its @fake connector."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from ciliumlab.outcome import Clock

from .harness import ROOT
from .test_deploy import FRESH, pyinfra, variant

SUMMARY = "--> Summary: "


def table(printed: str) -> dict[str, list[str]]:
    """The summary's rows by stage, with the hosts' names first."""
    lines = printed[printed.index(SUMMARY) :].splitlines()[1:]
    rows = [line[4:] for line in lines[: lines.index("--> Next:") if "--> Next:" in lines else len(lines)]]
    cells = [[cell.strip() for cell in row.split("   ") if cell.strip()] for row in rows if row]
    return {first: rest[:-1] for first, *rest in cells}


def test_stages_of_a_deploy_that_fails_are_all_in_the_table() -> None:
    """No host is left, so that pyinfra ends with an error and without its own results."""
    result = pyinfra("-y", FRESH, "deploy.py")
    assert result.returncode == 1
    assert "No hosts remaining!" in result.stderr
    rows = table(result.stderr)
    hosts = rows.pop("stage")
    assert hosts == ["@fake/k8s-ctr", "@fake/k8s-w1", "@fake/k8s-w0", "@fake/router"]
    assert list(rows) == [
        line.split("/")[1].split(".")[0]
        for line in (ROOT / "deploy.py").read_text().splitlines()
        if "include" in line
    ]
    assert rows["preflight"] == ["unchanged"] * 4
    assert rows["containerd"] == ["failed"] * 3 + ["-"]
    assert rows["addons"] == ["not done", "-", "-", "-"]
    assert (
        "@fake/k8s-w0 failed in tasks/containerd.py, at “Docker's package repository is known”"
        in result.stderr
    )


def test_stages_run_alone_are_named_by_their_files() -> None:
    result = pyinfra("-y", "--limit", "routers", FRESH, "tasks/base.py", "tasks/router.py")
    assert result.returncode == 0, result.stderr
    assert table(result.stderr) == {
        "stage": ["@fake/router"],
        "base": ["4 changed"],
        "router": ["5 changed"],
    }
    assert "http://127.0.0.1:8080  the router's page" in result.stderr
    assert result.stdout == ""


@pytest.mark.parametrize("mode", ["--serial", "--no-wait"])
def test_other_orders_of_the_run_are_summarised_too(mode: str) -> None:
    result = pyinfra("-y", mode, FRESH, "tasks/router.py")
    assert table(result.stderr)["router"] == ["5 changed"]


def test_what_the_preflight_left_out_is_told_apart_from_what_is_as_it_must_be(tmp_path: Path) -> None:
    inventory = variant(
        tmp_path,
        'answers["MemTotal"] = [line.replace("|200|", "|503|") for line in answers["MemTotal"]]',
    )
    result = pyinfra("-y", "--data", "cluster=auto", inventory, "deploy.py")
    assert result.returncode == 0, result.stderr
    rows = table(result.stderr)
    assert rows["router"] == ["-", "-", "-", "5 changed"]
    assert rows["containerd"] == ["left out"] * 3 + ["-"]
    assert "Hubble" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("--dry", FRESH, "tasks/router.py"),
        ("-y", FRESH, "exec", "--", "true"),
        ("-y", FRESH, "debug-inventory"),
        ("-y", "--json", FRESH, "tasks/router.py"),
    ],
)
def test_nothing_is_said_where_nothing_was_deployed_or_a_program_reads(arguments: tuple[str, ...]) -> None:
    result = pyinfra(*arguments)
    assert result.returncode == 0, result.stderr
    assert "--> Summary" not in result.stderr + result.stdout
    assert "--> Next" not in result.stderr + result.stdout
    if "--json" in arguments:
        assert json.loads(result.stdout)["results"]["failed_hosts"] == []


def test_hosts_that_cannot_be_connected_to_are_named(tmp_path: Path) -> None:
    """Nothing listens at ports around 100, and a dry run says it too."""
    lab = tmp_path / "lab.yaml"
    text = (ROOT / "inventory" / "lab.yaml").read_text()
    lab.write_text(text.replace("ssh_port: 600", "ssh_port: 1"))
    result = pyinfra("--dry", "inventory/lab.py", "tasks/router.py", CILIUMLAB_TOPOLOGY=str(lab))
    assert result.returncode == 1
    assert "    k8s-ctr, k8s-w1, k8s-w0 and router could not be connected to" in result.stderr


def test_an_inventory_that_does_not_ask_gets_no_summary(tmp_path: Path) -> None:
    (tmp_path / "own.py").write_text('hosts = ["@fake/a"]\n')
    (tmp_path / "deploy.py").write_text(
        "from ciliumlab.operations import guards\n"
        'guards.confirmed(name="Sure", answer="a", wanted="a", what="does nothing")\n'
    )
    result = pyinfra("-y", str(tmp_path / "own.py"), str(tmp_path / "deploy.py"))
    assert result.returncode == 0, result.stderr
    assert "--> Summary" not in result.stderr


def test_colours_are_a_terminal_s_alone(tmp_path: Path) -> None:
    arguments = ["-y", FRESH, "tasks/router.py"]
    piped = pyinfra(*arguments).stderr
    assert "\x1b" not in piped[piped.index(SUMMARY) :]
    main, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "CILIUMLAB_STATE": str(tmp_path)}
    environment.pop("NO_COLOR", None)
    with subprocess.Popen(
        [sys.executable, "-m", "pyinfra", *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
    ) as process:
        os.close(terminal)
        printed = b""
        while chunk := _read(main):
            printed += chunk
    os.close(main)
    assert process.returncode == 0
    summary = printed.decode()
    assert "\x1b[32m5 changed" in summary[summary.index(SUMMARY) :]


def _read(terminal: int) -> bytes:
    """A terminal whose other side is closed fails, where a pipe would end."""
    try:
        return os.read(terminal, 4096)
    except OSError:
        return b""


def test_time_in_which_hosts_are_at_a_stage_together_counts_once() -> None:
    clock = Clock(
        spans={
            ("a", "x"): [1.0, 4.0],
            ("b", "x"): [2.0, 5.0],
            ("a", "y"): [9.0, 11.0],
            ("b", "z"): [0.0, 9.0],
        }
    )
    assert clock.seconds(["x", "y"]) == 6.0
