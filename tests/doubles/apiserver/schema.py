"""A custom resource against its OpenAPI v3 schema, and the few built-in kinds whose fields are known here.

https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/
"""

from __future__ import annotations

import copy
import re
from typing import Any

from apiserver.errors import StatusError, bad_request, invalid
from apiserver.resources import Resource

Schema = dict[str, Any]
_TYPES: dict[str, Any] = {
    "object": dict, "array": list, "string": str, "boolean": bool, "integer": int, "number": (int, float),
}  # fmt: skip
_TOP = frozenset(["apiVersion", "kind", "metadata"])
# Fields of kinds that people write by hand, from k8s.io/api v0.33; "Kind" for the top, "Kind.spec" below.
_KNOWN = {
    "ConfigMap": "data binaryData immutable",
    "Secret": "data stringData type immutable",
    "Namespace": "spec status",
    "Node": "spec status",
    "ServiceAccount": "secrets imagePullSecrets automountServiceAccountToken",
    "Service": "spec status",
    "Service.spec": "ports selector clusterIP clusterIPs type externalIPs sessionAffinity loadBalancerIP "
    "loadBalancerSourceRanges externalName externalTrafficPolicy healthCheckNodePort "
    "publishNotReadyAddresses sessionAffinityConfig ipFamilies ipFamilyPolicy "
    "allocateLoadBalancerNodePorts loadBalancerClass internalTrafficPolicy trafficDistribution",
    "Deployment": "spec status",
    "Deployment.spec": "replicas selector template strategy minReadySeconds revisionHistoryLimit paused "
    "progressDeadlineSeconds",
    "DaemonSet": "spec status",
    "DaemonSet.spec": "selector template updateStrategy minReadySeconds revisionHistoryLimit",
    "StatefulSet": "spec status",
    "Pod": "spec status",
    "Role": "rules",
    "ClusterRole": "rules aggregationRule",
    "RoleBinding": "subjects roleRef",
    "ClusterRoleBinding": "subjects roleRef",
    "StorageClass": "provisioner parameters reclaimPolicy mountOptions allowVolumeExpansion "
    "volumeBindingMode allowedTopologies",
    "Lease": "spec",
}


def unknown_fields(resource: Resource, obj: dict[str, Any]) -> list[str]:
    """Paths of fields that the resource does not have, as far as that is known."""
    if resource.custom:
        return _unknown(resource.schema or {}, obj, "", top=True)
    found = []
    for place, names in _KNOWN.items():
        kind, _, below = place.partition(".")
        if kind == resource.kind:
            part = obj.get(below) if below else obj
            known = set(names.split()) | (set() if below else _TOP)
            prefix = f"{below}." if below else ""
            found += [
                f"{prefix}{name}" for name in (part if isinstance(part, dict) else {}) if name not in known
            ]
    return sorted(found)


def strict_error(resource: Resource, unknown: list[str]) -> StatusError:
    """400 in kube-apiserver's words."""
    kind, listed = resource.kind, ", ".join(f'unknown field "{field}"' for field in unknown)
    what = f'{kind} in version "{resource.version}" cannot be handled as a {kind}'
    return bad_request(f"{what}: strict decoding error: {listed}")


def _unknown(schema: Schema, value: Any, at: str, top: bool = False) -> list[str]:
    if schema.get("x-kubernetes-preserve-unknown-fields") or schema.get("x-kubernetes-embedded-resource"):
        return []
    found = []
    if isinstance(value, dict) and ("properties" in schema or top):
        properties = schema.get("properties", {})
        extra = schema.get("additionalProperties")
        for name, below in value.items():
            if top and name in _TOP:
                continue
            path = f"{at}.{name}" if at else name
            if name in properties:
                found += _unknown(properties[name], below, path)
            elif not extra:
                found.append(path)
    elif isinstance(value, dict) and isinstance(schema.get("additionalProperties"), dict):
        for name, below in value.items():
            found += _unknown(schema["additionalProperties"], below, f"{at}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += _unknown(schema.get("items", {}), item, f"{at}[{index}]")
    return found


def prune(schema: Schema, obj: dict[str, Any], unknown: list[str]) -> None:
    """Take the unknown fields out, as kube-apiserver does with a structural schema."""
    for path in unknown:
        *parents, last = re.findall(r"[^.\[\]]+", path)
        node: Any = obj
        for step in parents:
            node = node[int(step)] if isinstance(node, list) else node.get(step, {})
        if isinstance(node, dict):
            node.pop(last, None)


def default(schema: Schema, value: Any) -> None:
    """Fill in the schema's defaults."""
    if isinstance(value, dict):
        for name, below in schema.get("properties", {}).items():
            if name not in value and "default" in below:
                value[name] = copy.deepcopy(below["default"])
            if name in value:
                default(below, value[name])
        if isinstance(schema.get("additionalProperties"), dict):
            for name in value.keys() - schema.get("properties", {}).keys():
                default(schema["additionalProperties"], value[name])
    elif isinstance(value, list):
        for item in value:
            default(schema.get("items", {}), item)


def validate(resource: Resource, obj: dict[str, Any]) -> None:
    """422 with every cause for an object that its schema refuses."""
    schema = {
        key: value
        for key, value in (resource.schema or {}).items()
        if key not in ("oneOf", "anyOf", "allOf", "not")
    }
    causes = _problems(schema, obj, "")
    if causes:
        raise invalid(resource.kind, resource.group, obj["metadata"].get("name", ""), *causes)


def _problems(schema: Schema, value: Any, at: str) -> list[tuple[str, str]]:
    if value is None and schema.get("nullable"):
        return []
    kind = schema.get("type")
    if schema.get("x-kubernetes-int-or-string"):
        kind = "integer" if isinstance(value, int) else "string"
    fits = kind not in _TYPES or (
        isinstance(value, _TYPES[kind]) and not (isinstance(value, bool) and kind in ("integer", "number"))
    )
    if not fits:
        given = {
            dict: "object",
            list: "array",
            str: "string",
            bool: "boolean",
            int: "integer",
            float: "number",
        }
        said = given.get(type(value), "null")
        return [(at, f'Invalid value: "{said}": {at} in body must be of type {kind}: "{said}"')]
    found: list[tuple[str, str]] = []
    if isinstance(value, dict):
        for name in schema.get("required", []):
            if name not in value:
                found.append((f"{at}.{name}".lstrip("."), "Required value"))
        properties, extra = schema.get("properties", {}), schema.get("additionalProperties")
        for name, below in value.items():
            if name in properties and (at or name not in _TOP):
                found += _problems(properties[name], below, f"{at}.{name}".lstrip("."))
            elif isinstance(extra, dict):
                found += _problems(extra, below, f"{at}.{name}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            found += _problems(schema.get("items", {}), item, f"{at}[{index}]")
    return found + [(at, problem) for problem in _limits(schema, value, at)]


def _limits(schema: Schema, value: Any, at: str) -> list[str]:
    found = []
    bounds: tuple[str, str, str, str, float, str]
    if "enum" in schema and value not in schema["enum"]:
        supported = ", ".join(f'"{each}"' for each in schema["enum"])
        found.append(f'Unsupported value: "{value}": supported values: {supported}')
    if isinstance(value, str):
        pattern = schema.get("pattern")
        if pattern and not re.search(pattern, value):
            found.append(f"Invalid value: \"{value}\": {at} in body should match '{pattern}'")
        bounds = ("minLength", "at least", "maxLength", "at most", len(value), " chars long")
    elif isinstance(value, list):
        bounds = ("minItems", "at least", "maxItems", "at most", len(value), " items long")
    elif isinstance(value, (int, float)) and not isinstance(value, bool):
        bounds = ("minimum", "greater than or equal to", "maximum", "less than or equal to", value, "")
    else:
        return found
    least, no_less, most, no_more, size, unit = bounds
    if least in schema and size < schema[least]:
        found.append(f"Invalid value: {value}: {at} in body should be {no_less} {schema[least]}{unit}")
    if most in schema and size > schema[most]:
        found.append(f"Invalid value: {value}: {at} in body should be {no_more} {schema[most]}{unit}")
    return found
