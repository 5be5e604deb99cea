"""Runs beside one another: the real lock, held by real shells, on hosts that are files here."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gevent
import pytest
from pyinfra.connectors.fake import FakeConnector
from pyinfra.connectors.local import LocalConnector
from pyinfra.connectors.ssh import SSHConnector
from pyinfra.context import ctx_host, ctx_state

from ciliumlab.errors import LabError
from ciliumlab.operations import ahead, host_lock, lock
from ciliumlab.operations.steps import On


class Client:
    """A connection to a host: its end is the end of what its commands read, and no signal to them."""

    def __init__(self, file: Path, number: int) -> None:
        self.file, self.number = file, number
        self.active = True

    def exec_command(self, line: str) -> tuple[Any, Any, Any]:
        process = gevent.subprocess.Popen(
            ["sh", "-c", line.replace(host_lock.FILE, str(self.file))],
            env={**os.environ, "SSH_CONNECTION": self.connection},
            **dict.fromkeys(("stdin", "stdout", "stderr"), gevent.subprocess.PIPE),
        )
        process.stdout.channel = process
        return process.stdin, process.stdout, process.stderr

    @property
    def connection(self) -> str:
        return f"192.0.2.1 {self.number} {self.file} 22"

    def get_transport(self) -> Any:
        return SimpleNamespace(is_active=lambda: self.active)


class Host:
    def __init__(self, name: str, folder: Path, kind: type = SSHConnector, **data: int) -> None:
        self.name, self.print_prefix = name, f"[{name}] "
        self.file = folder / name
        self.connector = object.__new__(kind)
        self.connector.client = Client(self.file, 1) if kind is SSHConnector else None
        self.connector_data: dict[str, Any] = {}
        self.current_op_hash = "operation"
        self.data = {"lock_timeout": 1, **data}
        self.lines: list[str] = []

    def log_styled(self, line: str, **style: Any) -> None:
        self.lines.append(line)

    def connect(self, **how: Any) -> None:
        pass

    @property
    def free(self) -> bool:
        return subprocess.run(["flock", "--nonblock", self.file, "true"], check=False).returncode == 0

    def wait_until_free(self) -> None:
        subprocess.run(["flock", "--timeout", "10", self.file, "true"], check=True)


class Run:
    """A run on hosts, as a controller of its own has it; one after another in this process."""

    def __init__(self, name: str, *hosts: Host) -> None:
        self.name, self.hosts = name, hosts
        self.outcomes: dict[str, Any] = {}
        self.state = SimpleNamespace(
            ops={host: {"operation": SimpleNamespace(global_arguments={"_sudo": False})} for host in hosts},
            inventory=SimpleNamespace(get_active_hosts=lambda: list(hosts), get_host=lambda name: hosts[-1]),
            print_noop_info=True,
        )

    def hold(self, *others: Host) -> None:
        with (
            pytest.MonkeyPatch.context() as patch,
            ctx_state.use(self.state),
            ctx_host.use(self.hosts[0]),
        ):
            patch.setattr(lock, "_outcomes", self.outcomes)
            patch.setattr(host_lock, "_RUN", self.name)
            patch.setattr(host_lock, "_who", lambda: f"{self.name}@controller")
            lock.hold(*others)

    def end(self) -> None:
        host_lock.release(self.outcomes.values())


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "MOMENT", 0)


@pytest.fixture
def hosts(tmp_path: Path) -> list[Host]:
    return [Host(name, tmp_path) for name in ("one", "two", "three")]


@pytest.fixture
def runs() -> Iterator[list[Run]]:
    runs: list[Run] = []
    yield runs
    for run in runs:
        run.end()


def refused(run: Run) -> str:
    with pytest.raises(LabError) as caught:
        run.hold()
    return str(caught.value)


def test_the_second_run_is_told_who_the_first_is_and_has_nothing(hosts: list[Host], runs: list[Run]) -> None:
    runs += [Run("ann", hosts[1]), Run("ben", *hosts)]
    runs[0].hold()
    assert not hosts[1].free
    said = refused(runs[1])
    pid = hosts[1].file.read_text().split()[0]
    assert "two: a run of ann@controller is at work here since " in said
    assert (
        " and has not ended in 1 s; run again when it has, or, where nobody stands behind it any more" in said
    )
    assert said.endswith(f", free it there (sudo kill {pid}); nothing was changed")
    assert [line.rpartition(" since ")[0] for line in hosts[1].lines] == [
        "a run of ann@controller is at work here"
    ]
    assert hosts[1].lines[0].endswith("; waiting for up to 1 s")
    for free in (hosts[0], hosts[2]):
        free.wait_until_free()
    # It does not try again with each operation.
    runs[0].end()
    hosts[1].wait_until_free()
    assert refused(runs[1]) == said
    assert hosts[1].free


def test_the_second_run_goes_on_when_the_first_has_ended(hosts: list[Host], runs: list[Run]) -> None:
    for host in hosts:
        host.data["lock_timeout"] = 60
    runs += [Run("ann", *hosts), Run("ben", *hosts)]
    runs[0].hold()
    ending = gevent.spawn_later(0.3, runs[0].end)
    runs[1].hold()
    assert ending.dead
    assert [host.file.read_text().split()[2] for host in hosts] == ["ben"] * 3
    runs[1].end()
    for host in hosts:
        host.wait_until_free()


def test_it_is_had_from_the_first_operation_to_the_last(hosts: list[Host], runs: list[Run]) -> None:
    runs.append(Run("ann", *hosts))
    runs[0].hold()
    before = [host.file.read_text() for host in hosts]
    runs[0].hold()
    assert [host.file.read_text() for host in hosts] == before


def test_what_was_read_before_it_is_had_does_not_count(
    hosts: list[Host], runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run may have been waited for."""
    runs.append(Run("ann", *hosts))
    times: list[str] = []
    monkeypatch.setattr(ahead, "void", lambda: times.append("void"))
    runs[0].hold()
    assert times == ["void"]
    runs[0].hold()
    assert times == ["void"]


def test_runs_on_different_hosts_do_not_mind_each_other(hosts: list[Host], runs: list[Run]) -> None:
    runs += [Run(host.name, host) for host in hosts]
    for run in runs:
        run.hold()
    assert not any(host.free for host in hosts)


def test_what_a_run_that_was_cut_has_started_is_waited_for(hosts: list[Host], runs: list[Run]) -> None:
    runs += [Run("ann", hosts[0]), Run("ben", hosts[0])]
    runs[0].hold()
    environment = {**os.environ, "SSH_CONNECTION": hosts[0].connector.client.connection}
    rest = subprocess.Popen(["sleep", "60"], env=environment)
    for stream in runs[0].outcomes["one"].streams:
        stream.close()
    try:
        with gevent.Timeout(60):
            while " rest " not in hosts[0].file.read_text():
                gevent.sleep(0.05)
        assert "one: what ann@controller had started before it was cut off is at work here" in refused(
            runs[1]
        )
    finally:
        rest.kill()
        rest.wait()
    hosts[0].wait_until_free()


def test_what_was_ended_there_is_taken_again(hosts: list[Host], runs: list[Run]) -> None:
    """Or not, where another run was faster."""
    runs += [Run("ann", hosts[0]), Run("ben", hosts[0])]
    runs[0].hold()
    for name in ("ann", "ben"):
        os.kill(int(hosts[0].file.read_text().split()[0]), signal.SIGTERM)
        hosts[0].wait_until_free()
        if name == "ben":
            runs[1].hold()
            assert "a run of ben@controller" in refused(runs[0])
        else:
            runs[0].hold()
        assert hosts[0].file.read_text().split()[2] == name


def test_a_new_connection_takes_it_from_the_one_that_was_lost(hosts: list[Host], runs: list[Run]) -> None:
    runs.append(Run("ann", hosts[0]))
    runs[0].hold()
    lost = runs[0].outcomes["one"]
    hosts[0].connector.client = Client(hosts[0].file, 2)
    runs[0].outcomes["one"] = host_lock.Held(
        lost.client, lost.process, ()
    )  # the host does not learn of its end
    lost.process.wait, wait = (lambda: None), lost.process.wait
    runs[0].hold()
    assert wait() == -signal.SIGTERM
    assert int(hosts[0].file.read_text().split()[0]) != lost.process.pid
    assert not hosts[0].free


def test_a_host_without_connection_is_left_to_its_operation(hosts: list[Host], runs: list[Run]) -> None:
    runs.append(Run("ann", *hosts))
    runs[0].hold()
    hosts[0].connector.client.active = False
    os.kill(int(hosts[0].file.read_text().split()[0]), signal.SIGTERM)
    hosts[0].wait_until_free()
    runs[0].hold()
    assert hosts[0].free


def test_a_host_that_cannot_be_locked_fails_alone(hosts: list[Host], runs: list[Run], tmp_path: Path) -> None:
    hosts[0].connector.client.file = tmp_path / "none" / "one"
    runs.append(Run("ann", *hosts))
    said = refused(runs[0])
    assert said.startswith("one: /run/ciliumlab.lock cannot be locked: lock: ")
    assert said.endswith("; nothing was changed")
    assert not hosts[1].free
    runs[0].hosts = (hosts[1], hosts[2])
    runs[0].hold()


def test_a_host_outside_the_run_is_locked_before_its_command(hosts: list[Host], runs: list[Run]) -> None:
    runs += [Run("ann", hosts[2]), Run("ben", hosts[0], hosts[2])]
    runs[1].state.inventory.get_active_hosts = lambda: [hosts[0]]
    runs[0].hold()
    runs[1].hold()
    with pytest.MonkeyPatch.context() as patch, ctx_state.use(runs[1].state), ctx_host.use(hosts[0]):
        patch.setattr(lock, "_outcomes", runs[1].outcomes)
        with pytest.raises(ConnectionError, match="three: a run of ann@controller is at work here"):
            On("three", "true").execute(runs[1].state, hosts[0], {})


def test_the_controller_itself_is_locked_too(
    tmp_path: Path, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host_lock, "FILE", str(tmp_path / "local"))
    local = Host("local", tmp_path, LocalConnector)
    runs += [Run("ann", local), Run("ben", local)]
    runs[0].hold()
    assert "a run of ann@controller is at work here" in refused(runs[1])
    runs[0].end()
    local.wait_until_free()


def test_where_no_lock_is_known_it_is_said(
    tmp_path: Path, runs: list[Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    monkeypatch.setattr(host_lock.logger, "info", lambda line, *words: said.append(line % words))
    fake = Host("fake", tmp_path, FakeConnector)
    runs.append(Run("ann", fake))
    runs[0].hold()
    runs[0].hold()
    assert said == ["[fake] is not locked: no lock is known for its connector"]
    assert not fake.file.exists()
