"""Objects between etcd and clients."""

from __future__ import annotations

import json
from typing import Any

from apiserver import lists, selection
from apiserver.etcd import Stored
from apiserver.request import Request, Target
from apiserver.resources import Resource

Object = dict[str, Any]


def decoded(resource: Resource, stored: Stored) -> Object:
    """An object as clients see it: with its revision, in the version that was asked for."""
    obj: Object = json.loads(stored.value)
    obj["metadata"]["resourceVersion"] = str(stored.revision)
    obj["apiVersion"] = resource.api_version
    return obj


def encoded(obj: Object) -> bytes:
    """An object as etcd keeps it: its revision is etcd's own."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "resourceVersion"}
    return json.dumps(obj | {"metadata": metadata}, separators=(",", ":")).encode()


def list_keys(resource: Resource) -> lists.ListKeys:
    return lists.custom(resource.schema) if resource.custom else lists.built_in(resource.kind)


def matching(request: Request, target: Target) -> selection.Matches:
    """The objects that a request's selectors, and a collection's single name, choose."""
    chosen = [
        selection.labels(request.query.get("labelSelector", "")),
        selection.fields(request.query.get("fieldSelector", "")),
    ]
    if target.name:
        chosen.append(selection.fields(f"metadata.name={target.name}"))
    return lambda obj: all(matches(obj) for matches in chosen)
