"""What agent and operator ask of the API server."""

from __future__ import annotations

import json
import os
import re
import sys
import time
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any

from common.api import Api, ApiError, Object, Unreachable

NODES = "/apis/cilium.io/v2/ciliumnodes"
POOLS = "/apis/cilium.io/v2/ciliumloadbalancerippools"
POLICIES = "/apis/cilium.io/v2alpha1/ciliuml2announcementpolicies"
CRDS = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions"
SERVICES, PODS = "/api/v1/services", "/api/v1/pods"


def log(level: str, message: str, **fields: object) -> None:
    """A line as Cilium's programs log it."""
    moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    more = "".join(f" {name}={json.dumps(str(value))}" for name, value in fields.items())
    print(f"time={moment} level={level} msg={json.dumps(message)}{more}", file=sys.stderr, flush=True)


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def connect() -> Api:
    return Api.of(os.environ["KUBECONFIG"])


def namespace() -> str:
    return os.environ.get("POD_NAMESPACE") or os.environ.get("CILIUM_K8S_NAMESPACE") or "kube-system"


def own_version(api: Api, container: str) -> str:
    """The version of the image that this process stands for, "1.18.0": its pod tells it."""
    pod = api.get(f"/api/v1/namespaces/{namespace()}/pods/{os.environ['POD_NAME']}")
    images = {each["name"]: each["image"] for each in pod["spec"]["containers"]}
    return image_version(images.get(container) or next(iter(images.values())))


def image_version(image: str) -> str:
    """ "1.18.0" of "quay.io/cilium/cilium:v1.18.0@sha256:…"."""
    match = re.search(r":v?([^@/:]+)(@|$)", image)
    return match[1] if match else ""


def configuration(api: Api) -> Mapping[str, str]:
    """The data of cilium-config."""
    found: Mapping[str, str] = api.get(f"/api/v1/namespaces/{namespace()}/configmaps/cilium-config")["data"]
    return found


def set_condition(conditions: list[Object], kind: str, status: str, reason: str, message: str,
                  generation: int) -> bool:  # fmt: skip
    """Bring the condition ``kind`` to this in place; whether anything changed."""
    wanted = {"status": status, "reason": reason, "message": message, "observedGeneration": generation}
    known = next((each for each in conditions if each["type"] == kind), None)
    if known and {key: known.get(key) for key in wanted} == wanted:
        return False
    moment = known["lastTransitionTime"] if known and known["status"] == status else now()
    if known is None:
        conditions.append(known := {"type": kind})
    known.update(wanted, lastTransitionTime=moment)
    return True


def selects(selector: Mapping[str, Any] | None, labels: Mapping[str, str]) -> bool:
    """Whether a label selector matches; none at all matches everything."""
    if not selector:
        return True
    if any(labels.get(key) != value for key, value in (selector.get("matchLabels") or {}).items()):
        return False
    return all(_expression(each, labels) for each in selector.get("matchExpressions") or [])


def _expression(wanted: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    key, values = wanted["key"], wanted.get("values") or []
    match wanted["operator"]:
        case "In":
            return labels.get(key) in values
        case "NotIn":
            return labels.get(key) not in values
        case "Exists":
            return key in labels
        case _:
            return key not in labels


def address(node: Object, kind: str) -> str:
    """The address of this kind of a Node ("InternalIP") or CiliumNode, "" if it has none."""
    found: Iterable[Object] = node.get("spec", {}).get("addresses") or []
    if node.get("kind") == "Node" or not found:
        found = node.get("status", {}).get("addresses") or found
    return next((str(each.get("ip") or each.get("address")) for each in found if each["type"] == kind), "")


def retrying(what: str, work: Any, pause: float = 1, limit: float | None = None) -> Any:
    """``work()``, again and again until it succeeds; the first failure and every change of it is logged."""
    said, end = "", time.monotonic() + limit if limit else None
    while True:
        try:
            return work()
        except (ApiError, Unreachable, OSError) as error:
            if end and time.monotonic() > end:
                raise
            if str(error) != said:
                said = str(error)
                log("warn", what, error=said)
            time.sleep(pause)
