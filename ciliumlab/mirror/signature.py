"""Signatures of apt repositories, checked by gpg in a home of its own that knows one key."""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from ciliumlab.errors import LabError, Problem
from ciliumlab.machines import programs
from ciliumlab.openpgp import fingerprints


def check_key(url: str, armored: str, fingerprint: str) -> None:
    """LabError unless the text is the key with this fingerprint and no other."""
    try:
        found = fingerprints(armored)
    except ValueError as error:
        raise LabError(Problem(url, f"is no key: {error}")) from error
    if found != [fingerprint.upper()]:
        what = (
            f"has the key {', '.join(found)}, and {fingerprint.upper()} is declared; nothing of it was used"
        )
        raise LabError(Problem(url, what))


def signed_text(url: str, signed: bytes, armored: str, fingerprint: str) -> str:
    """The text of a clear-signed file (InRelease); LabError unless the key has signed it."""
    return _verified(url, armored, fingerprint, {"signed": signed}, ["--decrypt", "signed"]).decode()


def check_detached(url: str, text: bytes, signature: bytes, armored: str, fingerprint: str) -> None:
    """LabError unless the key has signed the file (Release, by Release.gpg)."""
    files = {"text": text, "signature": signature}
    _verified(url, armored, fingerprint, files, ["--verify", "signature", "text"])


def _verified(
    url: str, armored: str, fingerprint: str, files: dict[str, bytes], arguments: Sequence[str]
) -> bytes:
    if missing := programs.missing(["gpg"]):
        raise LabError(missing)
    with tempfile.TemporaryDirectory(prefix="ciliumlab-gpg-") as home:
        for name, content in {"key": armored.encode(), **files}.items():
            Path(home, name).write_bytes(content)
        imported = _gpg(home, ["--import", "key"])
        # Only what gpg says on its status line counts: it goes on after a bad signature, too.
        done = _gpg(home, ["--status-file", "status", *arguments])
        status = Path(home, "status")
        lines = status.read_text(errors="replace").splitlines() if status.exists() else []
    # VALIDSIG ends with the fingerprint of the primary key: doc/DETAILS of GnuPG.
    signers = [line.split()[-1] for line in lines if line.startswith("[GNUPG:] VALIDSIG ")]
    if imported.returncode != 0 or done.returncode != 0 or signers != [fingerprint.upper()]:
        said = [
            line for line in done.stderr.decode(errors="replace").splitlines() if line.startswith("gpg: ")
        ]
        why = said[-1].removeprefix("gpg: ") if said else "gpg says nothing"
        raise LabError(
            Problem(url, f"is not signed by {fingerprint.upper()} ({why}); nothing of it was used")
        )
    return done.stdout


def _gpg(home: str, arguments: Sequence[str]) -> subprocess.CompletedProcess[bytes]:
    gpg = programs.find("gpg") or "gpg"
    return subprocess.run(
        [gpg, "--homedir", home, "--batch", "--no-tty", "--no-autostart", *arguments],
        cwd=home,
        capture_output=True,
        env={**os.environ, "LC_ALL": "C"},
        check=False,
    )
