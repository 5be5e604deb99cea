"""The verbs on resources, over etcd."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from apiserver import lists, managed, patches, schema, strategy
from apiserver.defaults import timestamp
from apiserver.errors import (
    already_exists,
    bad_request,
    conflict,
    forbidden,
    invalid,
    not_found,
    success,
    unsupported_media_type,
)
from apiserver.etcd import Etcd, Stored
from apiserver.objects import Object, decoded, encoded, list_keys, matching
from apiserver.request import PATCHES, Request, Target
from apiserver.resources import Resource, built_in
from apiserver.services import Services

# Gets the object as it is and answers how it shall be.
Change = Callable[[Object], Object]
_ETERNAL = frozenset(["default", "kube-system", "kube-public", "kube-node-lease"])


@dataclass(frozen=True)
class Rest:
    """Objects read and written. ``removed`` is told of every object that is gone."""

    etcd: Etcd
    services: Services
    removed: Callable[[Resource, Object], None]

    def get(self, target: Target) -> Object:
        stored = self._stored(target.resource, target.namespace, target.name)
        return decoded(target.resource, stored)

    def list(self, request: Request, target: Target) -> Object:
        resource = target.resource
        stored, revision = self.etcd.list(resource.below(target.namespace))
        chosen = matching(request, target)
        items = [obj for obj in (decoded(resource, each) for each in stored) if chosen(obj)]
        return {
            "kind": resource.list_kind or f"{resource.kind}List",
            "apiVersion": resource.api_version,
            "metadata": {"resourceVersion": str(revision)},
            "items": items,
        }

    def create(self, request: Request, target: Target) -> Object:
        return self.add(request, target, request.object())

    def add(
        self, request: Request, target: Target, obj: Object, applied_by: managed.Manager | None = None
    ) -> Object:
        """Store a new object."""
        resource = target.resource
        strategy.check_identity(resource, obj, target.namespace, target.name)
        self._namespace_takes(target)
        self._fields_known(request, resource, obj)
        sent = obj["metadata"].get("managedFields")
        strategy.new(resource, obj, request.user, self.services)
        if not applied_by:
            obj["metadata"].pop("managedFields", None)
            writer = managed.Manager(request.manager, "Update", resource.api_version)
            managed.updated(None, obj, writer, list_keys(resource))
        elif sent:
            obj["metadata"]["managedFields"] = sent
        name = obj["metadata"]["name"]
        key = resource.key(target.namespace, name)
        if request.dry_run:
            if self.etcd.get(key)[0]:
                raise already_exists(resource.plural, resource.group, name)
            return obj
        revision = self.etcd.put(key, encoded(obj), 0)
        if revision is None:
            raise already_exists(resource.plural, resource.group, name)
        obj["metadata"]["resourceVersion"] = str(revision)
        return obj

    def replace(self, request: Request, target: Target) -> Object:
        sent = request.object()
        strategy.check_identity(target.resource, sent, target.namespace, target.name)
        self._fields_known(request, target.resource, sent)
        return self.change(request, target, lambda old: copy.deepcopy(sent))

    def patch(self, request: Request, target: Target) -> Object:
        """The four kinds of patch. Server-side apply creates what does not exist yet."""
        resource, kind, body = target.resource, request.patch_kind, request.parsed()
        keys = list_keys(resource)
        if kind == "apply":
            return self._apply(request, target, body, keys)
        if kind == "strategic" and resource.custom:
            # kubectl falls back to a merge patch when it reads this.
            kinds = [kind for kind, name in PATCHES.items() if name != "strategic"]
            raise unsupported_media_type("application/strategic-merge-patch+json", kinds)

        def change(old: Object) -> Object:
            if kind == "json":
                new = patches.json_patch(old, body)
            elif kind == "merge":
                new = patches.merge(old, body)
            else:
                new = patches.strategic(old, body, keys)
            strategy.check_identity(resource, new, target.namespace, target.name)
            self._fields_known(request, resource, new)
            return dict(new)

        return self.change(request, target, change)

    def change(
        self, request: Request, target: Target, change: Change, applied_by: managed.Manager | None = None
    ) -> Object:
        """Read, change, write; again when another was faster, unless the change names its revision."""
        resource = target.resource
        while True:
            stored = self._stored(resource, target.namespace, target.name)
            old = decoded(resource, stored)
            new = change(copy.deepcopy(old))
            self._is_meant(target, old, new)
            if not target.subresource and "managedFields" not in new["metadata"]:
                new["metadata"]["managedFields"] = copy.deepcopy(old["metadata"].get("managedFields", []))
            strategy.changed(resource, old, new, target.subresource, self.services)
            new["metadata"]["resourceVersion"] = str(stored.revision)
            if not applied_by and _without_managers(new) != _without_managers(old):
                writer = managed.Manager(request.manager, "Update", resource.api_version, target.subresource)
                managed.updated(old, new, writer, list_keys(resource))
            if new == old or request.dry_run:
                return new
            if new["metadata"].get("deletionGracePeriodSeconds") == 0 and not _held(resource, new):
                if self.etcd.delete(stored.key, stored.revision) is not None:
                    self.removed(resource, new)
                    return new
                continue
            revision = self.etcd.put(stored.key, encoded(new), stored.revision)
            if revision is not None:
                new["metadata"]["resourceVersion"] = str(revision)
                return new

    def delete(self, request: Request, target: Target) -> Object:
        """Delete an object, or mark it when finalizers hold it. Answers as kube-apiserver does: a Status for
        what is gone, the object for what is still there."""
        resource = target.resource
        options = request.parsed() or {}
        wanted = options.get("preconditions") or {}
        if resource.plural == "namespaces" and target.name in _ETERNAL:
            raise forbidden(resource.plural, "", target.name, "this namespace may not be deleted")
        while True:
            stored = self._stored(resource, target.namespace, target.name)
            obj = decoded(resource, stored)
            for field in ("uid", "resourceVersion"):
                if wanted.get(field, obj["metadata"][field]) != obj["metadata"][field]:
                    why = (
                        f"the {field} in the precondition ({wanted[field]}) does not match the {field} in "
                        f"record ({obj['metadata'][field]})"
                    )
                    raise conflict(resource.plural, resource.group, target.name, why)
            if request.dry_run or "All" in (options.get("dryRun") or []):
                return success(resource.plural, resource.group, target.name, obj["metadata"]["uid"])
            if options.get("propagationPolicy") == "Orphan":
                obj["metadata"]["finalizers"] = [
                    *(each for each in obj["metadata"].get("finalizers", []) if each != "orphan")
                ]
            grace = _grace(request, resource, obj, options)
            if not grace and not _held(resource, obj):
                revision = self.etcd.delete(stored.key, stored.revision)
                if revision is None:
                    continue
                self.removed(resource, obj | {"orphans": options.get("propagationPolicy") == "Orphan"})
                return success(resource.plural, resource.group, target.name, obj["metadata"]["uid"])
            metadata = obj["metadata"]
            if metadata.get("deletionGracePeriodSeconds", grace + 1) <= grace:
                return obj
            metadata["deletionTimestamp"] = timestamp(grace)
            metadata["deletionGracePeriodSeconds"] = grace
            if resource.plural == "namespaces":
                obj["status"]["phase"] = "Terminating"
            revision = self.etcd.put(stored.key, encoded(obj), stored.revision)
            if revision is not None:
                obj["metadata"]["resourceVersion"] = str(revision)
                self.removed(resource, obj)
                return obj

    def delete_collection(self, request: Request, target: Target) -> Object:
        found = self.list(request, target)
        for obj in found["items"]:
            metadata = obj["metadata"]
            one = Target(target.resource, metadata.get("namespace", ""), metadata["name"], "")
            try:
                self.delete(request, one)
            except Exception as failed:
                if getattr(failed, "code", 0) != 404:
                    raise
        return found

    def _apply(self, request: Request, target: Target, config: Any, keys: lists.ListKeys) -> Object:
        resource = target.resource
        if not request.query.get("fieldManager"):
            raise invalid(
                "PatchOptions",
                "meta.k8s.io",
                "",
                ("fieldManager", "Required value: is required for apply patch"),
            )
        if not isinstance(config, dict):
            raise bad_request("the body is not an object")
        if config.get("metadata", {}).get("managedFields"):
            raise bad_request("metadata.managedFields must be nil")
        strategy.check_identity(resource, config, target.namespace, target.name)
        self._fields_known(request, resource, config)
        writer = managed.Manager(request.manager, "Apply", resource.api_version, target.subresource)
        force = request.query.get("force", "").lower() in ("1", "true")
        stored, _ = self.etcd.get(resource.key(target.namespace, target.name))
        if not stored:
            if target.subresource or config["metadata"].get("uid"):
                raise not_found(resource.plural, resource.group, target.name)
            skeleton: Object = {"apiVersion": resource.api_version, "kind": resource.kind, "metadata": {}}
            new = managed.applied(skeleton, config, writer, keys, force)
            return self.add(request, target, new, applied_by=writer)

        def change(live: Object) -> Object:
            return managed.applied(live, config, writer, keys, force)

        return self.change(request, target, change, applied_by=writer)

    def _stored(self, resource: Resource, namespace: str, name: str) -> Stored:
        stored, _ = self.etcd.get(resource.key(namespace, name))
        if not stored:
            raise not_found(resource.plural, resource.group, name)
        return stored

    def _namespace_takes(self, target: Target) -> None:
        if not target.resource.namespaced:
            return
        namespace = self._stored(built_in("namespaces"), "", target.namespace)
        if "deletionTimestamp" in json.loads(namespace.value)["metadata"]:
            why = (
                f"unable to create new content in namespace {target.namespace} because it is being terminated"
            )
            raise forbidden(target.resource.plural, target.resource.group, target.name, why)

    def _fields_known(self, request: Request, resource: Resource, obj: Object) -> None:
        unknown = schema.unknown_fields(resource, obj)
        if unknown and request.strict:
            raise schema.strict_error(resource, unknown)
        if unknown and resource.custom and resource.schema:
            schema.prune(resource.schema, obj, unknown)

    def _is_meant(self, target: Target, old: Object, new: Object) -> None:
        resource, metadata = target.resource, new["metadata"]
        for field in ("resourceVersion", "uid"):
            if metadata.get(field) and metadata[field] != old["metadata"][field]:
                why = ""
                if field == "uid":
                    why = (
                        f"Precondition failed: UID in precondition: {metadata[field]}, "
                        f"UID in object meta: {old['metadata'][field]}"
                    )
                raise conflict(resource.plural, resource.group, target.name, why)


def _held(resource: Resource, obj: Object) -> bool:
    """Whether finalizers keep an object that is to be deleted; a namespace has them in its spec, too."""
    if resource.plural == "namespaces" and obj.get("spec", {}).get("finalizers"):
        return True
    return bool(obj["metadata"].get("finalizers"))


def _grace(request: Request, resource: Resource, obj: Object, options: Object) -> int:
    """The seconds that a kubelet has to end a pod, 0 for what is deleted at once: a pod that no kubelet has
    begun or that has ended, and the mirror of a static pod, which ends with its file."""
    status, metadata = obj.get("status") or {}, obj["metadata"]
    ended = status.get("phase") in ("Failed", "Succeeded")
    if resource.plural != "pods" or not status.get("startTime") or ended:
        return 0
    if "kubernetes.io/config.mirror" in (metadata.get("annotations") or {}):
        return 0
    asked = options.get("gracePeriodSeconds", request.query.get("gracePeriodSeconds"))
    return int(obj["spec"].get("terminationGracePeriodSeconds", 30) if asked is None else asked)


def _without_managers(obj: Object) -> Object:
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    return obj | {"metadata": metadata}
