"""What a preflight's findings do to a whole run, over pyinfra's @fake connector."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .harness import ROOT
from .test_deploy import ALL, FRESH, NODES, pyinfra

DEPLOY = f"""
from pyinfra import local
from pyinfra.context import host
from pyinfra.operations import server
from ciliumlab.operations import preflight
local.include("{ROOT}/tasks/preflight.py")
server.shell(name="Base", commands=["true"])
with host.when(preflight.runtime_goes_ahead):
    server.shell(name="Runtime", commands=["true"])
with host.when(preflight.cluster_goes_ahead):
    server.shell(name="Cluster", commands=["true"])
"""

UNRESOLVED = "cannot be had: Could not resolve host; give this host a way there, or name a mirror by"


@pytest.fixture
def lab(tmp_path: Path) -> Path:
    (tmp_path / "deploy.py").write_text(DEPLOY)
    return tmp_path


def run(
    lab: Path, change: str, *arguments: str, deploy: str = ""
) -> tuple[subprocess.CompletedProcess[str], dict[str, list[str]]]:
    """A run whose hosts answer otherwise, by a line of Python that changes ``answers`` of the host ``name``;
    and the hosts on which each operation did something.
    """
    inventory = lab / "inventory.py"
    inventory.write_text(
        f'import runpy\n_groups = runpy.run_path("{ROOT / FRESH}")\n'
        f"def _change(name, answers):\n    {change}\n"
        "for _hosts in _groups.values():\n"
        "    for _name, _data in _hosts if isinstance(_hosts, list) else ():\n"
        '        _change(_name, _data["fake_responses"]["MemTotal"])\n'
        'globals().update({key: hosts for key, hosts in _groups.items() if not key.startswith("_")})\n'
    )
    result = pyinfra("-y", "--json", *arguments, str(inventory), deploy or str(lab / "deploy.py"))
    # A run that no host is left in ends without an account.
    account = json.loads(result.stdout)["results"] if result.stdout else {"operations": []}
    done: list[dict[str, Any]] = account["operations"]
    return result, {one["name"]: one["success"] for one in done}


def lose(server: str, host: str) -> str:
    """A change after which a host does not find a server."""
    return (
        'answers[:] = [line.replace("|200|", "|000|") + "Could not resolve host"'
        f' if name == "{host}" and line.startswith("|200|https://{server}") else line for line in answers]'
    )


def test_with_all_at_hand_all_is_deployed(lab: Path) -> None:
    result, done = run(lab, "pass")
    assert (result.returncode, done["Cluster"]) == (0, ALL)
    assert "not deployed" not in result.stderr


def test_a_source_that_is_required_stops_every_host_before_any_change(lab: Path) -> None:
    result, done = run(lab, lose("pkgs.k8s.io", "@fake/k8s-w1"))
    assert (result.returncode, done) == (1, {})
    assert "operation: Base" not in result.stderr
    line = f"https://pkgs.k8s.io/core:/stable:/v1.33/deb/Release.key: {UNRESOLVED}"
    assert line in result.stderr
    assert "stopped, as @fake/k8s-w1 cannot take part; nothing was changed on any host" in result.stderr
    assert "not deployed" not in result.stderr


def test_a_source_may_be_missing_and_the_last_line_says_what_was_left_out(lab: Path) -> None:
    result, done = run(lab, lose("pkgs.k8s.io", "@fake/k8s-w1"), "--data", "cluster=auto")
    assert result.returncode == 0
    assert (done["Base"], done["Runtime"], done.get("Cluster", [])) == (ALL, ALL, [])
    assert UNRESOLVED in result.stderr
    assert last(result) == (
        "The cluster was not deployed: @fake/k8s-w1 cannot have what is at https://pkgs.k8s.io."
        " Deploy again where that can be had, or name a mirror by --data mirror=URL."
    )


def test_without_its_own_source_the_runtime_is_left_out_too(lab: Path) -> None:
    result, done = run(lab, lose("download.docker.com", "@fake/k8s-w0"), "--data", "cluster=auto")
    assert (done["Base"], done.get("Runtime", []), done.get("Cluster", [])) == (ALL, [], [])
    assert "The container runtime and the cluster were not deployed: @fake/k8s-w0 cannot" in last(result)


def test_the_distributions_runtime_needs_no_source(lab: Path) -> None:
    data = ("--data", "cluster=auto", "--data", "containerd_package=containerd")
    _, done = run(lab, lose("", "@fake/k8s-w0"), *data)
    assert (done["Runtime"], done.get("Cluster", [])) == (ALL, [])


def test_what_is_wrong_with_a_host_is_no_matter_of_sources(lab: Path) -> None:
    change = (
        'answers[:] = [line.replace("6.12.41", "5.4.0") if "router" in name else line for line in answers]'
    )
    result, done = run(lab, change, "--data", "cluster=auto")
    assert (result.returncode, done) == (1, {})
    assert "operation: Base" not in result.stderr
    assert "kernel: Linux 5.4.0+deb13-cloud-amd64 is older than Cilium's 5.10" in result.stderr


def test_a_host_that_dies_meanwhile_fails_alone(lab: Path) -> None:
    change = '"router" in name and answers.clear()'
    result, done = run(lab, change)
    assert result.returncode == 1
    assert done["Cluster"] == NODES
    assert "Preflight could not be read for the reason above; nothing was changed" in result.stderr


def test_hosts_outside_the_limit_do_not_count(lab: Path) -> None:
    result, done = run(lab, lose("pkgs.k8s.io", "@fake/k8s-w1"), "--limit", "@fake/k8s-w0")
    assert (result.returncode, done["Cluster"]) == (0, ["@fake/k8s-w0"])


def test_a_dry_run_says_the_same(lab: Path) -> None:
    run(lab, lose("pkgs.k8s.io", "@fake/k8s-w1"))
    arguments = ("--dry", str(lab / "inventory.py"), str(lab / "deploy.py"))
    assert UNRESOLVED in pyinfra(*arguments).stderr
    assert "The cluster was not deployed: " in last(pyinfra(*arguments, "--data", "cluster=auto"))


def test_where_no_preflight_ran_nothing_is_left_out(lab: Path) -> None:
    alone = lab / "alone.py"
    alone.write_text(DEPLOY.replace("local.include", "#"))
    _, done = run(lab, lose("pkgs.k8s.io", "@fake/k8s-w1"), deploy=str(alone))
    assert done["Cluster"] == ALL


def last(result: subprocess.CompletedProcess[str]) -> str:
    return result.stderr.splitlines()[-1].strip()
