"""A request to a resource: its path, its query and its body read."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from apiserver import protobuf
from apiserver.access import ANONYMOUS, User
from apiserver.errors import StatusError, bad_request, unsupported_media_type
from apiserver.resources import Registry, Resource

PATCHES = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
    "application/apply-patch+yaml": "apply",
}


@dataclass(frozen=True)
class Target:
    """What a path points at. An empty ``name`` is the collection, an empty ``namespace`` all of them."""

    resource: Resource
    namespace: str
    name: str
    subresource: str


@dataclass
class Request:
    """One HTTP request. ``query`` holds the last value of each parameter."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes = b""
    user: User = ANONYMOUS

    @property
    def watches(self) -> bool:
        return self.query.get("watch", "").lower() in ("1", "true")

    @property
    def dry_run(self) -> bool:
        if self.query.get("dryRun", "All") != "All":
            raise StatusError(422, "Invalid", f"Invalid value for dryRun: {self.query['dryRun']}")
        return "dryRun" in self.query

    @property
    def strict(self) -> bool:
        return self.query.get("fieldValidation") == "Strict"

    @property
    def manager(self) -> str:
        agent = self.headers.get("user-agent", "unknown").partition("/")[0]
        return self.query.get("fieldManager") or agent

    @property
    def patch_kind(self) -> str:
        given = self.headers.get("content-type", "").partition(";")[0].strip()
        if given not in PATCHES:
            raise unsupported_media_type(given, list(PATCHES))
        return PATCHES[given]

    @property
    def wants_table(self) -> bool:
        """Whether the client prefers a Table; the ``as`` of the first type that it accepts says so."""
        return "as=Table" in self.headers.get("accept", "").partition(",")[0]

    def parsed(self) -> Any:
        """The body, which is JSON, Kubernetes' protobuf or, from those who write it by hand, YAML."""
        given = self.headers.get("content-type", "application/json").partition(";")[0].strip()
        if given.startswith(protobuf.MEDIA_TYPE):
            return protobuf.decoded(self.body) if self.body else {}
        if not self.body:
            return {}
        try:
            return json.loads(self.body)
        except ValueError:
            pass
        import yaml  # only for the few who send it: its import costs 5 MB

        try:
            return yaml.load(self.body, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
        except yaml.YAMLError as failed:
            raise bad_request(f"error decoding the body: {failed}".replace("\n", " ")) from None

    def object(self) -> dict[str, Any]:
        """The body as an object; 400 when it is none."""
        parsed = self.parsed()
        if not isinstance(parsed, dict):
            raise bad_request("the body is not an object")
        return parsed


def target(registry: Registry, path: str) -> Target | None:
    """/api/v1/… and /apis/<group>/<version>/… as a target; None when nothing is served there."""
    parts = path.strip("/").split("/")
    if parts[0] == "api" and len(parts) > 2:
        group, version, rest = "", parts[1], parts[2:]
    elif parts[0] == "apis" and len(parts) > 3:
        group, version, rest = parts[1], parts[2], parts[3:]
    else:
        return None
    namespace = ""
    if rest[0] == "namespaces" and len(rest) > 2 and not _of_namespace(rest):
        namespace, rest = rest[1], rest[2:]
    resource = registry.find(group, version, rest[0])
    if not resource or len(rest) > 3 or (namespace and not resource.namespaced):
        return None
    name, subresource = (*rest[1:], "", "")[:2]
    if subresource and subresource not in resource.subresources:
        return None
    if name and resource.namespaced and not namespace:
        return None
    return Target(resource, namespace, name, subresource)


def _of_namespace(rest: list[str]) -> bool:
    """Whether namespaces/<name>/<rest> is a subresource of the namespace itself."""
    return len(rest) == 3 and rest[2] in ("status", "finalize")
