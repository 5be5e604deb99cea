"""A guest, as far as it goes without QEMU: whether one runs, and how one that hangs is ended."""

import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from threading import Event

import pytest

from ciliumlab.errors import LabError
from ciliumlab.machines import accelerator, boot, identity
from ciliumlab.machines.accelerator import Accelerator
from ciliumlab.machines.guest import Guests
from ciliumlab.machines.image import Image
from ciliumlab.state import State
from ciliumlab.topology import Machine, load

TOPOLOGY = Path(__file__).parents[3] / "inventory" / "lab.yaml"

# A QEMU without a processor to run on: it has made its socket, and does nothing more.
_HANGS = "import signal, socket, sys; s = socket.socket(socket.AF_UNIX); s.bind(sys.argv[1]); s.listen(1)"


@pytest.fixture
def state(tmp_path: Path) -> State:
    state = State(tmp_path / ".lab")
    state.create()
    return state


@pytest.fixture
def guests(state: State) -> Guests:
    return Guests(load(TOPOLOGY), state)


@pytest.fixture
def machine(guests: Guests, state: State) -> Machine:
    machine = load(TOPOLOGY).machines[0]
    state.machine(machine.name).mkdir()
    return machine


@pytest.fixture
def hangs(state: State, machine: Machine) -> Iterator[subprocess.Popen[bytes]]:
    monitor = state.socket(machine.name, "qmp")
    process = subprocess.Popen(
        [sys.executable, "-c", f"{_HANGS}; print(flush=True); signal.pause()", str(monitor)],
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    process.stdout.readline()
    (state.machine(machine.name) / "qemu.pid").write_text(f"{process.pid}\n")
    yield process
    process.kill()
    process.communicate()


def test_one_that_hangs_runs(guests: Guests, machine: Machine, hangs: subprocess.Popen[bytes]) -> None:
    """However often it was asked: those it has not got round to wait in a queue that is short."""
    assert [guests.running(machine) for _ in range(20)] == [True] * 20


def test_one_that_was_not_started_or_has_ended_does_not_run(
    guests: Guests, state: State, machine: Machine
) -> None:
    assert not guests.running(machine)
    with socket.socket(socket.AF_UNIX) as monitor:
        monitor.bind(str(state.socket(machine.name, "qmp")))
        monitor.listen()
        assert guests.running(machine)
    assert state.socket(machine.name, "qmp").exists()
    assert not guests.running(machine)


def test_one_that_hangs_is_killed_in_the_end(
    guests: Guests, machine: Machine, hangs: subprocess.Popen[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ciliumlab.machines.guest._ANSWER_SECONDS", 0.2)
    guests.power_off(machine)
    assert hangs.wait(timeout=20) == -signal.SIGKILL


def test_one_that_goes_off_while_it_boots_is_told_with_the_last_line_of_its_qemu(
    guests: Guests, state: State, machine: Machine
) -> None:
    (state.machine(machine.name) / "qemu.log").write_text("one\nterminating on signal 15 from pid 1\n")
    with pytest.raises(LabError) as told:
        boot.wait(state, machine, guests, Path("console.log"), Event())
    assert str(told.value) == (
        f"{machine.name}: it went off while booting (terminating on signal 15 from pid 1);"
        " its last words are in console.log"
    )


def test_one_that_another_version_started_has_said_nothing(guests: Guests, machine: Machine) -> None:
    assert guests.last_line(machine) == "it said nothing"


@pytest.mark.parametrize(("way", "by_hpet"), [("tcg", True), ("kvm", False)])
def test_emulated_kernels_do_not_find_out_how_fast_the_time_stamp_counter_is(
    way: str, by_hpet: bool, tmp_path: Path, state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr(
        accelerator, "choose", lambda target, kernel: Accelerator(way, (), "it was asked for")
    )
    lab = load(TOPOLOGY)
    guests, node = Guests(replace(lab, segments=()), state), replace(lab.machines[0], interfaces=())
    identity.prepare(state, [node])
    base = Image("any", tmp_path, "raw", "/dev/vda", cloud_init=False)
    guests.prepare(base)
    command = guests._command(node, base, tmp_path / "disk")
    assert ("tsc=unstable" in command[command.index("-append") + 1].split()) == by_hpet
