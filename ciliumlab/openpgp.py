"""Fingerprints of OpenPGP keys, so that a key can be judged without a program that trusts it.

A host of the lab need not have gpg, and what it downloaded is compared before apt may see it.
"""

from __future__ import annotations

import hashlib
from base64 import b64decode
from collections.abc import Iterator

_BEGIN, _END = "-----BEGIN PGP PUBLIC KEY BLOCK-----", "-----END PGP PUBLIC KEY BLOCK-----"
_PUBLIC_KEY, _VERSION = 6, 4
_PARTIAL = "a packet is of partial length, which keys do not have"


def fingerprints(armored: str) -> list[str]:
    """The fingerprints (40 hex digits, upper case) of the primary keys in an armored text, in its order.

    ValueError says why the text is not such a key. RFC 9580, sections 4.2 (packets), 5.5.4 (fingerprint of
    a version 4 key) and 6.2 (armor).
    """
    found = []
    for tag, body in _packets(_dearmored(armored)):
        if tag == _PUBLIC_KEY:
            if body[:1] != bytes([_VERSION]):
                raise ValueError("a key in it is not of OpenPGP version 4")
            octets = b"\x99" + len(body).to_bytes(2, "big") + body
            found.append(hashlib.sha1(octets, usedforsecurity=False).hexdigest().upper())
    if not found:
        raise ValueError("there is no public key in it")
    return found


def _dearmored(text: str) -> bytes:
    data = b""
    rest = text
    while _BEGIN in rest:
        block, end, rest = rest.partition(_BEGIN)[2].partition(_END)
        if not end:
            raise ValueError("it is cut off")
        # Headers end with an empty line; the last line, "=" and four characters, is a checksum of its own.
        lines = block.replace("\r", "").partition("\n\n")[2].split("\n")
        data += b64decode("".join(line for line in lines if not line.startswith("=")), validate=True)
    if not data:
        raise ValueError(f"it has no {_BEGIN}")
    return data


def _packets(data: bytes) -> Iterator[tuple[int, bytes]]:
    """Tag and body of each packet."""
    while data:
        head, data = data[0], data[1:]
        if not head & 0x80:
            raise ValueError("it is not made of OpenPGP packets")
        if head & 0x40:
            tag, size, data = head & 0x3F, *_new_length(data)
        else:
            octets = {0: 1, 1: 2, 2: 4}.get(head & 0x03)
            if octets is None:
                raise ValueError(_PARTIAL)
            tag, size, data = (head >> 2) & 0x0F, int.from_bytes(data[:octets], "big"), data[octets:]
        if len(data) < size:
            raise ValueError("it is cut off")
        yield tag, data[:size]
        data = data[size:]


def _new_length(data: bytes) -> tuple[int, bytes]:
    first = data[0] if data else 0
    if first < 192:
        return first, data[1:]
    if first < 224:
        return ((first - 192) << 8) + int.from_bytes(data[1:2], "big") + 192, data[2:]
    if first < 255:
        raise ValueError(_PARTIAL)
    return int.from_bytes(data[1:5], "big"), data[5:]
