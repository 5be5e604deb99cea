"""scale, eviction, binding, and the reviews that are asked and never stored."""

from __future__ import annotations

import copy
import json
from typing import Any

from apiserver import selection
from apiserver.access import Asked, User, allowed
from apiserver.errors import StatusError, success
from apiserver.objects import Object
from apiserver.request import Request, Target
from apiserver.resources import Registry, built_in
from apiserver.rest import Rest


def scale(rest: Rest, request: Request, target: Target) -> Object:
    """autoscaling/v1 Scale of a workload: read, replaced or patched."""
    if request.method == "GET":
        return _scale_of(rest.get(target))
    whole = Target(target.resource, target.namespace, target.name, "")
    body = request.object()

    def change(obj: Object) -> Object:
        replicas = body.get("spec", {}).get("replicas")
        if replicas is not None:
            obj["spec"]["replicas"] = replicas
        if request.method == "PUT" and body.get("metadata", {}).get("resourceVersion"):
            obj["metadata"]["resourceVersion"] = body["metadata"]["resourceVersion"]
        return obj

    return _scale_of(rest.change(request, whole, change))


def _scale_of(obj: Object) -> Object:
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    labels = obj["spec"].get("selector", {}).get("matchLabels") or {}
    return {
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {key: value for key, value in obj["metadata"].items() if key in kept},
        "spec": {"replicas": obj["spec"].get("replicas", 0)},
        "status": {
            "replicas": obj.get("status", {}).get("replicas", 0),
            "selector": ",".join(f"{key}={value}" for key, value in labels.items()),
        },
    }


def evict(rest: Rest, request: Request, target: Target) -> Object:
    """Delete a pod, unless a disruption budget forbids it: 429, which ``kubectl drain`` tries again."""
    pod_target = Target(target.resource, target.namespace, target.name, "")
    pod = rest.get(pod_target)
    stored, _ = rest.etcd.list(built_in("poddisruptionbudgets", "policy").below(target.namespace))
    for budget in (json.loads(each.value) for each in stored):
        applies = selection.of_labels(budget["spec"].get("selector") or {})(pod)
        left = budget.get("status", {}).get("disruptionsAllowed", 0)
        if applies and left < 1:
            message = "Cannot evict pod as it would violate the pod's disruption budget."
            name = budget["metadata"]["name"]
            cause = f"The disruption budget {name} does not allow evicting pods currently"
            details = {"causes": [{"reason": "DisruptionBudget", "message": cause}]}
            raise StatusError(429, "TooManyRequests", message, details)
    eviction = request.object()
    deletion = copy.copy(request)
    deletion.body = json.dumps(eviction.get("deleteOptions") or {}).encode()
    rest.delete(deletion, pod_target)
    return success("pods", "", target.name, pod["metadata"]["uid"]) | {"code": 201}


def bind(rest: Rest, request: Request, target: Target) -> Object:
    """What a scheduler does: put a pod on a node."""
    node = request.object().get("target", {}).get("name", "")

    def change(pod: Object) -> Object:
        pod["spec"]["nodeName"] = node
        return pod

    pod = rest.change(request, Target(target.resource, target.namespace, target.name, ""), change)
    return success("pods", "", target.name, pod["metadata"]["uid"])


def review(registry: Registry, request: Request, target: Target) -> Object:
    """Who am I, may I: SelfSubjectReview and the access reviews."""
    asked = request.object()
    answer: dict[str, Any] = {
        "kind": target.resource.kind,
        "apiVersion": target.resource.api_version,
        "metadata": {},
        "spec": asked.get("spec", {}),
    }
    user = request.user
    if target.resource.plural == "selfsubjectreviews":
        who = {"username": user.name, "groups": list(user.groups)}
        return answer | {"status": {"userInfo": who}}
    spec = answer["spec"]
    if not target.resource.plural.startswith("self"):
        user = User(spec.get("user", ""), (*spec.get("groups", []), "system:authenticated"))
    return answer | {"status": {"allowed": allowed(user, _asked(registry, spec))}}


def _asked(registry: Registry, spec: dict[str, Any]) -> Asked:
    if "nonResourceAttributes" in spec:
        attributes = spec["nonResourceAttributes"]
        return Asked(attributes.get("verb", ""), attributes.get("path", ""))
    attributes = spec.get("resourceAttributes", {})
    group, plural = attributes.get("group", ""), attributes.get("resource", "")
    resource = next((r for r in registry.all() if r.group == group and r.plural == plural), None)
    return Asked(
        attributes.get("verb", ""),
        "",
        resource or built_in("pods") if plural else None,
        attributes.get("namespace", ""),
        attributes.get("name", ""),
        attributes.get("subresource", ""),
    )
