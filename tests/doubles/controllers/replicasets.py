"""ReplicaSets: as many pods as they say.

https://kubernetes.io/docs/concepts/workloads/controllers/replicaset/
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from common.api import Object
from controllers import templates
from controllers.actions import Action, create, delete, status
from controllers.templates import HASH, available, ended, ready, terminating


def actions(replica_set: Object, pods: Sequence[Object], now: datetime) -> list[Action]:
    """Have as many pods; ``pods`` may be those of others, too."""
    if terminating(replica_set):
        return []
    spec, metadata = replica_set["spec"], replica_set["metadata"]
    mine = [pod for pod in templates.controlled(replica_set, pods) if not (terminating(pod) or ended(pod))]
    missing = spec.get("replicas", 1) - len(mine)
    labels = {HASH: metadata["labels"][HASH]} if HASH in (metadata.get("labels") or {}) else {}
    found = [create(templates.pod_of(replica_set, labels)) for _ in range(missing)]
    found += [delete(pod) for pod in sorted(mine, key=_value)[: max(-missing, 0)]]
    return found + status(replica_set, _status(replica_set, mine, now))


def _value(pod: Object) -> tuple[bool, bool, bool, list[int]]:
    """What is less goes first: without a node, not running, not ready, young."""
    born = [-ord(letter) for letter in pod["metadata"]["creationTimestamp"]]
    running = pod.get("status", {}).get("phase") == "Running"
    return bool(pod["spec"].get("nodeName")), running, ready(pod), born


def _status(replica_set: Object, pods: Sequence[Object], now: datetime) -> Object:
    spec = replica_set["spec"]
    labels = (spec["template"].get("metadata") or {}).get("labels") or {}
    counts = {
        "fullyLabeledReplicas": sum(labels.items() <= pod["metadata"]["labels"].items() for pod in pods),
        "readyReplicas": sum(map(ready, pods)),
        "availableReplicas": sum(available(pod, spec.get("minReadySeconds", 0), now) for pod in pods),
    }
    known = {name: count for name, count in counts.items() if count}
    return {"replicas": len(pods), "observedGeneration": replica_set["metadata"]["generation"], **known}
