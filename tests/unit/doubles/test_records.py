"""What kubelet keeps of pods: records, addresses, and nothing when all is over."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest
from kubelet import network, pods, programs
from kubelet.record import Record, everything_recorded


class Served:
    """An API server that has these objects."""

    def __init__(self, **objects: Any) -> None:
        self.objects = objects

    def find(self, path: str) -> Any:
        return self.objects.get(path.split("/")[-2])

    get = find


def test_a_process_that_a_kubelet_left_is_ended_and_no_other(root) -> None:
    process = subprocess.Popen(["sleep", "1000"])
    other = subprocess.Popen(["sleep", "1000"])
    try:
        record = Record("n", "uid")
        record.runs("main", process.pid)
        record.processes["other"] = other.pid, "another start"
        record.write()
        assert everything_recorded() == [("n", "uid")]
        pods.clear("n", "uid")
        assert process.wait(10) == -9
        assert other.poll() is None
        assert everything_recorded() == []
    finally:
        for each in (process, other):
            each.kill()
            each.wait()


def test_addresses_go_round_and_leave_out_what_is_taken() -> None:
    api = Served(nodes={"spec": {"podCIDR": "10.0.0.0/29"}})
    addresses, found = network.Addresses(), []
    for _ in range(6):
        found.append(addresses.free(api, "n", {"10.0.0.3"}))
        addresses.given()
    assert found == ["10.0.0.2", "10.0.0.4", "10.0.0.5", "10.0.0.6", "10.0.0.2", "10.0.0.4"]
    with pytest.raises(network.NotReady, match=r"no address of .* is left"):
        addresses.free(api, "n", {f"10.0.0.{last}" for last in range(8)})


def test_cilium_says_first_which_addresses_a_node_has() -> None:
    spec = {
        "ipam": {"podCIDRs": ["10.1.0.0/24"]},
        "addresses": [
            {"type": "CiliumInternalIP", "ip": "10.1.0.2"},
            {"type": "InternalIP", "ip": "10.9.0.1"},
        ],
        "health": {"ipv4": "10.1.0.3"},
    }
    api = Served(nodes={"spec": {"podCIDR": "10.0.0.0/24"}}, ciliumnodes={"spec": spec})
    assert network.Addresses().free(api, "n", set()) == "10.1.0.4"
    waiting = Served(nodes={"spec": {"podCIDR": "10.0.0.0/24"}}, ciliumnodes={"spec": {}})
    with pytest.raises(network.NotReady, match="node n has no pod CIDR"):
        network.Addresses().free(waiting, "n", set())


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ("traefik/whoami", "traefik/whoami"),
        ("docker.io/traefik/whoami:v1.10", "traefik/whoami"),
        ("quay.io/cilium/cilium:v1.18.0@sha256:00", "quay.io/cilium/cilium"),
        ("localhost:5000/web", "localhost:5000/web"),
        ("localhost:5000/web:2", "localhost:5000/web"),
    ],
)
def test_images_are_known_by_their_repository(image: str, name: str) -> None:
    assert programs.repository(image) == name


def test_an_image_is_run_only_for_what_it_is_known_for(monkeypatch, tmp_path) -> None:
    (tmp_path / "cilium").mkdir()
    (tmp_path / "cilium/agent.py").touch()
    monkeypatch.setattr(programs, "LIBRARY", tmp_path)
    agent = {"image": "quay.io/cilium/cilium:v1.18.0", "command": ["cilium-agent"]}
    assert programs.program(agent, False) is programs.PROGRAMS["quay.io/cilium/cilium"]
    preflight = {**agent, "command": ["/bin/sh"], "args": ["-c", "touch /tmp/ready; sleep 1h"]}
    assert programs.program(preflight, True) is None
    operator = {"image": "quay.io/cilium/operator-generic", "command": ["cilium-operator-generic"]}
    assert programs.program(operator, True) is None, "its module is not there"
    monkeypatch.undo()
    whoami = {"image": "traefik/whoami"}
    assert programs.program(whoami, True) is not None
    assert programs.program(whoami, False) is None
