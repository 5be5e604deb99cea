"""The choice of accelerator, with stand-ins for QEMU that behave as real ones were seen to."""

import stat
from pathlib import Path

import pytest

from ciliumlab.errors import LabError
from ciliumlab.machines import accelerator
from ciliumlab.machines.accelerator import TARGETS

BOOTS = 'printf "[    0.000000] Linux version 6.12 (debian)\\n"; exec sleep 60'
REFUSES = "echo 'qemu: error: failed to set MSR 0x10a to 0xc000069' >&2; exit 1"
HANGS = "exec sleep 60"


@pytest.fixture
def qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Put a QEMU in front of all others: its version, and what it does with a kernel."""

    def put(version: str, boot: str) -> None:
        program = tmp_path / TARGETS["amd64"].program
        program.write_text(
            "#!/bin/sh\n"
            f'[ "$1" = --version ] && {{ echo "QEMU emulator version {version} (Debian)"; exit; }}\n'
            f"{boot}\n"
        )
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setattr(accelerator, "find", lambda _: str(program))
        monkeypatch.setattr("ciliumlab.machines.programs.find", lambda _: str(program))

    monkeypatch.setattr(accelerator, "why_no_device", lambda: None)
    monkeypatch.setattr(accelerator, "_PROBE_SECONDS", 20)
    monkeypatch.setattr(accelerator.sys, "platform", "linux")
    return put


def choose() -> accelerator.Accelerator:
    return accelerator.choose(TARGETS["amd64"], Path("vmlinuz"))


def test_kvm_where_a_kernel_starts(qemu) -> None:
    qemu("10.0.2", BOOTS)
    chosen = choose()
    assert chosen.name == "kvm"
    assert chosen.arguments == ("-accel", "kvm", "-cpu", "host")


def test_emulation_where_kvm_refuses_the_kernel(qemu) -> None:
    qemu("10.0.2", REFUSES)
    chosen = choose()
    assert chosen.name == "tcg"
    assert chosen.reason == (
        "KVM is there but cannot run a kernel (qemu: error: failed to set MSR 0x10a to 0xc000069)"
    )


def test_emulation_where_the_kernel_stays_silent(qemu, monkeypatch: pytest.MonkeyPatch) -> None:
    qemu("10.0.2", HANGS)
    monkeypatch.setattr(accelerator, "_PROBE_SECONDS", 1)
    assert choose().reason == "KVM is there but cannot run a kernel (silent for 1 s)"


def test_emulation_where_the_device_cannot_be_opened(qemu, monkeypatch: pytest.MonkeyPatch) -> None:
    qemu("10.0.2", BOOTS)
    monkeypatch.setattr(accelerator, "why_no_device", lambda: "there is no /dev/kvm")
    assert choose().reason == "there is no /dev/kvm"


def test_a_qemu_that_is_too_old_to_emulate_is_refused_with_the_fix(qemu) -> None:
    qemu("7.2.22", REFUSES)
    with pytest.raises(LabError) as caught:
        choose()
    line = str(caught.value)
    assert line.startswith("qemu-system-x86_64: version 7.2 cannot emulate the guests' kernel")
    assert "install QEMU 8.2 or newer" in line
    assert "\n" not in line


def test_an_old_qemu_will_do_with_kvm(qemu) -> None:
    qemu("7.2.22", BOOTS)
    assert choose().name == "kvm"
