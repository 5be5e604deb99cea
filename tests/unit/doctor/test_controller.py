"""What the doctor says of the controller: one thing taken away, and the line that says it."""

from __future__ import annotations

import socket
from collections.abc import Callable
from importlib import metadata
from pathlib import Path

import pytest
import yaml

from ciliumlab.doctor import controller
from ciliumlab.errors import LabError, Problem
from ciliumlab.machines import accelerator, debian, host, image
from ciliumlab.machines.container import Containers
from ciliumlab.machines.guest import Guests
from ciliumlab.machines.lab import Lab
from ciliumlab.state import State
from ciliumlab.topology import load

pytestmark = pytest.mark.usefixtures("fit_host")

GONE = [Problem("qemu-img", "the program is not installed")]
NO_ROOT = [Problem("--kind container", "needs root")]


@pytest.fixture
def said(lab_file: Path, tmp_path: Path) -> Callable[[], list[str]]:
    lab = Lab(load(lab_file), State(tmp_path / "state"), str(lab_file))
    return lambda: [str(finding) for finding in controller.host(lab, tmp_path)]


def test_nothing_is_said_of_a_host_that_lacks_nothing(said: Callable[[], list[str]]) -> None:
    assert said() == []
    assert list(controller.environment()) == []


def test_a_host_that_can_run_one_kind_is_fit(
    said: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Containers, "problems", lambda self, machines: [*NO_ROOT])
    assert said() == ["note: --kind container: needs root"]


def test_a_host_that_can_run_no_kind_is_not(
    said: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Containers, "problems", lambda self, machines: [*NO_ROOT])
    monkeypatch.setattr(Guests, "problems", lambda self, machines: [*GONE])
    assert said() == [
        "against: qemu-img: the program is not installed",
        "against: --kind container: needs root",
    ]


def test_prerequisites_sh_is_asked_and_its_packages_are_told_once(
    said: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.undo()
    script = tmp_path / "prerequisites.sh"
    script.write_text(
        '#!/bin/sh\n[ "$1" = --list ] && echo "prerequisites: to be installed by apt-get: vde2 qemu-utils"\n'
    )
    script.chmod(0o755)
    told = controller._prerequisites(tmp_path)
    assert str(told) == (
        "prerequisites.sh: to be installed by apt-get: vde2 qemu-utils; run ./prerequisites.sh, or make lab"
    )
    monkeypatch.setattr(controller, "_prerequisites", lambda project: told)
    monkeypatch.setattr(Guests, "problems", lambda self, machines: [*GONE])
    monkeypatch.setattr(Containers, "problems", lambda self, machines: [*NO_ROOT])
    lines = said()
    assert f"against: {told}" in lines
    assert not any("qemu-img" in line for line in lines)


def test_prerequisites_sh_that_has_nothing_to_say_is_not_mentioned(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    assert controller._prerequisites(tmp_path) is None
    script = tmp_path / "prerequisites.sh"
    script.write_text("#!/bin/sh\n")
    script.chmod(0o755)
    assert controller._prerequisites(tmp_path) is None
    script.chmod(0o644)
    assert "could not be asked" in str(controller._prerequisites(tmp_path))


@pytest.mark.parametrize(
    ("reason", "fix"),
    [
        ("/dev/kvm may not be opened by this user (the group kvm may)", "sudo usermod -aG kvm"),
        ("there is no /dev/kvm", "switch virtualisation on"),
    ],
)
def test_emulation_is_told_with_its_reason_and_what_helps(
    reason: str, fix: str, said: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "why_no_device", lambda: reason)
    monkeypatch.setattr(accelerator, "qemu_version", lambda program: (10, 0))
    (line,) = said()
    assert line.startswith(f"note: acceleration: {reason}, so that guests are emulated")
    assert fix in line


def test_a_device_is_believed_only_when_a_kernel_was_seen_to_start(
    said: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "why_no_hardware", lambda target, kernel: f"it cannot run {kernel.name}")
    assert said() == []
    folder = image.cache() / f"debian-13-{image.architecture()}-0123456789ab"
    folder.mkdir(parents=True)
    (folder / "vmlinuz").touch()
    (line,) = said()
    assert "note: acceleration: it cannot run vmlinuz" in line


def test_a_qemu_that_can_neither_accelerate_nor_emulate_is_against_guests(
    said: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accelerator, "why_no_device", lambda: "there is no /dev/kvm")
    monkeypatch.setattr(accelerator, "qemu_version", lambda program: (7, 2))
    monkeypatch.setattr(controller.programs, "find", lambda program: program)
    (line,) = said()
    assert "note: qemu-system-" in line and "version 7.2 cannot emulate" in line
    monkeypatch.setattr(Containers, "problems", lambda self, machines: [*NO_ROOT])
    assert [line.partition(":")[0] for line in said()] == ["against", "against"]


def test_an_image_that_can_be_had_nowhere(
    said: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreachable(url: str) -> str:
        raise LabError(Problem(url, "cannot be downloaded: no route"))

    monkeypatch.setattr(controller.download, "read_text", unreachable)
    assert said() == ["note: Ubuntu's image: cannot be downloaded: no route; Debian's is built instead"]
    monkeypatch.setattr(debian, "problems", lambda: [Problem("mmdebstrap", "the program is not installed")])
    assert [line.partition(":")[0] for line in said()] == ["against", "against"]


def test_a_port_that_is_taken(said: Callable[[], list[str]], lab_file: Path) -> None:
    port = yaml.safe_load(lab_file.read_text())["router"]["ssh_port"]
    with socket.socket() as taker:
        taker.bind(("127.0.0.1", port))
        taker.listen()
        (line,) = said()
    assert line.startswith(f"against: {lab_file}: router.ssh_port: {port} cannot be used on this host")


def test_memory_and_disk(said: Callable[[], list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "_available_memory_mib", lambda: 1000)
    monkeypatch.setattr(host.shutil, "disk_usage", lambda folder: type("Usage", (), {"free": 1 << 30}))
    disk, memory = said()
    assert disk.startswith("against: ") and "1024 MiB of disk are free and 8192 are needed" in disk
    assert memory.startswith("note: this host: the machines to start take ")
    # Where guests are all that there is, it is no longer a matter of taste.
    monkeypatch.setattr(Containers, "problems", lambda self, machines: [*NO_ROOT])
    assert any(line.startswith("against: this host: the machines to start take") for line in said())


def test_a_package_of_another_version_and_one_that_is_gone(monkeypatch: pytest.MonkeyPatch) -> None:
    known = metadata.version

    def version(name: str) -> str:
        if name == "netaddr":
            raise metadata.PackageNotFoundError(name)
        return "3.9.2" if name == "pyinfra" else known(name)

    monkeypatch.setattr(metadata, "version", version)
    assert [str(finding) for finding in controller.environment()] == [
        "against: netaddr: is not installed, and <2,>=1.3 is needed; pip install 'netaddr<2,>=1.3'",
        "against: pyinfra: version 3.9.2 is installed, and <4,>=3.10 is needed;"
        " pip install 'pyinfra<4,>=3.10'",
    ]


def test_an_old_python(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(controller.platform, "python_version", lambda: "3.10.4")
    assert [str(finding) for finding in controller.environment()] == [
        "against: Python: 3.10.4 runs, and >=3.11 is needed; make .venv anew"
    ]


def test_machines_that_are_others_need_nothing_here_but_ssh(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = Path(__file__).parents[1] / "topologies" / "valid" / "direct-machines.yaml"
    lab = Lab(load(path), State(tmp_path), str(path))
    monkeypatch.setattr(Guests, "problems", lambda self, machines: [*GONE])
    assert [*controller.host(lab, tmp_path)] == []
    monkeypatch.setattr(controller.programs, "find", lambda program: None)
    (finding,) = controller.host(lab, tmp_path)
    assert str(finding).startswith(
        "against: ssh: the program is not installed; apt-get install openssh-client"
    )
