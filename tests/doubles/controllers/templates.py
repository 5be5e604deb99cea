"""Pods and what makes them: templates, their hash, owners, and when a pod counts as available."""

from __future__ import annotations

import copy
import json
import math
import zlib
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from common.api import Object
from controllers.component import moment

# As k8s.io/apimachinery's rand.SafeEncodeString: no vowels, nothing that is easily confused.
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
HASH = "pod-template-hash"


def template_hash(template: Object) -> str:
    """The same for the same template, so that a rollback finds what it goes back to."""
    text = json.dumps(_plain(template), sort_keys=True)
    return "".join(_LETTERS[ord(digit) % len(_LETTERS)] for digit in str(zlib.crc32(text.encode())))


def same(template: Object, other: Object) -> bool:
    """Whether two templates differ at most in the label of their hash."""
    return _plain(template) == _plain(other)


def _plain(template: Object) -> Object:
    metadata = template.get("metadata") or {}
    labels = {key: value for key, value in (metadata.get("labels") or {}).items() if key != HASH}
    kept = {"labels": labels, "annotations": metadata.get("annotations") or {}}
    return {"metadata": kept, "spec": template.get("spec") or {}}


def owner(obj: Object) -> Object:
    """The reference to the controller ``obj``."""
    return {
        "apiVersion": obj["apiVersion"],
        "kind": obj["kind"],
        "name": obj["metadata"]["name"],
        "uid": obj["metadata"]["uid"],
        "controller": True,
        "blockOwnerDeletion": True,
    }


def controller(obj: Object) -> Object | None:
    """The reference to who controls ``obj``."""
    owners = obj["metadata"].get("ownerReferences") or []
    return next((each for each in owners if each.get("controller")), None)


def controlled(by: Object, objects: Iterable[Object]) -> list[Object]:
    """The objects of a controller, the oldest first."""
    uid = by["metadata"]["uid"]
    mine = [each for each in objects if (controller(each) or {}).get("uid") == uid]
    return sorted(mine, key=lambda each: (each["metadata"]["creationTimestamp"], each["metadata"]["name"]))


def pod_of(by: Object, labels: dict[str, str]) -> Object:
    """A pod of a controller's template, with ``labels`` beside the template's."""
    template = by["spec"]["template"]
    metadata = template.get("metadata") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "generateName": f"{by['metadata']['name']}-",
            "namespace": by["metadata"]["namespace"],
            "labels": {**(metadata.get("labels") or {}), **labels},
            "annotations": dict(metadata.get("annotations") or {}),
            "ownerReferences": [owner(by)],
        },
        "spec": copy.deepcopy(template.get("spec") or {}),
    }


def terminating(obj: Object) -> bool:
    return "deletionTimestamp" in obj["metadata"]


def ended(pod: Object) -> bool:
    return pod.get("status", {}).get("phase") in ("Succeeded", "Failed")


def condition(obj: Object, kind: str) -> Object:
    """A condition of an object, {} if it has none of that kind."""
    found = obj.get("status", {}).get("conditions") or []
    return next((each for each in found if each["type"] == kind), {})


def ready(pod: Object) -> bool:
    return condition(pod, "Ready").get("status") == "True"


def available(pod: Object, seconds: int, now: datetime) -> bool:
    """Whether a pod has been ready for minReadySeconds."""
    if not ready(pod):
        return False
    since = condition(pod, "Ready").get("lastTransitionTime")
    return not seconds or (since is not None and moment(since) + timedelta(seconds=seconds) <= now)


def share(value: int | str, of: int, up: bool) -> int:
    """A number or a percentage of ``of``, rounded up or down."""
    if isinstance(value, int):
        return value
    part = int(value.rstrip("%")) * of / 100
    return math.ceil(part) if up else math.floor(part)


def text(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
