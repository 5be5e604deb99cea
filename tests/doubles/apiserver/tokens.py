"""Tokens of service accounts: who a pod is to the API server.

Each is signed with the cluster's own key, which all its API servers have, and holds for one pod: with the pod
its token ends. The real one's are signed with RSA for others to verify; here nobody else does.
https://kubernetes.io/docs/reference/access-authn-authz/service-accounts-admin/#bound-service-account-tokens
"""

from __future__ import annotations

import hashlib
import hmac
import json
import time
from base64 import urlsafe_b64decode, urlsafe_b64encode
from pathlib import Path
from typing import Any

from apiserver.access import User
from apiserver.errors import bad_request, not_found, unauthorized
from apiserver.etcd import Etcd
from apiserver.objects import Object
from apiserver.request import Request, Target
from apiserver.resources import built_in

# As with --service-account-extend-token-expiration, for those who read theirs only once.
EXTENDED_SECONDS = 365 * 24 * 3600


def _encoded(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _decoded(text: str) -> bytes:
    return urlsafe_b64decode(text + "=" * (-len(text) % 4))


class Tokens:
    """Gives and knows tokens by the key in ``path``; without one there are none."""

    def __init__(self, path: str) -> None:
        self._key = Path(path).read_bytes() if path else b""

    def create(self, etcd: Etcd, request: Request, target: Target) -> Object:
        """Answer a TokenRequest that names a pod."""
        body = request.object()
        spec: dict[str, Any] = body.get("spec") or {}
        bound = spec.get("boundObjectRef") or {}
        if not self._key or bound.get("kind") != "Pod":
            raise bad_request("tokens are for pods, and need a --service-account-signing-key-file")
        pod = self._pod(etcd, target.namespace, bound.get("name", ""))
        if not pod or pod["metadata"]["uid"] != bound.get("uid", pod["metadata"]["uid"]):
            raise not_found("pods", "", bound.get("name", ""))
        ends = int(time.time()) + EXTENDED_SECONDS
        claims = {
            "sub": f"system:serviceaccount:{target.namespace}:{target.name}",
            "exp": ends,
            "kubernetes.io": {
                "namespace": target.namespace,
                "pod": {name: pod["metadata"][name] for name in ("name", "uid")},
            },
        }
        head = _encoded(json.dumps({"alg": "HS256"}).encode())
        said = f"{head}.{_encoded(json.dumps(claims).encode())}"
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ends))
        status = {"token": f"{said}.{self._signature(said)}", "expirationTimestamp": until}
        return {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "metadata": {"name": target.name, "namespace": target.namespace},
            "spec": spec,
            "status": status,
        }

    def user(self, etcd: Etcd, token: str) -> User:
        """Whose token it is; 401 for what is none, is over, or is of a pod that is gone."""
        said, _, signature = token.rpartition(".")
        if not self._key or not hmac.compare_digest(signature, self._signature(said)):
            raise unauthorized()
        claims = json.loads(_decoded(said.partition(".")[2]))
        of = claims["kubernetes.io"]
        pod = self._pod(etcd, of["namespace"], of["pod"]["name"])
        if claims["exp"] < time.time() or not pod or pod["metadata"]["uid"] != of["pod"]["uid"]:
            raise unauthorized()
        accounts = "system:serviceaccounts"
        return User(claims["sub"], (accounts, f"{accounts}:{of['namespace']}", "system:authenticated"))

    def _signature(self, said: str) -> str:
        return _encoded(hmac.new(self._key, said.encode(), hashlib.sha256).digest())

    def _pod(self, etcd: Etcd, namespace: str, name: str) -> Object | None:
        stored, _ = etcd.get(built_in("pods").key(namespace, name))
        return dict(json.loads(stored.value)) if stored else None
