"""Who asks, and may they?

The rules are the effect of kube-apiserver's bootstrap policy, its Node authorizer and kubeadm's own bindings
for those who speak to a lab's API server, in a few lines; RBAC objects are stored and not evaluated.
"""

from __future__ import annotations

import json
from base64 import b64decode
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apiserver.errors import StatusError, forbidden, unauthorized
from apiserver.etcd import Etcd
from apiserver.resources import Resource, built_in

_READS = frozenset(["get", "list", "watch"])
_OPEN_PATHS = ("/version", "/healthz", "/livez", "/readyz")
_DISCOVERY = ("/api", "/apis", "/openapi", *_OPEN_PATHS)
_ADMINISTRATORS = frozenset(["system:masters", "kubeadm:cluster-admins"])
# The control plane's own, whose roles allow nearly everything that they ever ask for.
_COMPONENTS = frozenset(
    ["system:apiserver", "system:kube-controller-manager", "system:kube-scheduler", "system:kube-proxy"]
)
# What kubeadm lets a joining machine read: its ConfigMaps, and the nodes.
_FOR_JOINING = frozenset(["kubeadm-config", "kubelet-config", "cluster-info"])


@dataclass(frozen=True)
class User:
    """A user's name and groups."""

    name: str
    groups: tuple[str, ...]

    @property
    def authenticated(self) -> bool:
        return "system:authenticated" in self.groups


ANONYMOUS = User("system:anonymous", ("system:unauthenticated",))


@dataclass(frozen=True)
class Asked:
    """What a request asks for. ``resource`` None is a path that is no resource's."""

    verb: str
    path: str
    resource: Resource | None = None
    namespace: str = ""
    name: str = ""
    subresource: str = ""


def of_certificate(certificate: dict[str, Any] | None) -> User | None:
    """The user whom a verified client certificate names: CN is the name, every O a group."""
    fields = [pair for rdn in (certificate or {}).get("subject", ()) for pair in rdn]
    names = [value for key, value in fields if key == "commonName"]
    if not names:
        return None
    groups = [value for key, value in fields if key == "organizationName"]
    return User(names[0], (*groups, "system:authenticated"))


def of_token(etcd: Etcd, token: str) -> User:
    """The user of a bootstrap token; 401 when it is unknown, not for this use, or expired.

    https://kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens/
    """
    token_id, _, secret = token.partition(".")
    stored, _ = etcd.get(built_in("secrets").key("kube-system", f"bootstrap-token-{token_id}"))
    if not stored:
        raise unauthorized()
    kept = json.loads(stored.value)
    data = {key: b64decode(value).decode() for key, value in kept.get("data", {}).items()}
    expires = data.get("expiration")
    if (
        kept.get("type") != "bootstrap.kubernetes.io/token"
        or "deletionTimestamp" in kept["metadata"]
        or data.get("token-id") != token_id
        or data.get("token-secret") != secret
        or data.get("usage-bootstrap-authentication") != "true"
        or (expires and _moment(expires) <= datetime.now(UTC))
    ):
        raise unauthorized()
    extra = [group for group in data.get("auth-extra-groups", "").split(",") if group]
    groups = ("system:bootstrappers", *extra, "system:authenticated")
    return User(f"system:bootstrap:{token_id}", groups)


def _moment(text: str) -> datetime:
    """A time as RFC 3339 writes it; one that cannot be read is long over."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return datetime.min.replace(tzinfo=UTC)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def allowed(user: User, asked: Asked) -> bool:
    """Whether the user may do it."""
    groups = set(user.groups)
    if groups & _ADMINISTRATORS or user.name in _COMPONENTS:
        return True
    if asked.resource is None:
        open_to = _DISCOVERY if user.authenticated else _OPEN_PATHS
        return asked.verb == "get" and any(
            asked.path == path or asked.path.startswith(f"{path}/") for path in open_to
        )
    kind = asked.resource.plural
    if asked.verb == "get" and (kind, asked.namespace, asked.name) == (
        "configmaps",
        "kube-public",
        "cluster-info",
    ):
        return True
    if kind.startswith("selfsubject") and user.authenticated:
        return True
    if "system:nodes" in groups and user.name.startswith("system:node:"):
        return _node_may(user.name.removeprefix("system:node:"), asked)
    if "system:bootstrappers" in groups:
        return _joining_may(asked)
    if "system:serviceaccounts:kube-system" in groups:
        return _pod_may(asked)
    return False


def _node_may(node: str, asked: Asked) -> bool:
    kind = asked.resource.plural if asked.resource else ""
    if asked.verb in _READS:
        return True
    if kind == "nodes":
        return asked.verb == "create" or asked.name == node
    if kind == "leases":
        return asked.namespace == "kube-node-lease" and (asked.verb == "create" or asked.name == node)
    if kind in ("csinodes", "events", "certificatesigningrequests"):
        return asked.verb in ("create", "patch", "update")
    if (kind, asked.subresource) == ("serviceaccounts", "token"):
        return asked.verb == "create"
    return kind == "pods" and asked.subresource in ("", "status", "eviction")


def _pod_may(asked: Asked) -> bool:
    """What the charts' roles in kube-system come to: to see all but secrets, to define resources of their own
    kind and to write them, to hold leases, and to say of nodes, pods and services what they know."""
    kind, group = (asked.resource.plural, asked.resource.group) if asked.resource else ("", "")
    if kind == "secrets":
        return asked.verb in _READS and asked.namespace in ("kube-system", "cilium-secrets")
    if asked.verb in _READS or group == "cilium.io":
        return True
    if (kind, asked.subresource) in (("nodes", ""), ("nodes", "status"), ("services", "status")):
        return asked.verb in ("patch", "update")
    if kind == "customresourcedefinitions":
        return asked.verb in ("create", "patch", "update")
    if kind == "pods":
        return asked.verb == "delete"
    return kind in ("leases", "events", "endpointslices") and asked.verb != "deletecollection"


def _joining_may(asked: Asked) -> bool:
    kind = asked.resource.plural if asked.resource else ""
    if kind == "certificatesigningrequests":
        return asked.verb in _READS | {"create"}
    if kind == "nodes":
        return asked.verb == "get"
    if asked.verb == "get" and asked.namespace == "kube-system":
        # The certificates for a further control plane, which kubeadm has encrypted.
        shared = kind == "secrets" and asked.name == "kubeadm-certs"
        return shared or (kind == "configmaps" and asked.name in _FOR_JOINING)
    return False


def refused(user: User, asked: Asked) -> StatusError:
    """403 in kube-apiserver's words."""
    if asked.resource is None:
        message = f'forbidden: User "{user.name}" cannot {asked.verb} path "{asked.path}"'
        return StatusError(403, "Forbidden", message)
    resource = asked.resource
    what = f"{resource.plural}/{asked.subresource}" if asked.subresource else resource.plural
    where = f'in the namespace "{asked.namespace}"' if asked.namespace else "at the cluster scope"
    why = f'User "{user.name}" cannot {asked.verb} resource "{what}" in API group "{resource.group}" {where}'
    return forbidden(resource.plural, resource.group, asked.name, why)
