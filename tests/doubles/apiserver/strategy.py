"""What the API server does to an object before it stores it: identity, what may change, defaults, checks."""

from __future__ import annotations

import copy
import json
import re
import uuid
from typing import Any

from apiserver import defaults, schema
from apiserver.access import User
from apiserver.defaults import Object, timestamp
from apiserver.errors import bad_request, invalid
from apiserver.resources import Resource
from apiserver.services import Services

_LABEL = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_WITH_GENERATION = frozenset(["apps", "batch", "policy", "networking.k8s.io", "apiextensions.k8s.io"])
_IMMUTABLE_METADATA = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")


def check_name(resource: Resource, obj: Object) -> None:
    """422 for a name that the resource may not have."""
    name = obj["metadata"].get("name", "")
    if not name:
        raise invalid(
            resource.kind,
            resource.group,
            "",
            ("metadata.name", "Required value: name or generateName is required"),
        )
    if resource.group == "rbac.authorization.k8s.io":
        if "/" in name or "%" in name:
            raise invalid(
                resource.kind,
                resource.group,
                name,
                ("metadata.name", f"Invalid value: \"{name}\": may not contain '/'"),
            )
    elif not re.fullmatch(_SUBDOMAIN, name) or len(name) > 253:
        problem = (
            "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', "
            "and must start and end with an alphanumeric character (e.g. 'example.com', "
            "regex used for validation is "
            "'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
        )
        raise invalid(
            resource.kind, resource.group, name, ("metadata.name", f'Invalid value: "{name}": {problem}')
        )


def new(resource: Resource, obj: Object, user: User, services: Services) -> None:
    """Make what a client sent an object to be stored."""
    metadata = obj["metadata"]
    for field in (*_IMMUTABLE_METADATA, "resourceVersion", "generation", "selfLink"):
        metadata.pop(field, None)
    if not metadata.get("name") and metadata.get("generateName"):
        metadata["name"] = metadata["generateName"] + uuid.uuid4().hex[:5]
    check_name(resource, obj)
    metadata["uid"] = str(uuid.uuid4())
    metadata["creationTimestamp"] = timestamp()
    if has_generation(resource):
        metadata["generation"] = 1
    if has_status(resource) and resource.plural not in ("nodes", "namespaces"):
        obj.pop("status", None)
    if resource.plural == "certificatesigningrequests":
        spec = obj.setdefault("spec", {})
        spec["username"], spec["groups"] = user.name, list(user.groups)
        obj["status"] = {}
    if resource.plural == "nodes":
        _keep_pods_away(obj)
    defaults.fill(resource, obj)
    if resource.plural == "services":
        services.allocate(obj, None)
    checked(resource, obj)


def _keep_pods_away(node: Object) -> None:
    """As the admission plugin TaintNodesByCondition: nothing comes before the node has been seen ready."""
    taint = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
    spec = node.setdefault("spec", {})
    conditions = (node.get("status") or {}).get("conditions") or []
    if any((each["type"], each["status"]) == ("Ready", "True") for each in conditions):
        return
    if all(each.get("key") != taint["key"] for each in spec.get("taints") or []):
        spec["taints"] = [*(spec.get("taints") or []), taint]


def changed(resource: Resource, old: Object, obj: Object, subresource: str, services: Services) -> None:
    """Keep what this update may not touch, count generations, fill in defaults."""
    if subresource in ("status", "approval"):
        metadata = obj["metadata"]
        status = obj.get("status")
        for name in [*obj]:
            if name not in ("apiVersion", "kind", "metadata"):
                del obj[name]
        obj.update({name: value for name, value in copy.deepcopy(old).items() if name not in ("metadata",)})
        obj.pop("status", None)
        if status is not None:
            obj["status"] = status
        if resource.custom:
            managed = metadata.get("managedFields")
            obj["metadata"] = copy.deepcopy(old["metadata"]) | ({"managedFields": managed} if managed else {})
    elif has_status(resource):
        obj.pop("status", None)
        if "status" in old:
            obj["status"] = copy.deepcopy(old["status"])
    metadata, before = obj["metadata"], old["metadata"]
    for field in _IMMUTABLE_METADATA:
        metadata.pop(field, None)
        if field in before:
            metadata[field] = before[field]
    if "generation" in before:
        metadata["generation"] = before["generation"] + (_meant(old) != _meant(obj))
    defaults.fill(resource, obj)
    if resource.plural == "services":
        services.allocate(obj, old)
    _immutable(resource, old, obj)
    checked(resource, obj)


def checked(resource: Resource, obj: Object) -> None:
    """Validate what has a schema here."""
    if resource.custom and resource.schema:
        schema.default(resource.schema, obj)
        schema.validate(resource, obj)
    if resource.plural == "customresourcedefinitions":
        spec = obj["spec"]
        expected = f"{spec['names']['plural']}.{spec['group']}"
        if obj["metadata"]["name"] != expected:
            problem = f'Invalid value: "{obj["metadata"]["name"]}": must be spec.names.plural+"."+spec.group'
            raise invalid(resource.kind, resource.group, obj["metadata"]["name"], ("metadata.name", problem))


def _immutable(resource: Resource, old: Object, obj: Object) -> None:
    fixed: list[tuple[str, Any, Any]] = []
    if resource.plural in ("deployments", "daemonsets", "statefulsets", "replicasets"):
        fixed.append(("spec.selector", old["spec"].get("selector"), obj["spec"].get("selector")))
    if old.get("immutable") and resource.plural in ("configmaps", "secrets"):
        fixed.append(("data", old.get("data"), obj.get("data")))
    if resource.plural == "secrets":
        fixed.append(("type", old.get("type"), obj.get("type")))
    if resource.plural in ("rolebindings", "clusterrolebindings"):
        fixed.append(("roleRef", old.get("roleRef"), obj.get("roleRef")))
    causes = [
        (field, f"Invalid value: {json.dumps(now)}: field is immutable")
        for field, was, now in fixed
        if was != now
    ]
    if causes:
        raise invalid(resource.kind, resource.group, obj["metadata"]["name"], *causes)


def has_status(resource: Resource) -> bool:
    return "status" in resource.subresources


def has_generation(resource: Resource) -> bool:
    return resource.custom or resource.group in _WITH_GENERATION


def _meant(obj: Object) -> Object:
    return {name: value for name, value in obj.items() if name not in ("metadata", "status")}


def check_identity(resource: Resource, obj: Object, namespace: str, name: str) -> None:
    """400 when the body speaks of another object than the path."""
    metadata = obj.setdefault("metadata", {})
    if metadata.get("namespace", namespace) != namespace and resource.namespaced:
        raise bad_request(
            "the namespace of the provided object does not match the namespace sent on the request"
        )
    if name and metadata.get("name", name) != name:
        raise bad_request(
            f"the name of the object ({metadata['name']}) does not match the name on the URL ({name})"
        )
    kind, version = obj.get("kind", resource.kind), obj.get("apiVersion", resource.api_version)
    if (kind, version) != (resource.kind, resource.api_version):
        raise bad_request(
            f"the object provided is unrecognized (must be of type {resource.kind}): {kind} of {version}"
        )
    obj["kind"], obj["apiVersion"] = resource.kind, resource.api_version
    if resource.namespaced:
        metadata["namespace"] = namespace
    else:
        metadata.pop("namespace", None)
    if name:
        metadata["name"] = name
