"""What the server serves: /api and /apis in both forms, /version, and OpenAPI documents that say little.

The OpenAPI documents have no schemas: kubectl then takes its own for built-in kinds and validates on the
server, which they do say (the parameter fieldValidation of every PATCH). Helm 3 and kubectl read version 2 as
protobuf: https://github.com/google/gnostic/blob/main/openapiv2/OpenAPIv2.proto
"""

from __future__ import annotations

import hashlib
import json
import platform
from typing import Any

from apiserver.resources import REVIEWS, Registry, Resource

_AGGREGATED = "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList"
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64"}


def version(text: str) -> dict[str, str]:
    """/version of ``v1.33.2``."""
    major, minor, _ = text.lstrip("v").split(".", 2)
    machine = _MACHINES.get(platform.machine(), platform.machine())
    return {
        "major": major,
        "minor": minor,
        "gitVersion": text,
        "gitCommit": "",
        "gitTreeState": "test double",
        "buildDate": "1970-01-01T00:00:00Z",
        "goVersion": f"python{platform.python_version()}",
        "compiler": "",
        "platform": f"linux/{machine}",
    }


def answer(registry: Registry, path: str, accept: str) -> tuple[dict[str, Any], str] | None:
    """A discovery document with its content type, None for a path that has none."""
    parts = path.strip("/").split("/")
    if parts in (["api"], ["apis"]):
        groups = _by_group(registry, core=parts == ["api"])
        if "as=APIGroupDiscoveryList" in accept and "v=v2," in accept + ",":
            return _aggregated(groups), _AGGREGATED
        return _plain(groups, parts[0]), "application/json"
    if parts[0] == "api" and len(parts) == 2:
        found = [r for r in registry.all() if not r.group and r.version == parts[1]]
        return (_resource_list(parts[1], found), "application/json") if found else None
    if parts[0] == "apis" and len(parts) == 2:
        versions = _by_group(registry, core=False).get(parts[1])
        return (_group(parts[1], versions, whole=True), "application/json") if versions else None
    if parts[0] == "apis" and len(parts) == 3:
        found = [r for r in registry.all() if (r.group, r.version) == (parts[1], parts[2])]
        return (_resource_list(f"{parts[1]}/{parts[2]}", found), "application/json") if found else None
    return None


Groups = dict[str, dict[str, list[Resource]]]


def _by_group(registry: Registry, core: bool) -> Groups:
    groups: Groups = {}
    for resource in registry.all():
        if core == (not resource.group):
            groups.setdefault(resource.group, {}).setdefault(resource.version, []).append(resource)
    return groups


def _resource_list(group_version: str, found: list[Resource]) -> dict[str, Any]:
    return {
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": [entry for resource in found for entry in resource.discovered()],
    }


def _group(name: str, versions: dict[str, list[Resource]], whole: bool = False) -> dict[str, Any]:
    listed = [{"groupVersion": f"{name}/{each}", "version": each} for each in versions]
    group = {"name": name, "versions": listed, "preferredVersion": listed[0]}
    return {"kind": "APIGroup", "apiVersion": "v1", **group} if whole else group


def _plain(groups: Groups, root: str) -> dict[str, Any]:
    if root == "api":
        addresses = [{"clientCIDR": "0.0.0.0/0", "serverAddress": ""}]
        return {"kind": "APIVersions", "versions": ["v1"], "serverAddressByClientCIDRs": addresses}
    listed = [_group(name, versions) for name, versions in groups.items()]
    return {"kind": "APIGroupList", "apiVersion": "v1", "groups": listed}


def _aggregated(groups: Groups) -> dict[str, Any]:
    items = [
        {
            "metadata": {"name": name, "creationTimestamp": None},
            "versions": [
                {"version": each, "resources": [_one(r) for r in found], "freshness": "Current"}
                for each, found in versions.items()
            ],
        }
        for name, versions in groups.items()
    ]
    return {
        "kind": "APIGroupDiscoveryList",
        "apiVersion": "apidiscovery.k8s.io/v2",
        "metadata": {},
        "items": items,
    }


def _one(resource: Resource) -> dict[str, Any]:
    plain, *subresources = resource.discovered()

    def kind(entry: dict[str, Any]) -> dict[str, str]:
        group, api = entry.get("group", resource.group), entry.get("version", resource.version)
        return {"group": group, "version": api, "kind": entry["kind"]}

    answer = {
        "resource": plain["name"],
        "responseKind": kind(plain),
        "scope": "Namespaced" if resource.namespaced else "Cluster",
        "singularResource": plain["singularName"],
        "verbs": plain["verbs"],
        "shortNames": plain.get("shortNames", []),
        "categories": plain.get("categories", []),
    }
    if subresources:
        answer["subresources"] = [
            {
                "subresource": each["name"].partition("/")[2],
                "responseKind": kind(each),
                "verbs": each["verbs"],
            }
            for each in subresources
        ]
    return answer


def openapi_v3(registry: Registry, path: str) -> dict[str, Any] | None:
    """/openapi/v3, and /openapi/v3/api/v1 or /openapi/v3/apis/<group>/<version>."""
    by_path: dict[str, list[Resource]] = {}
    for resource in registry.all():
        root = "apis" if resource.group else "api"
        by_path.setdefault(f"{root}/{resource.api_version}", []).append(resource)
    below = path.removeprefix("/openapi/v3").strip("/")
    if not below:
        return {
            "paths": {each: {"serverRelativeURL": _hashed(each, found)} for each, found in by_path.items()}
        }
    if below not in by_path:
        return None
    return {
        "openapi": "3.0.0",
        "info": {"title": "Kubernetes (test double)", "version": "unversioned"},
        "paths": {_url(r): {"patch": _patch_operation(r)} for r in by_path[below] if r.plural not in REVIEWS},
        "components": {"schemas": {}},
    }


def _hashed(path: str, found: list[Resource]) -> str:
    """The document's address, which changes with it: kubectl keeps what it has read for good."""
    digest = hashlib.sha256(repr(found).encode()).hexdigest()[:32].upper()
    return f"/openapi/v3/{path}?hash={digest}"


def _url(resource: Resource) -> str:
    root = f"/apis/{resource.api_version}" if resource.group else f"/api/{resource.api_version}"
    return f"{root}{'/namespaces/{namespace}' if resource.namespaced else ''}/{resource.plural}/{{name}}"


def _patch_operation(resource: Resource) -> dict[str, Any]:
    parameters = [
        {"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": True}}
        for name in ("dryRun", "fieldManager", "fieldValidation")
    ]
    kind = {"group": resource.group, "version": resource.version, "kind": resource.kind}
    return {
        "parameters": parameters,
        "responses": {"200": {"description": "OK"}},
        "x-kubernetes-action": "patch",
        "x-kubernetes-group-version-kind": kind,
    }


def openapi_v2(registry: Registry) -> dict[str, Any]:
    """/openapi/v2 as JSON."""
    paths = {}
    for resource in registry.all():
        if resource.plural not in REVIEWS:
            operation = _patch_operation(resource)
            operation["parameters"] = [
                {"name": each["name"], "in": "query", "type": "string"} for each in operation["parameters"]
            ]
            paths[_url(resource)] = {"patch": operation}
    info = {"title": "Kubernetes (test double)", "version": "unversioned"}
    return {"swagger": "2.0", "info": info, "paths": paths, "definitions": {}}


def openapi_v2_protobuf(registry: Registry) -> bytes:
    """/openapi/v2 as the protobuf message openapi.v2.Document."""
    document = openapi_v2(registry)
    paths = b"".join(
        _message(2, _message(1, url.encode()) + _message(2, _message(8, _operation(item["patch"]))))
        for url, item in document["paths"].items()
    )
    info = _message(1, document["info"]["title"].encode()) + _message(2, document["info"]["version"].encode())
    return _message(1, b"2.0") + _message(2, info) + _message(8, paths)


def _operation(patch: dict[str, Any]) -> bytes:
    parameters = b"".join(_parameter(each["name"]) for each in patch["parameters"])
    kind = json.dumps(patch["x-kubernetes-group-version-kind"]).encode()
    extension = _message(1, b"x-kubernetes-group-version-kind") + _message(2, _message(2, kind))
    return parameters + _message(13, extension)


def _parameter(name: str) -> bytes:
    """A ParametersItem that is a parameter of the query: {in, name, type}."""
    schema = _message(2, b"query") + _message(4, name.encode()) + _message(6, b"string")
    return _message(8, _message(1, _message(2, _message(3, schema))))


def _message(number: int, content: bytes) -> bytes:
    """A length-delimited field: https://protobuf.dev/programming-guides/encoding/"""
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    encoded = bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])
