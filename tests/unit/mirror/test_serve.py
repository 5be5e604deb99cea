"""The mirror's server: parts, conditions, and nothing outside of its folder."""

from __future__ import annotations

import http.client
import socket
import threading
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path

import pytest
from click.testing import CliRunner

from ciliumlab import cli
from ciliumlab.mirror.serve import Server

CONTENT = bytes(range(256)) * 40


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "mirror"
    (root / "archives").mkdir(parents=True)
    (root / "archives" / "file").write_bytes(CONTENT)
    (root / "archives" / "cut.part").write_bytes(b"half")
    (root / ".partial").mkdir()
    (root / ".partial" / "blob").write_bytes(b"half")
    (root / "core:").mkdir()
    (root / "core:" / "a b").write_bytes(b"signs")
    (tmp_path / "secret").write_bytes(b"secret")
    (root / "link").symlink_to(tmp_path / "secret")
    return root


@pytest.fixture
def server(root: Path) -> Iterator[Server]:
    with Server(root, "127.0.0.1", 0) as running:
        threading.Thread(target=lambda: running.serve_forever(0.05), daemon=True).start()
        yield running
        running.shutdown()


def ask(
    server: Server, path: str, method: str = "GET", **headers: str
) -> tuple[int, bytes, http.client.HTTPMessage]:
    connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=5)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, path, headers=named)
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    return answer.status, content, answer.headers


def test_a_file(server: Server) -> None:
    status, content, headers = ask(server, "/archives/file")
    assert (status, content) == (200, CONTENT)
    assert headers["Content-Length"] == str(len(CONTENT))
    assert ask(server, "/core%3A/a%20b")[1] == b"signs"
    assert ask(server, "/archives/./file")[1] == CONTENT
    status, content, headers = ask(server, "/archives/file", "HEAD")
    assert (status, content, headers["Content-Length"]) == (200, b"", str(len(CONTENT)))


@pytest.mark.parametrize(
    ("asked", "start", "stop"),
    [
        ("bytes=100-", 100, 10240),
        ("bytes=0-99", 0, 100),
        ("bytes=-10", 10230, 10240),
        ("bytes=5-99999", 5, 10240),
    ],
)
def test_a_part(server: Server, asked: str, start: int, stop: int) -> None:
    status, content, headers = ask(server, "/archives/file", Range=asked)
    assert (status, content) == (206, CONTENT[start:stop])
    assert headers["Content-Range"] == f"bytes {start}-{stop - 1}/10240"


@pytest.mark.parametrize("asked", ["bytes=0-1,5-6", "lines=1-2", "bytes=-", "bytes=x-"])
def test_what_is_no_part_is_the_whole(server: Server, asked: str) -> None:
    assert ask(server, "/archives/file", Range=asked)[:2] == (200, CONTENT)


def test_a_part_behind_the_end(server: Server) -> None:
    status, content, headers = ask(server, "/archives/file", Range="bytes=10240-")
    assert (status, content, headers["Content-Range"]) == (416, b"", "bytes */10240")


def test_a_part_of_a_file_that_was_replaced_is_the_whole(server: Server) -> None:
    modified = ask(server, "/archives/file")[2]["Last-Modified"]
    assert ask(server, "/archives/file", Range="bytes=9-", If_Range=modified)[0] == 206
    earlier = formatdate(0, usegmt=True)
    assert ask(server, "/archives/file", Range="bytes=9-", If_Range=earlier)[:2] == (200, CONTENT)


def test_what_has_not_changed_is_not_sent_again(server: Server) -> None:
    modified = ask(server, "/archives/file")[2]["Last-Modified"]
    assert ask(server, "/archives/file", If_Modified_Since=modified)[:2] == (304, b"")
    assert ask(server, "/archives/file", If_Modified_Since=formatdate(0, usegmt=True))[0] == 200
    assert ask(server, "/archives/file", If_Modified_Since="yesterday")[0] == 200


@pytest.mark.parametrize(
    "path",
    [
        *("/../secret", "/archives/../../secret", "/%2e%2e/secret", "/archives/%2e%2e%2f%2e%2e%2fsecret"),
        *("//../secret", "/./secret", "/link", "/archives/..%2f..%2fsecret", "/..%5csecret", "/%00", "/"),
        *("/archives", "/archives/", "/nosuch", "/archives/cut.part", "/.partial/blob", "/archives/file/x"),
        "//etc/passwd",
    ],
)
def test_nothing_else_is_served(server: Server, path: str) -> None:
    status, content, _ = ask(server, path)
    assert status == 404
    assert b"secret" not in content
    assert b"root:" not in content


def test_a_port_that_is_taken_is_one_line(root: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = CliRunner().invoke(cli.main, ["mirror", "serve", "--port", str(port), str(root)])
    assert result.exit_code == 1
    assert result.stderr == (
        f"127.0.0.1:{port}: is taken by another program; stop that one, or choose another port with --port\n"
    )


def test_an_address_that_is_not_this_host_s_is_one_line(root: Path) -> None:
    result = CliRunner().invoke(cli.main, ["mirror", "serve", "--address", "192.0.2.1", str(root)])
    assert result.exit_code == 1
    assert result.stderr.startswith("192.0.2.1:8000: cannot be listened at: ")
    assert result.stderr.count("\n") == 1
