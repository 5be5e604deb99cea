"""What the doctor says of machines: an ssh in PATH answers as they do, or as a broken connection does."""

from __future__ import annotations

import os
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from ciliumlab.doctor import machines, reach
from ciliumlab.doctor.finding import merged
from ciliumlab.settings import Settings
from ciliumlab.state import State
from ciliumlab.topology import load

ROOT = Path(__file__).parents[3]

FIT = {
    "began": "{now}",
    "system": "debian-13\ntrixie\namd64\n6.12.41+deb13-cloud-amd64",
    "container": "lxc",
    "modules": "",
    "cgroup": "cgroup2fs",
    "kubelet": "",
    "cpus": "2",
    "memory": "MemTotal: 2580476 kB",
    "disk": "9955 8012",
    "root": "yes",
    "cards": '[{{"ifname": "eth0", "addr_info": []}}, {{"ifname": "eth1", "addr_info": []}}]',
    "answers": "",
    "ended": "{now}",
}


def answer(**changed: str) -> str:
    lines = []
    for name, text in (FIT | changed).items():
        lines += [f"==ciliumlab== {name}", *text.format(now=time.time()).splitlines()]
    return "\n".join(lines) + "\n"


def said(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    *,
    stdout: str = "",
    stderr: str = "",
    status: int = 0,
    wants: dict[str, Any] | None = None,
) -> list[str]:
    """The findings about k8s-ctr, whose ssh prints these and exits so."""
    for name, text in (("stdout", stdout), ("stderr", stderr)):
        (folder / name).write_text(text)
    program = folder / "bin" / "ssh"
    program.parent.mkdir(exist_ok=True)
    here = shlex.quote(str(folder))
    program.write_text(
        f'#!/bin/sh\necho "$@" > {here}/called\ncat {here}/stdout\ncat {here}/stderr >&2\nexit {status}\n'
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}{os.pathsep}{os.environ['PATH']}")
    topology = load(ROOT / "inventory" / "lab.yaml")
    machine = topology.machines[0]
    declared = reach.wanted(topology, Settings.read(ROOT / "group_data" / "all.py"))[machine.name]
    wanted: Any = declared | {"sources": {}} | (wants or {})
    return [str(one) for one in merged(machines.machine(State(folder / "state"), machine, wanted))]


def test_a_machine_that_is_fit_has_nothing_said_of_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert said(tmp_path, monkeypatch, stdout=answer()) == []
    called = (tmp_path / "called").read_text()
    # Never a question on the terminal, nor a wait for a machine that is gone.
    assert "BatchMode=yes" in called and "ConnectTimeout=8" in called


def test_the_preflight_s_findings_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    source = "https://a.test/key"
    found = said(
        tmp_path,
        monkeypatch,
        stdout=answer(root="", cpus="1", answers=f"|0|{source}|no route"),
        wants={"sources": {"cluster": [source]}, "helm_version": "3.10.0"},
    )
    assert [line.partition(";")[0] for line in found] == [
        "against: k8s-ctr: sudo: cannot become root without a password",
        "against: k8s-ctr: processors: 1, kubeadm wants 2 on a control plane",
        f"against: k8s-ctr: {source}: cannot be had: no route",
        found[3].partition(";")[0],
    ]
    assert found[3].startswith("note: k8s-ctr: helm: ")


def test_sources_that_a_deploy_can_do_without_are_notes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "https://a.test/key"
    stdout = answer(answers=f"|404|{source}|")
    wants = {"sources": {"cluster": [source]}, "cluster": "auto"}
    (line,) = said(tmp_path, monkeypatch, stdout=stdout, wants=wants)
    assert line.startswith(f"note: k8s-ctr: {source}: cannot be had: HTTP status 404")


@pytest.mark.parametrize(
    ("stderr", "expected"),
    [
        ("ssh: connect to host 127.0.0.1 port 60000: Connection refused", "nothing listens there"),
        ("ssh: connect to host 192.0.2.1 port 22: Connection timed out", "is out of reach"),
        ("ssh: Could not resolve hostname x: Name or service not known", "is out of reach"),
        ("vagrant@127.0.0.1: Permission denied (publickey).", "does not take the key"),
        ("Host key verification failed.", "has another host key than the one that is known"),
        ("kex_exchange_identification: Connection reset by peer", "cannot be logged in to: kex_exchange"),
    ],
)
def test_why_a_machine_cannot_be_logged_in_to(
    stderr: str, expected: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (line,) = said(tmp_path, monkeypatch, stderr=f"{stderr}\n", status=255)
    assert line.startswith(f"against: k8s-ctr (vagrant@127.0.0.1:60000): {expected}")
    assert stderr in line and "; " in line


def test_a_user_without_a_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = said(tmp_path, monkeypatch, stderr="This account is not available.\n", status=1)
    assert "cannot be looked at: This account is not available.; give its user a shell" in line


def test_a_login_that_says_more_than_it_was_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = said(tmp_path, monkeypatch, stdout=f"Welcome!\n{answer()}")
    assert "look whether its login shell prints something" in line


def test_a_machine_that_never_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machines, "_ANSWER", 0.2)
    program = tmp_path / "bin" / "ssh"
    said(tmp_path, monkeypatch)
    program.write_text("#!/bin/sh\nexec sleep 60\n")
    machine = load(ROOT / "inventory" / "lab.yaml").machines[0]
    (finding,) = machines.machine(State(tmp_path), machine, None)
    assert "is out of reach (timed out after 0.2 s)" in str(finding)


def test_machines_that_do_not_run_are_no_fault() -> None:
    rows = [{"name": name, "state": state} for name, state in (("a", "up"), ("b", "off"), ("c", "not made"))]
    assert [str(finding) for finding in machines.standing(rows)] == [
        "note: b: is off; ciliumlab up b",
        "note: c: not made yet; ciliumlab up",
    ]
    assert [*machines.standing(rows[:1])] == []
