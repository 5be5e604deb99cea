"""The lab as a whole, as far as it goes without a machine: who is meant, what is refused and how."""

import signal
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Barrier, Event, get_ident

import pytest
from click.testing import CliRunner

from ciliumlab import cli
from ciliumlab.errors import DeclarationError, LabError, Problem
from ciliumlab.machines import boot, host, programs
from ciliumlab.machines.guest import Guests
from ciliumlab.machines.lab import Lab
from ciliumlab.progress import Progress
from ciliumlab.state import State
from ciliumlab.topology import Machine, load

TOPOLOGY = Path(__file__).parents[3] / "inventory" / "lab.yaml"


@pytest.fixture
def lab(tmp_path: Path) -> Lab:
    state = State(tmp_path / ".lab")
    state.create()
    return Lab(load(TOPOLOGY), state, "lab.yaml")


def test_a_mistyped_machine_is_told_the_nearest(lab: Lab) -> None:
    with pytest.raises(DeclarationError, match=r"k8s-w2: no machine of that name .* did you mean k8s-w"):
        lab.machine("k8s-w2")


@pytest.mark.parametrize("where", ["192.168.10.101", "w1.lab.example.org"])
def test_a_machine_that_is_reached_directly_is_not_run_here(where: str, tmp_path: Path) -> None:
    direct = tmp_path / "lab.yaml"
    w1 = "address: 192.168.10.101, ssh_port: 60001"
    text = TOPOLOGY.read_text()
    assert w1 in text
    direct.write_text(text.replace(w1, f"address: 192.168.10.101, ssh_host: {where}"))
    lab = Lab(load(direct), State(tmp_path / ".lab"), "lab.yaml")
    assert [machine.name for machine in lab.local()] == ["k8s-ctr", "k8s-w0", "router"]
    with pytest.raises(DeclarationError, match=f"k8s-w1: is reached directly at {where}"):
        lab.local(["k8s-w1"])
    assert {row["name"]: row["state"] for row in lab.status()}["k8s-w1"] == "direct"


def test_taken_ports_too_little_memory_and_disk_are_all_told(
    lab: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = lab.local()[0]
    monkeypatch.setattr(host, "_available_memory_mib", lambda: 1000)
    monkeypatch.setattr(host, "_DISK_MIB_A_MACHINE", 1 << 40)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        first = replace(first, ssh_port=taken.getsockname()[1])
        problems = [
            *host.ports([first], "lab.yaml"),
            *host.memory([first], "lab.yaml"),
            *host.disk([first], lab.state.root),
        ]
    port, memory, disk = map(str, problems)
    assert port.startswith(f"lab.yaml: k8s-ctr.ssh_port: {first.ssh_port} cannot be used on this host (Addr")
    total = first.memory_mib
    assert memory.startswith(f"this host: the machines to start take {total} MiB of memory and 1000 MiB")
    assert "MiB of disk are free" in disk


def test_missing_programs_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(programs, "find", lambda program: None if program == "vde_switch" else "/bin/x")
    [line] = map(str, programs.missing(["ssh", "vde_switch"]))
    assert line.startswith("vde_switch: the program is not installed; apt-get install vde2, or run make lab")


def test_a_failing_program_is_one_line_with_its_last_words() -> None:
    with pytest.raises(LabError, match=r"^trying: sh failed \(3\): the reason$"):
        programs.run(["sh", "-c", "echo noise; echo the reason >&2; exit 3"], what="trying")


def test_two_commands_at_once_are_refused(lab: Lab) -> None:
    with lab._locked(), pytest.raises(LabError, match="another ciliumlab command is at work"):
        lab.down([], Progress())


def test_a_state_folder_too_deep_for_sockets_is_told(tmp_path: Path) -> None:
    deep = State(tmp_path / ("d" * 100))
    with pytest.raises(DeclarationError, match=r"too long for a Unix socket.*CILIUMLAB_STATE"):
        deep.socket("k8s-ctr", "console")


class TestBooting:
    """With machines that are up as soon as ``boots`` has returned."""

    class Kind(Guests):
        boots_at_once = 2

        def running(self, machine: Machine) -> bool:
            return True

    @pytest.fixture
    def boots(self, monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[[str, Event], None]], None]:
        def boots(work: Callable[[str, Event], None]) -> None:
            def wait(state: State, machine: Machine, kind: object, log: Path, given_up: Event) -> None:
                work(machine.name, given_up)

            monkeypatch.setattr(boot, "wait", wait)

        return boots

    @pytest.fixture
    def kind(self, lab: Lab) -> Kind:
        return self.Kind(lab.topology, lab.state)

    Boots = Callable[[Callable[[str, Event], None]], None]

    def test_no_more_than_boot_well_boot_at_once(self, lab: Lab, kind: Kind, boots: Boots) -> None:
        both = Barrier(2)  # broken by one that waits for another in vain
        booting: list[str] = []
        most = 0

        def work(name: str, given_up: Event) -> None:
            nonlocal most
            both.wait(timeout=20)
            most = max(most, len(booting))
            booting.remove(name)

        boots(work)
        assert lab._boot(kind, lab.local(), Progress(), lambda machine: booting.append(machine.name)) == []
        assert booting == []
        assert most == 2

    def test_all_that_did_not_boot_are_told(self, lab: Lab, kind: Kind, boots: Boots) -> None:
        def work(name: str, given_up: Event) -> None:
            if name != "router":
                raise LabError(Problem(name, "went off"))

        boots(work)
        problems = lab._boot(kind, lab.local(), Progress(), lambda machine: None)
        assert sorted(map(str, problems)) == [
            "k8s-ctr: went off",
            "k8s-w0: went off",
            "k8s-w1: went off",
        ]

    def test_an_interrupt_ends_the_wait_and_starts_no_more(self, lab: Lab, kind: Kind, boots: Boots) -> None:
        started: list[str] = []

        def work(name: str, given_up: Event) -> None:
            if name == "k8s-w1":
                # To this thread, which does not wake the main one: as it is when a signal comes just
                # as that goes to sleep.
                signal.pthread_kill(get_ident(), signal.SIGINT)
            assert given_up.wait(timeout=20)

        boots(work)
        before = signal.signal(signal.SIGINT, signal.default_int_handler)  # xdist's processes ignore it
        try:
            with pytest.raises(KeyboardInterrupt):
                lab._boot(kind, lab.local(), Progress(), lambda machine: started.append(machine.name))
        finally:
            signal.signal(signal.SIGINT, before)
        assert sorted(started) == ["k8s-ctr", "k8s-w1"]


class TestCommandLine:
    @pytest.fixture(autouse=True)
    def _state(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CILIUMLAB_STATE", str(tmp_path / ".lab"))
        monkeypatch.setenv("CILIUMLAB_TOPOLOGY", str(TOPOLOGY))

    @pytest.mark.parametrize("command", [["plan"], ["up"], ["down"], ["status"], ["ssh", "k8s-ctr"]])
    def test_every_command_refuses_a_wrong_topology(self, command: list[str], tmp_path: Path) -> None:
        wrong = tmp_path / "lab.yaml"
        wrong.write_text(TOPOLOGY.read_text().replace("192.168.10.101", "192.168.30.101"))
        done = CliRunner().invoke(cli.main, [command[0], "--topology", str(wrong), *command[1:]])
        assert done.exit_code == 2
        assert done.stdout == ""
        [line] = done.stderr.splitlines()
        assert line.startswith(f"{wrong}: nodes.k8s-w1.address: 192.168.30.101 is not inside")

    def test_destroy_wants_the_labs_name(self) -> None:
        done = CliRunner().invoke(cli.main, ["destroy", "--confirm", "another"])
        assert done.exit_code == 2
        assert "'another' is not this lab's name (cilium-lab); nothing was touched" in done.stderr

    def test_status_before_anything_was_made(self) -> None:
        done = CliRunner().invoke(cli.main, ["status", "--json"])
        assert done.exit_code == 0
        assert {row["state"] for row in cli.json.loads(done.stdout)} == {"not made"}

    def test_a_console_of_a_machine_that_is_off(self) -> None:
        done = CliRunner().invoke(cli.main, ["console", "k8s-w1"])
        assert done.exit_code == 1
        assert done.stderr == "k8s-w1: is off; ciliumlab up k8s-w1 starts it\n"

    def test_a_snapshot_of_nothing(self) -> None:
        done = CliRunner().invoke(cli.main, ["snapshot", "clean"])
        assert done.exit_code == 1
        assert "its machines were not made yet; run ciliumlab up" in done.stderr
