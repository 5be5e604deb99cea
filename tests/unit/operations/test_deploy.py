"""The whole deploy over pyinfra's @fake connector: hosts that answer as fresh ones do, and do nothing."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from .harness import ROOT

FRESH = "tests/unit/operations/fresh.py"
NODES = ["@fake/k8s-ctr", "@fake/k8s-w0", "@fake/k8s-w1"]
ALL = [*NODES, "@fake/router"]


def pyinfra(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CILIUMLAB_")}
    return subprocess.run(
        [sys.executable, "-m", "pyinfra", *arguments],
        cwd=ROOT,
        env=kept | environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@cache
def planned(*arguments: str) -> dict[str, list[str]]:
    """The operations that a dry run says would change something, with their hosts."""
    result = pyinfra("--dry", "--json", FRESH, *arguments)
    assert result.returncode == 0, result.stderr
    plan: list[dict[str, Any]] = json.loads(result.stdout)["plan"]
    return {
        operation["name"].rpartition(" | ")[2]: operation["hosts_with_change"]
        for operation in plan
        if operation["hosts_with_change"]
    }


def test_a_fresh_lab_gets_everything() -> None:
    changes = planned("deploy.py")
    assert changes["Kernel modules are loaded now and at boot"] == NODES
    assert changes["Every machine is named in /etc/hosts"] == ALL
    assert changes["Addresses and static routes are in force now and at boot"] == ALL
    assert changes["Dummy interfaces are there now and after every boot"] == ["@fake/router"]
    assert changes["Apache is running"] == ["@fake/router"]
    assert "ufw and AppArmor are stopped and disabled" not in changes


@pytest.mark.parametrize("stage", ["base", "network", "router"])
def test_each_stage_runs_alone(stage: str) -> None:
    changes = planned(f"tasks/{stage}.py")
    assert set(changes) <= set(planned("deploy.py"))
    assert changes


def test_it_runs_to_its_end_and_shows_differences() -> None:
    result = pyinfra("-y", "--diff", FRESH, "deploy.py")
    assert result.returncode == 0, result.stderr
    assert "Will create /etc/netplan/60-ciliumlab.yaml" in result.stderr
    assert "+     eth1:" in result.stderr
    assert "<h1>Web Server : @fake/router</h1>" in result.stderr


def test_a_host_that_cannot_be_read_is_left_alone_and_named(tmp_path: Path) -> None:
    inventory = tmp_path / "silent.py"
    inventory.write_text(
        f'import runpy\nglobals().update(runpy.run_path("{ROOT / FRESH}"))\n'
        'failure = {"success": False, "stderr": "Input/output error"}\n'
        'routers[0][1]["fake_responses"] = {"/etc/hosts": failure}\n'
    )
    (tmp_path / "hosts.py").write_text(
        "from pyinfra.context import host\n"
        "from ciliumlab.operations import hosts\n"
        'hosts.block(name="Names", entries=host.data.etc_hosts, title="lab")\n'
    )
    result = pyinfra("-y", "--json", str(inventory), str(tmp_path / "hosts.py"))
    assert result.returncode == 1
    assert "HostsFile could not be read for the reason above; nothing was changed" in result.stderr
    assert json.loads(result.stdout)["results"]["failed_hosts"] == ["@fake/router"]
    (operation,) = json.loads(result.stdout)["results"]["operations"]
    assert (operation["success"], operation["error"]) == (NODES, ["@fake/router"])


@pytest.mark.parametrize("deploy", ["deploy.py", "tasks/router.py"])
def test_a_wrong_declaration_ends_before_any_host(tmp_path: Path, deploy: str) -> None:
    lab = tmp_path / "lab.yaml"
    text = (ROOT / "inventory" / "lab.yaml").read_text()
    lab.write_text(text.replace("192.168.10.0/24", "192.168.10.5/24").replace("60001", "0"))
    result = pyinfra("-y", "inventory/lab.py", deploy, CILIUMLAB_TOPOLOGY=str(lab))
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "Connecting" not in result.stderr
    problems = [line for line in result.stderr.splitlines() if line.startswith(str(lab))]
    assert len(problems) == 2


def test_a_wrong_setting_ends_before_any_host() -> None:
    result = pyinfra("-y", "--data", "datapath=foo", "--data", "ssh_user=me", "inventory/lab.py", "deploy.py")
    assert result.returncode == 2
    assert "--data datapath: must be native, vxlan or geneve, not foo" in result.stderr
    assert "Connecting" not in result.stderr


def test_settings_reach_the_plan() -> None:
    result = pyinfra("--data", "datapath=vxlan", "inventory/lab.py", "debug-inventory", "--json")
    modules = {host["name"]: host["data"]["kernel_modules"] for host in json.loads(result.stdout)}
    assert modules["k8s-w0"] == ["overlay", "br_netfilter", "vxlan"]


def test_keys_of_the_lab_are_used_where_they_are_and_only_here(tmp_path: Path) -> None:
    lab = tmp_path / "lab.yaml"
    text = (ROOT / "inventory" / "lab.yaml").read_text()
    lab.write_text(text.replace("ssh_port: 60010", "ssh_host: 10.9.9.9, ssh_user: me, ssh_key: /keys/mine"))
    for name in ("id_ed25519", "known_hosts"):
        (tmp_path / name).touch()
    result = pyinfra(
        *("inventory/lab.py", "debug-inventory", "--json"),
        CILIUMLAB_TOPOLOGY=str(lab),
        CILIUMLAB_STATE=str(tmp_path),
    )
    hosts = {host["name"]: host["data"] for host in json.loads(result.stdout)}
    own, direct = hosts["k8s-w1"], hosts["k8s-w0"]
    assert (own["ssh_key"], own["ssh_known_hosts_file"]) == (
        str(tmp_path / "id_ed25519"),
        str(tmp_path / "known_hosts"),
    )
    assert own["ssh_strict_host_key_checking"] == "yes"
    assert (direct["ssh_hostname"], direct["ssh_user"], direct["ssh_key"]) == ("10.9.9.9", "me", "/keys/mine")
    assert "ssh_known_hosts_file" not in direct
