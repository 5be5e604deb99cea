"""Detached JSON web signatures (RFC 7515, HS256), with which a bootstrap token signs cluster-info."""

from __future__ import annotations

import hmac
import json
from base64 import urlsafe_b64encode


def _encode(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def signature(content: str, token_id: str, token_secret: str) -> str:
    """ "<header>..<signature>": the content between them is left out."""
    header = _encode(json.dumps({"alg": "HS256", "kid": token_id}, separators=(",", ":")).encode())
    message = f"{header}.{_encode(content.encode())}".encode()
    return f"{header}..{_encode(hmac.digest(token_secret.encode(), message, 'sha256'))}"


def valid(detached: str, content: str, token_id: str, token_secret: str) -> bool:
    return hmac.compare_digest(detached, signature(content, token_id, token_secret))
