"""DaemonSets: a pod on every node that may have one.

https://kubernetes.io/docs/concepts/workloads/controllers/daemonset/
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from common.api import Object
from controllers import placement, templates
from controllers.actions import Action, create, delete, status
from controllers.templates import available, ended, ready, terminating

HASH = "controller-revision-hash"
# What every pod of a DaemonSet tolerates.
_EXECUTE, _SCHEDULE = ("not-ready", "unreachable"), ("disk-pressure", "memory-pressure", "pid-pressure")
_TOLERATED = [
    {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": effect}
    for keys, effect in ((_EXECUTE, "NoExecute"), ((*_SCHEDULE, "unschedulable"), "NoSchedule"))
    for key in keys
]
_WITHOUT_NETWORK = {
    "key": "node.kubernetes.io/network-unavailable",
    "operator": "Exists",
    "effect": "NoSchedule",
}


def actions(
    daemon_set: Object, nodes: Sequence[Object], pods: Sequence[Object], now: datetime
) -> list[Action]:
    """Have a pod of the template on each node that may have one; ``pods`` may be those of others, too."""
    if terminating(daemon_set):
        return []
    mine: dict[str, list[Object]] = {}
    for pod in templates.controlled(daemon_set, pods):
        mine.setdefault(_node_of(pod), []).append(pod)
    revision = templates.template_hash(daemon_set["spec"]["template"])
    wanted = _pod(daemon_set, revision)
    found, on = [], []
    for node in nodes:
        name = node["metadata"]["name"]
        there = mine.get(name, [])
        may = _may_run(wanted, node)
        on += [name] if may else []
        # What runs stays, unless the node drives it away.
        stays = placement.chosen(wanted["spec"], node) and not placement.untolerated(
            node, wanted["spec"], ("NoExecute",)
        )
        alive = [pod for pod in there if not terminating(pod)]
        found += [delete(pod) for pod in alive if ended(pod)]
        running = [pod for pod in alive if not ended(pod)]
        found += [delete(pod) for pod in (running[1:] if stays else running)]
        if may and not there:
            found.append(create(_for_node(wanted, name)))
    first = {name: mine[name][0] for name in on if mine.get(name)}
    if not found and daemon_set["spec"]["updateStrategy"]["type"] == "RollingUpdate":
        found += [delete(pod) for pod in _outdated(daemon_set, on, first, revision, now)]
    return found + status(daemon_set, _status(daemon_set, mine, first, on, revision, now))


def _may_run(wanted: Object, node: Object) -> bool:
    spec = wanted["spec"]
    return placement.chosen(spec, node) and not placement.untolerated(node, spec, ("NoSchedule", "NoExecute"))


def _pod(daemon_set: Object, revision: str) -> Object:
    pod = templates.pod_of(daemon_set, {HASH: revision})
    spec = pod["spec"]
    more = [*_TOLERATED, _WITHOUT_NETWORK] if spec.get("hostNetwork") else _TOLERATED
    spec["tolerations"] = [*(spec.get("tolerations") or []), *more]
    return pod


def _for_node(pod: Object, name: str) -> Object:
    """The pod, meant for one node: its own affinity has chosen that node already."""
    field = {"key": "metadata.name", "operator": "In", "values": [name]}
    required = {"nodeSelectorTerms": [{"matchFields": [field]}]}
    affinity = {
        **(pod["spec"].get("affinity") or {}),
        "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required},
    }
    return {**pod, "metadata": dict(pod["metadata"]), "spec": {**pod["spec"], "affinity": affinity}}


def _node_of(pod: Object) -> str:
    """The node that a pod is on, or meant for."""
    if pod["spec"].get("nodeName"):
        return str(pod["spec"]["nodeName"])
    terms = placement.node_affinity(pod["spec"]).get("nodeSelectorTerms") or [{}]
    fields = terms[0].get("matchFields") or [{}]
    return str((fields[0].get("values") or [""])[0])


def _outdated(
    daemon_set: Object, on: Sequence[str], first: dict[str, Object], revision: str, now: datetime
) -> list[Object]:
    """The old pods that may go now: all that do not run, and as many others as may be missing."""
    spec = daemon_set["spec"]
    rolling = spec["updateStrategy"].get("rollingUpdate") or {}
    most = max(templates.share(rolling.get("maxUnavailable", 1), len(on), up=True), 1)
    seconds = spec.get("minReadySeconds", 0)
    missing = 0
    candidates: list[Object] = []
    gone: list[Object] = []
    for name in on:
        pod = first.get(name)
        runs = pod is not None and not terminating(pod) and available(pod, seconds, now)
        old = pod is not None and not terminating(pod) and pod["metadata"]["labels"].get(HASH) != revision
        missing += not runs
        if old and pod:
            (candidates if runs else gone).append(pod)
    return [*gone, *candidates[: max(most - missing, 0)]]


def _status(
    daemon_set: Object,
    mine: dict[str, list[Object]],
    first: dict[str, Object],
    on: Sequence[str],
    revision: str,
    now: datetime,
) -> Object:
    seconds = daemon_set["spec"].get("minReadySeconds", 0)
    up = sum(available(pod, seconds, now) for pod in first.values())
    new = [pod for pod in first.values() if pod["metadata"]["labels"].get(HASH) == revision]
    optional = {
        "updatedNumberScheduled": len(new),
        "numberAvailable": up,
        "numberUnavailable": len(on) - up,
    }
    return {
        "currentNumberScheduled": len(first),
        "numberMisscheduled": sum(bool(pods) for name, pods in mine.items() if name not in on),
        "desiredNumberScheduled": len(on),
        "numberReady": sum(map(ready, first.values())),
        "observedGeneration": daemon_set["metadata"]["generation"],
        **{name: count for name, count in optional.items() if count},
    }
