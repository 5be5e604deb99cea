"""Fingerprints of keys, compared with what gpg says of them."""

from __future__ import annotations

import base64
import subprocess
from pathlib import Path

import pytest

from ciliumlab.openpgp import fingerprints

# Made for this test by gpg --quick-gen-key, ed25519; its fingerprint as gpg --list-keys shows it.
KEY = """-----BEGIN PGP PUBLIC KEY BLOCK-----

%s-----END PGP PUBLIC KEY BLOCK-----
"""
BODY = """mDMEawP6jBYJKwYBBAHaRw8BAQdAIxUzGiXEURxo6UEkqlkbVkiLJh/nfqxbvDy9
kfCwtWe0FHRlc3QgPHRAZXhhbXBsZS5vcmc+iJAEExYIADgWIQSl0WfqbdhVA3lJ
XjW6jib+OgdA1wUCawP6jAIbAwULCQgHAgYVCgkICwIEFgIDAQIeAQIXgAAKCRC6
jib+OgdA14NTAP9oC0bB0iOOKK3JrD0vVGbEXTTYxLXiXDEpXT1o77k0OQEA4usk
NlMihcaVvRVx4Fo5qnJ/vgLje0tjnf7kKbhNSAE=
=lc5t
"""
FINGERPRINT = "A5D167EA6DD8550379495E35BA8E26FE3A0740D7"
KEYRINGS = sorted(Path("/usr/share/keyrings").glob("debian-archive-*.gpg"))


def test_a_key() -> None:
    assert fingerprints(KEY % BODY) == [FINGERPRINT]


def test_with_headers_other_line_ends_and_text_around_it() -> None:
    text = (KEY % BODY).replace("-----\n\n", "-----\nComment: x\nVersion: 1\n\n", 1).replace("\n", "\r\n")
    assert fingerprints(f"hello\n{text}bye\n") == [FINGERPRINT]


def test_several_keys_are_all_named() -> None:
    assert fingerprints((KEY % BODY) * 2) == [FINGERPRINT, FINGERPRINT]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it has no -----BEGIN PGP PUBLIC KEY BLOCK-----"),
        ("<html>", "it has no -----BEGIN"),
        ((KEY % BODY)[:-40], "it is cut off"),
        (KEY % BODY[:64], "it is cut off"),
        (KEY % "!!!\n", "base64"),
        (KEY % "AAAA\n", "it is not made of OpenPGP packets"),
        (KEY % "xgEF\n", "a key in it is not of OpenPGP version 4"),
        (KEY % "zQFB\n", "there is no public key in it"),
    ],
)
def test_what_is_no_key(text: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        fingerprints(text)


@pytest.mark.skipif(not KEYRINGS, reason="no keyrings of Debian are installed")
@pytest.mark.parametrize("keyring", KEYRINGS, ids=lambda path: path.stem)
def test_debian_s_keys_are_read_as_gpg_reads_them(keyring: Path, tmp_path: Path) -> None:
    command = ["gpg", "--homedir", str(tmp_path), "--no-default-keyring", "--keyring", str(keyring)]
    try:
        listing = subprocess.run([*command, "--with-colons", "--list-keys"], capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip("gpg is not installed")
    expected = []
    awaited = False  # the first fingerprint after a primary key is its own
    for kind, *fields in (line.split(":") for line in listing.stdout.splitlines()):
        if kind == "fpr" and awaited:
            expected.append(fields[8])
        awaited = kind == "pub" or (awaited and kind != "fpr")
    body = base64.encodebytes(keyring.read_bytes()).decode()
    assert fingerprints(KEY % body) == expected
    assert expected
