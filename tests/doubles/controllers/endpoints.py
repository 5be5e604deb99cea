"""Endpoints and EndpointSlices: the addresses behind each Service that selects pods.

https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence

from common.api import Object
from controllers import templates
from controllers.actions import Action, create, delete, patch
from controllers.templates import ended, ready, terminating

MANAGED = {"endpoints.kubernetes.io/managed-by": "endpoint-controller"}
SLICE = {"endpointslice.kubernetes.io/managed-by": "endpointslice-controller.k8s.io"}
_SERVICE = "kubernetes.io/service-name"


def actions(
    services: Sequence[Object], pods: Sequence[Object], endpoints: Sequence[Object], slices: Sequence[Object]
) -> list[Action]:
    """Have both for each service with a selector, and none for those that are gone."""
    found = []
    known = {(each["kind"], *_key(each)): each for each in [*endpoints, *slices]}
    wanted = {}
    for service in services:
        selector = service["spec"].get("selector")
        if not selector or terminating(service) or service["spec"].get("type") == "ExternalName":
            continue
        behind = [pod for pod in pods if _is_behind(pod, service)]
        for obj in (_endpoints(service, behind), _slice(service, behind)):
            wanted[(obj["kind"], *_key(obj))] = obj
    for key, obj in wanted.items():
        if key not in known:
            found.append(create(obj))
        else:
            said = {name: value for name, value in obj.items() if name != "metadata"}
            change = {name: value for name, value in said.items() if known[key].get(name, []) != value}
            found += [patch(known[key], change)] if change else []
    for key, obj in known.items():
        labels = (obj["metadata"].get("labels") or {}).items()
        if key not in wanted and (MANAGED.items() <= labels or SLICE.items() <= labels):
            found.append(delete(obj))
    return found


def _key(obj: Object) -> tuple[str, str]:
    return obj["metadata"]["namespace"], obj["metadata"]["name"]


def _is_behind(pod: Object, service: Object) -> bool:
    return (
        pod["metadata"]["namespace"] == service["metadata"]["namespace"]
        and service["spec"]["selector"].items() <= (pod["metadata"].get("labels") or {}).items()
        and bool(pod.get("status", {}).get("podIP"))
        and not ended(pod)
    )


def _ports(service: Object, pod: Object) -> list[Object]:
    """A service's ports as a pod has them; a named one that it lacks is left out."""
    found = []
    named = {
        port["name"]: port["containerPort"]
        for container in pod["spec"]["containers"]
        for port in container.get("ports") or []
        if "name" in port
    }
    for port in service["spec"].get("ports") or []:
        target = port.get("targetPort", port["port"])
        number = named.get(target) if isinstance(target, str) else target
        if number:
            name = {"name": port["name"]} if port.get("name") else {}
            found.append({**name, "port": number, "protocol": port.get("protocol", "TCP")})
    return found


def _target(pod: Object) -> Object:
    metadata = pod["metadata"]
    return {"kind": "Pod", **{name: metadata[name] for name in ("namespace", "name", "uid")}}


def _endpoints(service: Object, pods: Sequence[Object]) -> Object:
    subsets: dict[str, Object] = {}
    for pod in sorted(pods, key=lambda each: str(each["status"]["podIP"])):
        ports = _ports(service, pod)
        subset = subsets.setdefault(str(ports), {"ports": ports})
        counts = ready(pod) and not terminating(pod)
        address = {
            "ip": pod["status"]["podIP"],
            "nodeName": pod["spec"]["nodeName"],
            "targetRef": _target(pod),
        }
        subset.setdefault("addresses" if counts else "notReadyAddresses", []).append(address)
    metadata = service["metadata"]
    return {
        "apiVersion": "v1",
        "kind": "Endpoints",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": {**(metadata.get("labels") or {}), **MANAGED},
        },
        "subsets": list(subsets.values()),
    }


def _slice(service: Object, pods: Sequence[Object]) -> Object:
    metadata = service["metadata"]
    ports = next((found for pod in pods if (found := _ports(service, pod))), [])
    endpoints = [
        {
            "addresses": [pod["status"]["podIP"]],
            "conditions": {
                "ready": ready(pod) and not terminating(pod),
                "serving": ready(pod),
                "terminating": terminating(pod),
            },
            "nodeName": pod["spec"]["nodeName"],
            "targetRef": _target(pod),
        }
        for pod in sorted(pods, key=lambda each: str(each["status"]["podIP"]))
    ]
    mark = f"{zlib.crc32(metadata['uid'].encode()):08x}"[:5]
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{metadata['name']}-{mark}",
            "namespace": metadata["namespace"],
            "labels": {**(metadata.get("labels") or {}), _SERVICE: metadata["name"], **SLICE},
            "ownerReferences": [templates.owner(service)],
        },
        "addressType": "IPv4",
        "endpoints": endpoints,
        "ports": [{"name": "", **port} for port in ports],
    }
