"""kubeadm's steps as a real shell runs them, with programs that stand in for kubeadm and kubectl."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from ciliumlab.operations.kubeadm import invitation
from ciliumlab.operations.steps import On, Shell

from . import machine as machines
from .harness import Host, run

NEVER = {
    "initialised": False,
    "joined": False,
    "touched": False,
    "stopped": False,
    "started": "",
    "etcd": False,
    "endpoint": "",
    "trouble": [],
}
CLUSTER = {"version": "v1.33.2", "ca_hash": "sha256:ab", "members": {}, "kube_proxy": False, "trouble": []}
INIT = {"documents": [{"kind": "InitConfiguration", "bootstrapTokens": [{"token": None}]}]}
JOIN = {
    "through": "ctr",
    "documents": [
        {
            "kind": "JoinConfiguration",
            "discovery": {
                "bootstrapToken": {"apiServerEndpoint": "10.0.0.1:6443", "token": None, "caCertHashes": None}
            },
            "nodeRegistration": {"name": "w1"},
        }
    ],
}


class Machine(machines.Machine):
    """A host whose commands are given documents, and may be killed."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "/var/lib")
        self.note = self.at("/var/lib/ciliumlab/kubeadm-started")

    def start(self, command: Shell) -> subprocess.Popen[str]:
        """As pyinfra does: in a shell, with what is given on standard input, which then ends."""
        process = subprocess.Popen(
            ["sh", "-c", self.here(command.get_raw_value())],
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        assert process.stdin
        process.stdin.write(str(command.connector_arguments.get("_stdin", "")))
        process.stdin.close()
        process.stdin = None
        return process

    def run(self, command: Shell) -> tuple[int | None, str, str]:
        process = self.start(command)
        out, error = process.communicate()
        return process.returncode, out, error


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def steps(operation: str, arguments: dict[str, Any], **facts: Any) -> list[Any]:
    host = Host({"Node": {**NEVER, **facts}})
    return run(operation, host, arguments, elsewhere=[Host({"Cluster": CLUSTER}, "ctr")])


def initialise() -> Shell:
    (step,) = steps("kubeadm.initialised", INIT)
    return step  # type: ignore[no-any-return]


def test_the_note_is_there_while_kubeadm_runs_and_gone_when_it_has_come_to_its_end(machine: Machine) -> None:
    machine.program("kubeadm", 'cat "$ROOT/var/lib/ciliumlab/kubeadm-started"; cat "$4" > "$ROOT/given"')
    assert machine.run(initialise()) == (0, "init\n", "")
    assert not machine.note.exists()
    (document,) = yaml.safe_load_all((machine.root / "given").read_text())
    assert document["bootstrapTokens"] == [{"token": invitation().token}]


def test_the_note_stays_when_kubeadm_fails_and_its_exit_status_is_the_steps(machine: Machine) -> None:
    machine.program("kubeadm", "echo '[preflight] Some fatal errors occurred' >&2; exit 3")
    status, _, error = machine.run(initialise())
    assert (status, error) == (3, "[preflight] Some fatal errors occurred\n")
    assert machine.note.read_text() == "init\n"


def test_the_note_stays_when_kubeadm_is_killed(machine: Machine) -> None:
    machine.program("kubeadm", 'touch "$ROOT/begun"; sleep 60')
    process = machine.start(initialise())
    while not (machine.root / "begun").exists():
        time.sleep(0.02)
    os.killpg(process.pid, signal.SIGKILL)
    process.communicate()
    assert machine.note.read_text() == "init\n"


def test_a_secret_is_in_no_command_and_in_no_file(machine: Machine) -> None:
    machine.program("kubeadm", 'cat > /dev/null < "$4"; tr "\\0" " " < /proc/$PPID/cmdline; env; echo "$@"')
    status, out, _ = machine.run(initialise())
    assert status == 0
    assert "kubeadm init" in out
    assert invitation().token not in out
    for path in machine.root.rglob("*"):
        assert path.is_dir() or invitation().token not in path.read_text()


def test_reset_takes_the_note_away_only_when_kubeadm_has_done_its_part(machine: Machine) -> None:
    machine.note.parent.mkdir(parents=True)
    machine.note.write_text("join\n")
    (reset,) = steps("kubeadm.reset", {}, started="join")
    machine.program("kubeadm", "exit 1")
    assert machine.run(reset)[0] == 1
    assert machine.note.exists()
    (machine.root / "var/lib/etcd/member/wal").mkdir(parents=True)
    machine.program("kubeadm", '[ "$*" = "reset --force" ]')
    assert machine.run(reset)[0] == 0
    assert not machine.note.exists()
    assert list((machine.root / "var/lib/etcd").iterdir()) == []


def test_a_node_that_has_joined_is_waited_for(machine: Machine) -> None:
    *_, registered = steps("kubeadm.joined", JOIN)
    machine.program("sleep", "")
    machine.program("kubectl", 'echo "$*" >> "$ROOT/asked"; [ "$(wc -l < "$ROOT/asked")" -gt 3 ]')
    assert machine.run(registered)[0] == 0
    asked = (machine.root / "asked").read_text().splitlines()
    assert len(asked) == 4
    assert {line.partition(" get ")[2] for line in asked} == {"node w1 -o name"}


def test_a_node_that_is_never_known_is_an_error_with_its_cause(machine: Machine) -> None:
    *_, registered = steps("kubeadm.joined", JOIN)
    machine.program("sleep", "")
    machine.program("kubectl", "exit 1")
    status, _, error = machine.run(registered)
    assert status == 1
    assert error == "w1 has joined, and the API server does not know it: see its journalctl -u kubelet\n"


def test_what_a_token_is_made_with_prints_nothing(machine: Machine) -> None:
    token, join, _ = steps("kubeadm.joined", JOIN)
    machine.program("kubeadm", 'cat "$4"')
    assert machine.run(token) == (0, "", "")
    machine.program("kubeadm", "echo 'a token with id \"abcdef\" already exists' >&2; exit 1")
    assert machine.run(token) == (1, "", 'a token with id "abcdef" already exists\n')
    assert invitation().token in join.connector_arguments["_stdin"]


@pytest.fixture
def control_plane(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """How steps on the control plane and on hosts end, in turn; what is left was not taken."""
    monkeypatch.setattr(invitation(), "taken", set())
    answers: list[bool] = []

    def execute(self: Shell, *arguments: Any) -> tuple[bool, list[str]]:
        return answers.pop(0), []

    monkeypatch.setattr(On, "execute", execute)
    monkeypatch.setattr(Shell, "execute", execute)
    return answers


def token() -> On:
    return steps("kubeadm.joined", JOIN)[0]  # type: ignore[no-any-return]


def take(step: Shell) -> bool:
    answer: Any = step.execute(None, None, {})  # type: ignore[arg-type, typeddict-item]
    return bool(answer[0])


def test_one_token_is_made_for_all_hosts_of_a_run(control_plane: list[bool]) -> None:
    control_plane += [True, False]
    assert [take(token()), take(token()), take(token())] == [True, True, True]
    assert control_plane == [False]


def test_a_token_that_could_not_be_made_is_tried_again_by_the_next_host(control_plane: list[bool]) -> None:
    control_plane += [False, True, False]
    assert [take(token()), take(token()), take(token())] == [False, True, True]
    assert control_plane == [False]


def test_the_token_that_init_has_made_is_not_made_again(control_plane: list[bool]) -> None:
    """kubeadm refuses one that exists: cmd/kubeadm/app/phases/bootstraptoken/node/token.go."""
    control_plane += [False, True]
    assert not take(initialise())
    assert "token" not in invitation().taken
    assert take(initialise())
    assert take(token())
    assert control_plane == []
