"""Watches: etcd's changes as a stream of ADDED, MODIFIED, DELETED, BOOKMARK and ERROR."""

from __future__ import annotations

import random
import select
import socket
import time
from collections.abc import Callable, Iterator
from typing import Any

from apiserver import tables
from apiserver.errors import StatusError, gone
from apiserver.etcd import Change, Compacted, EtcdError, Progress, Stored
from apiserver.objects import Object, decoded, matching
from apiserver.request import Request, Target
from apiserver.rest import Rest

Event = dict[str, Any]


def refuse_streaming_list(request: Request) -> None:
    """Clients that would rather stream a list read this and list."""
    if "sendInitialEvents" in request.query:
        message = (
            'ListOptions.meta.k8s.io "" is invalid: sendInitialEvents: Forbidden: sendInitialEvents is '
            "forbidden for watch unless the WatchList feature gate is enabled"
        )
        raise StatusError(422, "Invalid", message)


def events(rest: Rest, request: Request, target: Target, client: socket.socket) -> Iterator[Event]:
    """Events until the client goes, its time is over, or etcd's watch ends. Without a revision, or with 0, it
    begins with all that exists."""
    asked = request.query.get("resourceVersion", "")
    shaped = _shape(request, target)
    if asked in ("", "0"):
        found = rest.list(request, target)
        for obj in found["items"]:
            yield {"type": "ADDED", "object": shaped(obj)}
        asked = found["metadata"]["resourceVersion"]
    seconds = float(request.query.get("timeoutSeconds") or random.uniform(1800, 3600))
    watch = rest.etcd.watch(target.resource.below(target.namespace), int(asked) + 1)
    try:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            readable, _, _ = select.select([client.fileno(), watch.fileno()], [], [], left)
            if client.fileno() in readable:
                return  # it has nothing more to say but that it goes
            if watch.fileno() in readable:
                for change in watch.read():
                    yield from _told(request, target, shaped, change, int(asked))
                    if isinstance(change, Compacted):
                        return
    except EtcdError:
        return  # the client comes back with the revision it knows
    finally:
        watch.close()


def _shape(request: Request, target: Target) -> Callable[[Object], Object]:
    """An event's object as the client wants it; a Table says its columns only once, with the first event."""
    if not request.wants_table:
        return lambda obj: obj
    told: list[bool] = []

    def row(obj: Object) -> Object:
        metadata = {"resourceVersion": obj["metadata"]["resourceVersion"]}
        include = request.query.get("includeObject", "Metadata")
        table = tables.table(target.resource, [obj], metadata, include)
        if told:
            table["columnDefinitions"] = None
        told.append(True)
        return table

    return row


def _told(
    request: Request,
    target: Target,
    shaped: Callable[[Object], Object],
    change: Change | Compacted | Progress,
    asked: int,
) -> Iterator[Event]:
    resource = target.resource
    if isinstance(change, Compacted):
        error = gone(f"too old resource version: {asked} ({change.revision})")
        yield {"type": "ERROR", "object": error.body}
    elif isinstance(change, Progress):
        if request.query.get("allowWatchBookmarks", "").lower() in ("1", "true") and not request.wants_table:
            metadata = {"resourceVersion": str(change.revision), "creationTimestamp": None}
            mark = {"kind": resource.kind, "apiVersion": resource.api_version, "metadata": metadata}
            yield {"type": "BOOKMARK", "object": mark}
    else:
        chosen = matching(request, target)
        now = None if change.deleted else decoded(resource, change.now)
        before = decoded(resource, change.before) if change.before else None
        is_in, was_in = bool(now and chosen(now)), bool(before and chosen(before))
        if is_in and now:
            yield {"type": "MODIFIED" if was_in else "ADDED", "object": shaped(now)}
        elif was_in and change.before:
            # What was deleted is told as it was last, at the revision of its end.
            last = Stored(change.before.key, change.before.value, change.now.revision, change.before.created)
            yield {"type": "DELETED", "object": shaped(decoded(resource, last))}
