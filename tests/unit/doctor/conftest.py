"""A lab of its own for each test, and a host that lacks nothing until a test takes something away."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
import yaml

from ciliumlab.doctor import controller
from ciliumlab.machines import accelerator, debian, host
from ciliumlab.machines.container import Containers
from ciliumlab.machines.guest import Guests

ROOT = Path(__file__).parents[3]


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens at."""
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


@pytest.fixture
def lab_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The reference lab on free ports, with its state beside it."""
    declared = yaml.safe_load((ROOT / "inventory" / "lab.yaml").read_text())
    machines = [*declared["nodes"].values(), declared["router"]]
    for machine, port in zip(machines, free_ports(len(machines)), strict=True):
        machine["ssh_port"] = port
    path = tmp_path / "lab.yaml"
    path.write_text(yaml.safe_dump(declared, sort_keys=False))
    monkeypatch.chdir(ROOT)
    monkeypatch.delenv("CILIUMLAB_TOPOLOGY", raising=False)
    monkeypatch.setenv("CILIUMLAB_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("CILIUMLAB_CACHE", str(tmp_path / "cache"))
    return path


@pytest.fixture
def fit_host(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever this host is like, it can run guests and containers, with room for them."""
    monkeypatch.setattr(Guests, "problems", lambda self, machines: [])
    monkeypatch.setattr(Containers, "problems", lambda self, machines: [])
    monkeypatch.setattr(accelerator, "why_no_device", lambda: None)
    monkeypatch.setattr(debian, "problems", lambda: [])
    monkeypatch.setattr(controller.download, "read_text", lambda url: "")
    monkeypatch.setattr(controller, "_prerequisites", lambda project: None)
    monkeypatch.setattr(host, "_available_memory_mib", lambda: 99_999)
    monkeypatch.setattr(host.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 99_999 << 20}))
