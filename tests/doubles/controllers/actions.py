"""What a controller wants done to an object, and its doing."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from common.api import Api, ApiError, Object
from common.cache import Cache

_PLACES = {
    "Pod": "/api/v1/namespaces/{}/pods",
    "Endpoints": "/api/v1/namespaces/{}/endpoints",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
    "Deployment": "/apis/apps/v1/namespaces/{}/deployments",
    "DaemonSet": "/apis/apps/v1/namespaces/{}/daemonsets",
    "ReplicaSet": "/apis/apps/v1/namespaces/{}/replicasets",
    "PodDisruptionBudget": "/apis/policy/v1/namespaces/{}/poddisruptionbudgets",
}
# Somebody was faster, or the namespace is gone or going: the next round sees it.
_PASSING = (404, 409)


@dataclass(frozen=True)
class Action:
    """``verb``: create, patch, status or delete. ``change`` is a merge patch, or a delete's options."""

    verb: str
    obj: Object
    change: Mapping[str, Any] = field(default_factory=dict)


def create(obj: Object) -> Action:
    return Action("create", obj)


def patch(obj: Object, change: Mapping[str, Any]) -> Action:
    return Action("patch", obj, change)


def delete(obj: Object, **options: Any) -> Action:
    return Action("delete", obj, options)


def status(obj: Object, wanted: Object) -> list[Action]:
    """Have an object's status so; nothing where it is."""
    known = obj.get("status") or {}
    if known == wanted:
        return []
    return [Action("status", obj, {**dict.fromkeys(known), **wanted})]


def place(obj: Object) -> str:
    """The collection of an object."""
    return _PLACES[obj["kind"]].format(obj["metadata"]["namespace"])


def do(api: Api, action: Action, caches: Mapping[str, Cache]) -> bool:
    """Do it and tell the cache; whether it came to pass."""
    obj, cache = action.obj, caches[action.obj["kind"]]
    path = place(obj) if action.verb == "create" else f"{place(obj)}/{obj['metadata']['name']}"
    try:
        if action.verb == "create":
            cache.learn(api.create(path, obj))
        elif action.verb == "delete":
            options = {"preconditions": {"uid": obj["metadata"]["uid"]}, **action.change}
            said = api.call("DELETE", path, options)
            cache.forget(obj) if said.get("kind") == "Status" else cache.learn(said)
        else:
            change = dict(action.change) if action.verb == "patch" else {"status": action.change}
            # Nobody writes to what has the name of another object, nor over what he has not seen.
            of = {name: obj["metadata"][name] for name in ("uid", "resourceVersion")}
            change["metadata"] = {**change.get("metadata", {}), **of}
            cache.learn(api.patch(f"{path}/status" if action.verb == "status" else path, change))
    except ApiError as error:
        terminating = error.status == 403 and "being terminated" in str(error)
        if error.status not in _PASSING and not terminating:
            print(f'E "{action.verb}" path="{path}" err="{error}"', file=sys.stderr, flush=True)
        return False
    return True
