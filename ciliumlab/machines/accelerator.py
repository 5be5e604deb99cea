"""How guests are executed: by the hardware where that works, by emulation where it does not.

That /dev/kvm exists says little: on nested and restricted hosts it opens and still cannot run a stock
kernel. So the guests' own kernel is started for a moment, and its first line on the serial console is
the proof.
"""

from __future__ import annotations

import os
import re
import selectors
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from ciliumlab.errors import LabError, Problem
from ciliumlab.machines.programs import find, run

_PROBE_SECONDS = 6
_FIRST_LINE = b"Linux version"

# Under QEMU 7.2's TCG a 6.12 kernel panics (double fault, invalid opcode), with one thread as with
# several; 10.0 runs it without a fault. Ubuntu 24.04's 8.2 is the oldest that a supported host brings.
OLDEST_FOR_TCG = (8, 2)


@dataclass(frozen=True)
class Target:
    """What differs between processor architectures."""

    program: str
    machine: str
    console: str
    emulated_cpu: str
    emulated_kernel: str = ""  # more of its command line


# Emulated processors: what container images may ask for (x86-64-v2, ARMv8) and no more. With `max`
# programs find AVX2 and use it, and emulating that made a boot cost a quarter more processor time
# (39 s against 31 s, QEMU 10.0).
#
# A kernel on x86 finds out how fast the time stamp counter is by a loop beside the interval timer. Where
# the emulator is kept waiting meanwhile, it may be up to 13 times wrong (in 13 of 80 boots beside 10 to 12
# busy processes on two processors), and the clock goes as much too fast until the kernel notices: it was
# seconds ahead. With this argument it goes by the HPET from the start (Linux's kernel-parameters, tsc=).
TARGETS = {
    "amd64": Target("qemu-system-x86_64", "q35", "ttyS0", "Nehalem,vme=off", "tsc=unstable"),
    "arm64": Target("qemu-system-aarch64", "virt", "ttyAMA0", "cortex-a72"),
}


@dataclass(frozen=True)
class Accelerator:
    """QEMU's arguments for one way of execution, and why it was chosen."""

    name: str
    arguments: tuple[str, ...]
    reason: str


def qemu_version(program: str) -> tuple[int, int]:
    """Major and minor version of a QEMU program."""
    printed = run([program, "--version"], what="asking QEMU for its version")
    found = re.search(r"version (\d+)\.(\d+)", printed)
    if found is None:
        raise LabError(Problem(program, f"its version cannot be told from {printed.splitlines()[0]!r}"))
    return int(found[1]), int(found[2])


def _hardware() -> str:
    return "hvf" if sys.platform == "darwin" else "kvm"


def why_no_hardware(target: Target, kernel: Path) -> str | None:
    """None when the kernel was seen to start with hardware acceleration; else what keeps it from it."""
    return why_no_device() or _why_not(target, _hardware(), kernel)


def choose(target: Target, kernel: Path) -> Accelerator:
    """The quickest way that was seen to work. LabError when only a too old TCG is left."""
    name = _hardware()
    reason = why_no_hardware(target, kernel)
    if reason is None:
        return Accelerator(name, ("-accel", name, "-cpu", "host"), f"a kernel starts with {name.upper()}")
    version = qemu_version(target.program)
    if version < OLDEST_FOR_TCG:
        raise LabError(
            Problem(
                target.program,
                f"version {version[0]}.{version[1]} cannot emulate the guests' kernel (it panics), and"
                f" {name.upper()} does not work here: {reason}; install QEMU"
                f" {OLDEST_FOR_TCG[0]}.{OLDEST_FOR_TCG[1]} or newer (on Debian 12 from"
                " bookworm-backports, which make lab does)",
            )
        )
    return Accelerator("tcg", ("-accel", "tcg,thread=multi", "-cpu", target.emulated_cpu), reason)


def why_no_device() -> str | None:
    """None when this user can open the hardware's device; whether that can run a kernel, it does not say."""
    if sys.platform == "darwin":
        return None
    if not Path("/dev/kvm").exists():
        return "there is no /dev/kvm"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm may not be opened by this user (the group kvm may)"
    return None


def _why_not(target: Target, name: str, kernel: Path) -> str | None:
    """None when the kernel's first line appears; else what QEMU or the clock says."""
    process = subprocess.Popen(
        [
            *(find(target.program) or target.program, "-nodefaults", "-no-user-config"),
            *("-M", target.machine, "-accel", name, "-cpu", "host", "-m", "512", "-display", "none"),
            *("-kernel", str(kernel), "-append", f"console={target.console} panic=-1", "-no-reboot"),
            *("-chardev", "stdio,id=console", "-serial", "chardev:console"),
        ],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert process.stdout is not None and process.stderr is not None
    seen = b""
    deadline = time.monotonic() + _PROBE_SECONDS
    with selectors.DefaultSelector() as selector:
        selector.register(process.stdout, selectors.EVENT_READ)
        while (left := deadline - time.monotonic()) > 0 and _FIRST_LINE not in seen:
            if selector.select(left):
                chunk = os.read(process.stdout.fileno(), 4096)
                if not chunk:
                    break
                seen += chunk
    process.kill()
    said = process.communicate()[1].decode(errors="replace")
    if _FIRST_LINE in seen:
        return None
    first = next((line for line in said.splitlines() if "warning" not in line), "")
    first = first.removeprefix(f"{target.program}: ").removeprefix("error: ")
    return f"{name.upper()} is there but cannot run a kernel ({first or f'silent for {_PROBE_SECONDS} s'})"
