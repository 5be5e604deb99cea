"""Downloads against a real server on loopback: whole, resumed, cut, and with a wrong checksum."""

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from ciliumlab import download
from ciliumlab.errors import LabError
from ciliumlab.machines import image, ubuntu

CONTENT = bytes(range(256)) * 12_000  # three chunks


class Server(ThreadingHTTPServer):
    """Serves ``files``; notes each request's Range; can cut an answer or know no ranges."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.files: dict[str, bytes] = {"/file": CONTENT}
        self.ranges: list[str | None] = []
        self.cut_after: int | None = None
        self.knows_ranges = True

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        asked = self.headers.get("Range")
        self.server.ranges.append(asked)
        content = self.server.files.get(self.path)
        if content is None:
            self.send_error(404)
            return
        start = int(asked.removeprefix("bytes=").rstrip("-")) if asked and self.server.knows_ranges else 0
        if start >= len(content) and start:
            self.send_error(416)
            return
        self.send_response(206 if start else 200)
        if start:
            self.send_header("Content-Range", f"bytes {start}-{len(content) - 1}/{len(content)}")
        self.send_header("Content-Length", str(len(content) - start))
        self.end_headers()
        self.wfile.write(content[start:][: self.server.cut_after])

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        threading.Thread(target=running.serve_forever, daemon=True).start()
        yield running
        running.shutdown()


def fetch(server: Server, target: Path, content: bytes = CONTENT) -> list[float]:
    """Download /file and return the progress that was reported."""
    seen: list[float] = []
    download.fetch(
        f"{server.url}/file",
        target,
        hashlib.sha256(content).hexdigest(),
        lambda step, done=None: seen.append(done) if done is not None else None,
    )
    return seen


def test_a_whole_download_reports_its_progress(server: Server, tmp_path: Path) -> None:
    seen = fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert seen == sorted(seen)
    assert len(seen) > 1
    assert seen[-1] == 1


def test_a_cut_download_goes_on_from_where_it_was(server: Server, tmp_path: Path) -> None:
    server.cut_after = 2_000_000
    with pytest.raises(LabError, match=r"/file: the download broke off .*goes on from there"):
        fetch(server, tmp_path / "file")
    assert not (tmp_path / "file").exists()
    kept = (tmp_path / "file.part").stat().st_size
    assert 0 < kept <= 2_000_000
    server.cut_after = None
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT
    assert server.ranges == [None, f"bytes={kept}-"]


def test_a_server_without_ranges_sends_all_again(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(b"not what the server has")
    server.knows_ranges = False
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_part_that_is_complete_is_only_checked(server: Server, tmp_path: Path) -> None:
    (tmp_path / "file.part").write_bytes(CONTENT)
    fetch(server, tmp_path / "file")
    assert (tmp_path / "file").read_bytes() == CONTENT


def test_a_wrong_checksum_is_named_and_nothing_is_kept(server: Server, tmp_path: Path) -> None:
    with pytest.raises(LabError, match=r"its SHA-256 is [0-9a-f]{64}, and [0-9a-f]{64} was published"):
        fetch(server, tmp_path / "file", content=b"something else")
    assert list(tmp_path.iterdir()) == []


def test_a_server_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(LabError) as caught:
        download.read_text("http://127.0.0.1:9/SHA256SUMS")
    assert str(caught.value).startswith("http://127.0.0.1:9/SHA256SUMS: cannot be downloaded: ")
    assert "\n" not in str(caught.value)


def test_checksums_are_read_in_both_of_sha256sums_notations() -> None:
    one, two = "a" * 64, "B" * 64
    text = f"{one}  text.img\n{two} *binary.img\nnot a checksum line\n"
    assert download.checksums(text) == {"text.img": one, "binary.img": two.lower()}


class TestUbuntu:
    """The image from a server laid out as Ubuntu's is."""

    @pytest.fixture
    def published(self, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
        monkeypatch.setenv("CILIUMLAB_CACHE", str(tmp_path / "cache"))
        monkeypatch.setattr(ubuntu, "run", lambda *_, **__: "")  # growing the disk is QEMU's work
        stem = f"ubuntu-24.04-server-cloudimg-{image.architecture()}"
        files = {
            f"/{stem}.img": b"disk" * 1000,
            f"/unpacked/{stem}-vmlinuz-generic": b"kernel",
            f"/unpacked/{stem}-initrd-generic": b"initrd",
        }
        for folder in ("/", "/unpacked/"):
            server.files[f"{folder}SHA256SUMS"] = "".join(
                f"{hashlib.sha256(content).hexdigest()} *{path.rsplit('/', 1)[-1]}\n"
                for path, content in files.items()
                if path.rsplit("/", 1)[0] + "/" == folder
            ).encode()
        server.files |= files
        return server

    def test_is_downloaded_once(self, published: Server) -> None:
        first = ubuntu.obtain(lambda *_: None, published.url)
        assert first.disk.read_bytes() == b"disk" * 1000
        assert first.kernel.read_bytes() == b"kernel"
        assert first.initrd.read_bytes() == b"initrd"
        assert first.cloud_init
        asked = len(published.ranges)
        assert ubuntu.obtain(lambda *_: None, published.url) == first
        assert len(published.ranges) == asked + 2  # the two lists of checksums

    def test_a_tampered_kernel_leaves_no_image(self, published: Server) -> None:
        path = next(path for path in published.files if path.endswith("vmlinuz-generic"))
        published.files[path] = b"another kernel"
        with pytest.raises(LabError, match="vmlinuz-generic: its SHA-256 is"):
            ubuntu.obtain(lambda *_: None, published.url)
        assert not any(folder.name.endswith(".img") for folder in image.cache().iterdir())
        assert {folder.suffix for folder in image.cache().iterdir()} == {".downloads", ".lock"}

    def test_a_missing_file_is_named(self, published: Server) -> None:
        published.files["/unpacked/SHA256SUMS"] = b""
        with pytest.raises(LabError, match=r"unpacked/SHA256SUMS: lists no ubuntu-24.04-.*-vmlinuz-generic"):
            ubuntu.obtain(lambda *_: None, published.url)
