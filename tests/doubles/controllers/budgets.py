"""PodDisruptionBudgets: how many pods an eviction may take now."""

from __future__ import annotations

from collections.abc import Sequence

from apiserver import selection
from common.api import Object
from controllers import templates
from controllers.actions import Action, status
from controllers.templates import ended, ready, terminating


def actions(
    budgets: Sequence[Object], pods: Sequence[Object], replica_sets: Sequence[Object]
) -> list[Action]:
    sizes = {each["metadata"]["uid"]: each["spec"]["replicas"] for each in replica_sets}
    found = []
    for budget in budgets:
        chosen = selection.of_labels(budget["spec"].get("selector") or {})
        namespace = budget["metadata"]["namespace"]
        alive = [pod for pod in pods if pod["metadata"]["namespace"] == namespace and not ended(pod)]
        mine = [pod for pod in alive if chosen(pod)]
        owners = {(templates.controller(pod) or {}).get("uid") for pod in mine}
        expected = sum(sizes.get(uid, 0) for uid in owners) or len(mine)
        healthy = sum(ready(pod) and not terminating(pod) for pod in mine)
        spec = budget["spec"]
        if "maxUnavailable" in spec:
            least = expected - templates.share(spec["maxUnavailable"], expected, up=True)
        else:
            least = templates.share(spec.get("minAvailable", 1), expected, up=True)
        wanted = {
            "currentHealthy": healthy,
            "desiredHealthy": max(least, 0),
            "disruptionsAllowed": max(healthy - max(least, 0), 0),
            "expectedPods": expected,
            "observedGeneration": budget["metadata"].get("generation", 1),
        }
        found += status(budget, wanted)
    return found
