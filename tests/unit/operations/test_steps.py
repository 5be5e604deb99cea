"""Files are written whole or not at all: the real command, run by a real shell on a folder here."""

from __future__ import annotations

import getpass
import grp
import os
import subprocess
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

import pytest

from ciliumlab.facts.files import Files, Texts
from ciliumlab.facts.shell import split
from ciliumlab.operations.steps import Shell, Write, sha256

from .harness import Host

OWNER = f"{getpass.getuser()}:{grp.getgrgid(os.getgid()).gr_name}"


def run(write: Write, given: str | None = None) -> subprocess.CompletedProcess[str]:
    sent = write.connector_arguments["_stdin"] if given is None else given
    return subprocess.run(
        ["sh", "-c", write.get_raw_value()], input=sent, text=True, capture_output=True, check=False
    )


@pytest.mark.parametrize(
    "text", ["one\ntwo\n", "no newline at the end", "", "'\"$(touch /tmp/x)`%\\\n", "caf\udce9 é\n"]
)
def test_what_is_written_is_what_is_read(tmp_path: Path, text: str) -> None:
    path = str(tmp_path / "new folder" / "it's a file")
    assert run(Write(path, text, mode="640", owner=OWNER)).returncode == 0
    output = subprocess.run(
        ["sh", "-c", Texts().command([path])], text=True, capture_output=True, check=True
    ).stdout
    assert Texts().process(output.splitlines()) == {path: {"mode": "640", "owner": OWNER, "text": text}}
    output = subprocess.run(
        ["sh", "-c", Files().command([path])], text=True, capture_output=True, check=True
    ).stdout
    assert Files().process(output.splitlines())[path]["sha256"] == sha256(text)
    assert [entry.name for entry in Path(path).parent.iterdir()] == ["it's a file"]


def test_a_connection_that_is_cut_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("old\n")
    write = Write(str(path), "new and long enough to be cut\n", owner=OWNER)
    result = run(write, given=write.connector_arguments["_stdin"][:8])
    assert result.returncode == 1
    assert f"{path} could not be written and is as it was" in result.stderr
    assert path.read_text() == "old\n"
    assert list(tmp_path.iterdir()) == [path]


def test_a_cut_that_leaves_nobody_to_be_told_leaves_nothing_else(tmp_path: Path) -> None:
    """To say why would end the shell by SIGPIPE."""
    write = Write(str(tmp_path / "file"), "long enough to be cut\n", owner=OWNER)
    shell = subprocess.Popen(
        ["sh", "-c", write.get_raw_value()], stdin=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert shell.stdin and shell.stderr
    shell.stderr.close()
    shell.stdin.write(write.connector_arguments["_stdin"][:8])
    shell.stdin.close()
    assert shell.wait() != 0
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("active", "said"), [(True, []), (False, ["the connection has ended"])])
def test_a_command_whose_connection_ends_says_so(active: bool, said: list[str]) -> None:
    """To paramiko it has merely failed, without a word."""
    transport = SimpleNamespace(is_active=lambda: active)
    host = Host({}, connector=SimpleNamespace(client=SimpleNamespace(get_transport=lambda: transport)))
    with patch.object(host, "run_shell_command", return_value=(False, []), create=True):
        status, _ = Shell("true").execute(SimpleNamespace(print_output=False, print_input=False), host, {})
    assert (status, host.lines) == (False, said)


def test_a_link_is_replaced_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("target\n")
    path = tmp_path / "link"
    path.symlink_to(target)
    assert run(Write(str(path), "text\n", owner=OWNER)).returncode == 0
    assert not path.is_symlink()
    assert target.read_text() == "target\n"


def test_a_folder_in_its_place_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "folder"
    path.mkdir()
    assert run(Write(str(path), "text\n", owner=OWNER)).returncode == 1
    assert path.is_dir()
    assert list(path.iterdir()) == []


def test_the_listing_is_as_quoted_as_the_paths_are_odd(tmp_path: Path) -> None:
    path = tmp_path / "a b'c"
    path.write_text("text\n")
    command = Files().command([str(path), str(tmp_path / "none")])
    output = subprocess.run(["sh", "-c", command], text=True, capture_output=True, check=True).stdout
    assert list(split(output.splitlines())) == ["files"]
    assert list(Files().process(output.splitlines())) == [str(path)]
