"""Files from the web: resumed when interrupted, and never used before their checksum is right."""

from __future__ import annotations

import hashlib
import http.client
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path

from ciliumlab.errors import LabError, Problem
from ciliumlab.progress import Report

_CHUNK = 1 << 20
_TIMEOUT_SECONDS = 20
_CONTENT_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)")


def read(url: str) -> bytes:
    """A small file; LabError when it cannot be had."""
    try:
        with urllib.request.urlopen(url, timeout=_TIMEOUT_SECONDS) as answer:
            content: bytes = answer.read()
            return content
    except (OSError, http.client.HTTPException) as error:
        raise LabError(Problem(url, f"cannot be downloaded: {reason(error)}")) from error


def read_text(url: str) -> str:
    """A small text file; LabError when it cannot be had."""
    try:
        return read(url).decode()
    except UnicodeDecodeError as error:
        raise LabError(Problem(url, "is not the text that it should be")) from error


def checksums(text: str) -> dict[str, str]:
    """The lines of a SHA256SUMS file as file name -> hex digest."""
    found = {}
    for line in text.splitlines():
        digest, _, name = line.strip().partition(" ")
        if len(digest) == 64:
            found[name.strip().removeprefix("*")] = digest.lower()
    return found


def digest(path: Path) -> str:
    """The SHA-256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def fetch(
    url: str, target: Path, sha256: str, report: Report, headers: Mapping[str, str] | None = None
) -> None:
    """Download to ``target``, going on from ``target``.part if an earlier run was cut.

    ``headers`` (credentials) go to that server only, not to one that it redirects to.

    LabError when the server cannot be reached, the connection breaks (what has come is kept for the
    next run) or the checksum is another one (what has come is thrown away).
    """
    part = target.with_name(f"{target.name}.part")
    step = f"downloading {url.rsplit('/', 1)[-1]}"
    try:
        _append_rest(url, part, step, report, headers or {})
    except urllib.error.HTTPError as error:
        raise LabError(Problem(url, f"cannot be downloaded: {error.code} {error.reason}")) from error
    except (OSError, http.client.HTTPException) as error:
        what = f"cannot be downloaded: {reason(error)}"
        if part.exists():
            what = f"the download broke off ({reason(error)}); the next run goes on from there"
        raise LabError(Problem(url, what)) from error
    report("checking it")
    found = digest(part)
    if found != sha256:
        part.unlink()
        raise LabError(
            Problem(url, f"its SHA-256 is {found}, and {sha256} was published; it was thrown away, try again")
        )
    part.rename(target)


def _append_rest(url: str, part: Path, step: str, report: Report, headers: Mapping[str, str]) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = urllib.request.Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    for name, value in headers.items():
        request.add_unredirected_header(name, value)
    try:
        answer = urllib.request.urlopen(request, timeout=_TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == http.HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE and have:
            return  # all of it is here; the checksum decides
        raise
    with answer:
        resumed = _CONTENT_RANGE.match(answer.headers.get("Content-Range", ""))
        if answer.status == http.HTTPStatus.PARTIAL_CONTENT and resumed and int(resumed[1]) == have:
            total, mode = int(resumed[2]), "ab"
        else:  # a server that knows no ranges sends the whole again
            have, total, mode = 0, int(answer.headers.get("Content-Length", 0)), "wb"
        with part.open(mode) as file:
            while chunk := answer.read(_CHUNK):
                file.write(chunk)
                have += len(chunk)
                report(step, have / total if total else None)
        if total and have < total:
            raise ConnectionError(f"{have} of {total} bytes came")


def reason(error: BaseException) -> str:
    """Why a connection failed, in a few words."""
    inner = getattr(error, "reason", None) or error
    return str(getattr(inner, "strerror", None) or inner or type(error).__name__)
