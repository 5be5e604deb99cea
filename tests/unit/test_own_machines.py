"""The example of machines that are reached directly: what docs/own-machines.md says of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ciliumlab.cli import main
from ciliumlab.topology import Topology, load

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples" / "own-machines" / "lab.yaml"


@pytest.fixture
def topology() -> Topology:
    return load(EXAMPLE)


def ciliumlab(*arguments: str) -> Result:
    environment = {"CILIUMLAB_TOPOLOGY": str(EXAMPLE), "CILIUMLAB_STATE": None}
    return CliRunner().invoke(main, arguments, env=environment)


def test_three_segments_two_pools_and_nothing_to_make(topology: Topology) -> None:
    assert (len(topology.segments), len(topology.pools)) == (3, 2)
    assert len({pool.segment.name for pool in topology.pools}) == 2
    assert not [machine.name for machine in topology.machines if machine.runs_here]


def test_it_plans(monkeypatch: pytest.MonkeyPatch, topology: Topology) -> None:
    monkeypatch.chdir(ROOT)
    result = ciliumlab("plan", "--json", "--data", "l2_announcements=true")
    assert result.exit_code == 0, result.output
    built = json.loads(result.stdout)
    assert list(built["hosts"]) == [machine.name for machine in topology.machines]
    # Each node reaches both other segments, by the router's address on its own.
    for node in topology.nodes:
        (interface,) = node.interfaces
        routes = {route["to"] for route in built["hosts"][node.name]["interfaces"][interface.name]["routes"]}
        assert {str(segment.cidr) for segment in topology.segments} - routes == {str(interface.segment.cidr)}
    pools = {made["metadata"]["name"]: made for made in built["manifests"] if made["kind"].endswith("IPPool")}
    assert {name: pool["spec"]["serviceSelector"]["matchLabels"] for name, pool in pools.items()} == {
        "net10-pool": {"ciliumlab.io/segment": "net10"},
        "net20-pool": {"ciliumlab.io/segment": "net20"},
    }


def inventory(environment: Mapping[str, str]) -> list[dict[str, Any]]:
    """The hosts that pyinfra reads from it."""
    run = subprocess.run(
        [sys.executable, "-m", "pyinfra", "inventory/lab.py", "debug-inventory", "--json"],
        cwd=ROOT,
        env={**environment, "CILIUMLAB_TOPOLOGY": str(EXAMPLE)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    hosts: list[dict[str, Any]] = json.loads(run.stdout)
    return hosts


def test_pyinfra_is_told_how_to_reach_each(topology: Topology) -> None:
    hosts = inventory({name: value for name, value in os.environ.items() if name != "CILIUMLAB_STATE"})
    reach = {
        host["name"]: tuple(host["data"].get(f"ssh_{key}") for key in ("hostname", "port", "user", "key"))
        for host in hosts
    }
    key = "~/.ssh/own-machines"
    # Not by paramiko's own transport, which lets small packets wait.
    kwargs = [host["data"]["ssh_paramiko_connect_kwargs"] for host in hosts]
    assert {one["transport_factory"] for one in kwargs} == {"Function: without_delay"}
    assert reach == {
        "control": ("192.0.2.10", 22, "ops", key),
        "worker-a": ("192.0.2.11", 22, "ops", key),
        "worker-b": ("192.0.2.20", 22, "ops", key),
        "worker-c": ("worker-c.example.org", 2222, "root", key),
        "router": ("192.0.2.9", 22, "ops", key),
    }
    assert not [host["name"] for host in hosts if "ssh_known_hosts_file" in host["data"]]


@pytest.mark.parametrize("home", ["never used SSH", "cannot be written to"])
def test_there_is_a_file_for_their_host_keys(tmp_path: Path, home: str) -> None:
    """As ssh(1) would make it at the first connection; pyinfra would fail there."""
    folder = tmp_path if home == "never used SSH" else Path("/dev/null")
    inventory({**os.environ, "HOME": str(folder)})
    made = {
        str(path.relative_to(folder)): path.stat().st_mode & 0o777
        for path in (tmp_path / ".ssh", tmp_path / ".ssh" / "known_hosts")
        if path.exists()
    }
    assert made == ({".ssh": 0o700, ".ssh/known_hosts": 0o600} if folder == tmp_path else {})


def test_they_are_shown_and_left_alone() -> None:
    result = ciliumlab("status", "--json")
    assert result.exit_code == 0, result.output
    assert {row["state"] for row in json.loads(result.stdout)} == {"direct"}
    for command in ("up", "vagrantfile"):
        result = ciliumlab(command)
        assert (result.exit_code, result.stdout) == (2, "")
        assert "every machine is reached directly (ssh_host)" in result.stderr
        assert len(result.stderr.splitlines()) == 1
    assert [path.name for path in EXAMPLE.parent.iterdir()] == ["lab.yaml"]
