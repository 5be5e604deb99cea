"""Pods that nobody looks after: of nodes that are gone or silent, and of controllers that are gone."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from common.api import Object
from controllers import templates
from controllers.actions import Action, delete, status
from controllers.component import moment
from controllers.templates import condition, terminating

# A pod may be there before its node, and a controller's cache may be late.
QUARANTINE = timedelta(seconds=10)


def actions(
    pods: Sequence[Object], nodes: Sequence[Object], replica_sets: Sequence[Object],
    deployments: Sequence[Object], daemon_sets: Sequence[Object], now: datetime,
) -> list[Action]:  # fmt: skip
    """Delete what is left over, and say of pods on silent nodes that they are not ready."""
    found = []
    silent = {node["metadata"]["name"]: condition(node, "Ready").get("status") == "Unknown" for node in nodes}
    owners = {(each["kind"], each["metadata"]["uid"]) for each in [*replica_sets, *deployments, *daemon_sets]}
    for obj in [*pods, *replica_sets]:
        by = templates.controller(obj) or {}
        lost = by.get("kind") in ("ReplicaSet", "Deployment", "DaemonSet")
        lost = lost and (by["kind"], by["uid"]) not in owners
        if lost and not terminating(obj) and _is_settled(obj, now):
            found.append(delete(obj))
    for pod in pods:
        node = pod["spec"].get("nodeName")
        if node and node not in silent and _is_settled(pod, now):
            # No kubelet will ever say that it has ended.
            found.append(delete(pod, gracePeriodSeconds=0))
        elif silent.get(node) and condition(pod, "Ready").get("status") == "True":
            found += _not_ready(pod, now)
    return found


def _is_settled(obj: Object, now: datetime) -> bool:
    return moment(obj["metadata"]["creationTimestamp"]) + QUARANTINE < now


def _not_ready(pod: Object, now: datetime) -> list[Action]:
    said = {"status": "False", "lastTransitionTime": templates.text(now)}
    conditions = [
        {**each, **said} if each["type"] == "Ready" else each for each in pod["status"]["conditions"]
    ]
    return status(pod, {**pod["status"], "conditions": conditions})
