"""Serve a mirror over HTTP: files of its folder and nothing else, parts of them when asked for parts."""

from __future__ import annotations

import errno
import re
from collections.abc import Callable
from email.utils import formatdate, parsedate_to_datetime
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import BinaryIO
from urllib.parse import unquote, urlsplit

from ciliumlab.errors import LabError, Problem

_RANGE = re.compile(r"bytes=(\d*)-(\d*)")
_CHUNK = 1 << 20


class Server(ThreadingHTTPServer):
    """Serves the folder ``root`` at an address; LabError when that is taken or cannot be had."""

    daemon_threads = True
    # A lab's machines ask at once, each for several files; whom the default of 5 turns away tries again
    # after a second and more, or gives up.
    request_queue_size = 128

    def __init__(
        self, root: Path, address: str, port: int, log: Callable[[str], None] = lambda line: None
    ) -> None:
        self.root = root.resolve()
        self.log = log
        try:
            super().__init__((address, port), _Handler)
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                what = "is taken by another program; stop that one, or choose another port with --port"
            else:
                what = f"cannot be listened at: {error.strerror}"
            raise LabError(Problem(f"{address}:{port}", what)) from error

    def file(self, path: str) -> Path | None:
        """The file of a URL's path; None for one that is not there, or is not of the mirror."""
        # apt asks for ./Packages where a flat repository names its files so.
        parts = [part for part in unquote(urlsplit(path).path).split("/")[1:] if part != "."]
        # Hidden files are downloads that are not whole; and no part can lead out of the folder.
        if any(part.startswith(".") or part == "" or "\0" in part for part in parts):
            return None
        file = self.root.joinpath(*parts).resolve()
        return file if file.is_relative_to(self.root) and file.is_file() and file.suffix != ".part" else None


class _Handler(BaseHTTPRequestHandler):
    server: Server
    protocol_version = "HTTP/1.1"
    server_version = "ciliumlab"
    timeout = 60  # seconds that a connection may be idle

    def do_GET(self) -> None:
        self._answer(body=True)

    def do_HEAD(self) -> None:
        self._answer(body=False)

    def _answer(self, body: bool) -> None:
        path = self.server.file(self.path)
        if path is None:
            self.send_error(HTTPStatus.NOT_FOUND)
            return
        with path.open("rb") as file:
            status = path.stat()
            modified = int(status.st_mtime)
            if self._unchanged(modified):
                self.send_response(HTTPStatus.NOT_MODIFIED)
                self.end_headers()
                return
            size = status.st_size
            part = self._part(size, modified)
            if part is not None and part.start >= size:
                self.send_response(HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE)
                self.send_header("Content-Range", f"bytes */{size}")
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            self.send_response(HTTPStatus.OK if part is None else HTTPStatus.PARTIAL_CONTENT)
            if part is not None:
                self.send_header("Content-Range", f"bytes {part.start}-{part.stop - 1}/{size}")
            sent = part or range(size)
            self.send_header("Content-Type", "application/octet-stream")
            self.send_header("Content-Length", str(len(sent)))
            self.send_header("Last-Modified", formatdate(modified, usegmt=True))
            self.send_header("Accept-Ranges", "bytes")
            self.end_headers()
            if body:
                self._send(file, sent)

    def _send(self, file: BinaryIO, part: range) -> None:
        file.seek(part.start)
        left = len(part)
        try:
            while left and (chunk := file.read(min(left, _CHUNK))):
                self.wfile.write(chunk)
                left -= len(chunk)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def _part(self, size: int, modified: int) -> range | None:
        """The part that is asked for, RFC 9110 section 14; None for the whole."""
        asked = _RANGE.fullmatch(self.headers.get("Range", "").strip())
        if asked is None or not (asked[1] or asked[2]):
            return None
        if (condition := self.headers.get("If-Range")) and _time(condition) != modified:
            return None
        if not asked[1]:
            return range(max(size - int(asked[2]), 0), size)
        return range(int(asked[1]), min(int(asked[2]) + 1, size) if asked[2] else size)

    def _unchanged(self, modified: int) -> bool:
        since = _time(self.headers.get("If-Modified-Since", ""))
        return since is not None and modified <= since

    def log_message(self, format: str, *arguments: object) -> None:
        self.server.log(f"{self.address_string()} {format % arguments}")


def _time(text: str) -> int | None:
    try:
        return int(parsedate_to_datetime(text).timestamp())
    except (ValueError, TypeError):
        return None
