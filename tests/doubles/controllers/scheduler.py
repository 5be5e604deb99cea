"""kube-scheduler's place: a node for each pod that has none, or why there is none."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from common.api import Api, ApiError, Object
from common.cache import Cache
from controllers import placement, templates
from controllers.component import serve
from controllers.templates import condition, ended, terminating


class Scheduler:
    """Places pods while it leads."""

    def __init__(self) -> None:
        self.changed = threading.Event()
        self.caches: dict[str, Cache] = {}

    def work(self, api: Api, flags: dict[str, str]) -> None:
        if not self.caches:
            for name, read in (("nodes", placement.read), ("pods", None)):
                cache = Cache(lambda: Api.of(flags["kubeconfig"]), f"/api/v1/{name}", self.changed, read=read)
                self.caches[name] = cache.start()
        if not all(cache.synced for cache in self.caches.values()) or not self.changed.is_set():
            return
        self.changed.clear()
        nodes = self.caches["nodes"].all()
        waiting = [pod for pod in self.caches["pods"].all() if _is_waiting(pod)]
        for pod in sorted(waiting, key=lambda each: str(each["metadata"]["creationTimestamp"])):
            pods = [other for other in self.caches["pods"].all() if other["spec"].get("nodeName")]
            node, why = place(pod, nodes, pods)
            try:
                self._bind(api, pod, node) if node else self._refuse(api, pod, why)
            except ApiError as error:
                if error.status not in (404, 409):
                    raise

    def _bind(self, api: Api, pod: Object, node: str) -> None:
        place, metadata = _place(pod), {name: pod["metadata"][name] for name in ("name", "namespace")}
        target = {"apiVersion": "v1", "kind": "Node", "name": node}
        binding = {"apiVersion": "v1", "kind": "Binding", "metadata": metadata, "target": target}
        api.create(f"{place}/binding", binding)
        self.caches["pods"].learn(api.get(place))
        if condition(pod, "PodScheduled"):
            self._tell(api, pod, {"type": "PodScheduled", "status": "True"})

    def _refuse(self, api: Api, pod: Object, why: str) -> None:
        known = condition(pod, "PodScheduled")
        if known.get("message") != why:
            said = {"type": "PodScheduled", "status": "False", "reason": "Unschedulable", "message": why}
            self._tell(api, pod, said)

    def _tell(self, api: Api, pod: Object, said: Object) -> None:
        known = condition(pod, "PodScheduled")
        since = known.get("lastTransitionTime")
        if known.get("status") != said["status"] or not since:
            since = templates.text(datetime.now(UTC))
        others = [c for c in pod["status"].get("conditions") or [] if c["type"] != "PodScheduled"]
        conditions = [*others, {**said, "lastProbeTime": None, "lastTransitionTime": since}]
        change = {"metadata": {"uid": pod["metadata"]["uid"]}, "status": {"conditions": conditions}}
        self.caches["pods"].learn(api.patch(f"{_place(pod)}/status", change))


def _is_waiting(pod: Object) -> bool:
    mine = pod["spec"].get("schedulerName", "default-scheduler") == "default-scheduler"
    return mine and not pod["spec"].get("nodeName") and not terminating(pod) and not ended(pod)


def _place(pod: Object) -> str:
    return f"/api/v1/namespaces/{pod['metadata']['namespace']}/pods/{pod['metadata']['name']}"


def place(pod: Object, nodes: Sequence[Object], pods: Sequence[Object]) -> tuple[str, str]:
    """The node for a pod: of those that fit the one with the fewest pods, first of its own kind; "" and why
    there is none. ``pods`` are those that have a node."""
    if not nodes:
        return "", "no nodes available to schedule pods"
    on: dict[str, list[Object]] = {node["metadata"]["name"]: [] for node in nodes}
    for other in pods:
        if not ended(other):
            on.setdefault(other["spec"]["nodeName"], []).append(other)
    alive = [other for others in on.values() for other in others]
    reasons: Counter[str] = Counter()
    fit = []
    for node in nodes:
        name = node["metadata"]["name"]
        why = placement.refusal(pod, node, on[name])
        if not why and not placement.apart(pod, node, nodes, alive):
            why = placement.AGAINST
        if why:
            reasons[why] += 1
        else:
            fit.append(name)
    if not fit:
        return "", _message(len(nodes), reasons)
    owner = (templates.controller(pod) or {}).get("uid", "")
    siblings = {
        name: sum((templates.controller(each) or {}).get("uid") == owner for each in there)
        for name, there in on.items()
    }
    return min(fit, key=lambda name: (siblings[name], len(on[name]), name)), ""


def _message(nodes: int, reasons: Counter[str]) -> str:
    """As k8s.io/kubernetes' FitError says it, with what became of preemption."""
    none = f"0/{nodes} nodes are available"
    said = ", ".join(sorted(f"{count} {reason}" for reason, count in reasons.items()))
    others = sum(count for reason, count in reasons.items() if reason in (placement.AGAINST, placement.PORTS))
    preemption = [(others, "No preemption victims found for incoming pod")]
    preemption.append((nodes - others, "Preemption is not helpful for scheduling"))
    vain = ", ".join(f"{count} {why}" for count, why in preemption if count)
    return f"{none}: {said}. preemption: {none}: {vain}."


if __name__ == "__main__":
    scheduler = Scheduler()
    serve("kube-scheduler", 10259, sys.argv[1:], scheduler.work, scheduler.changed)
