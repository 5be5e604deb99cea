"""The controllers of workloads, over caches of what they look at: while nothing changes, nothing is asked."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime

from common.api import Api, Object
from common.cache import Cache
from controllers import budgets, daemonsets, deployments, endpoints, leftovers, placement, replicasets
from controllers.actions import Action, do

_KINDS = {
    "Node": "/api/v1/nodes",
    "Pod": "/api/v1/pods",
    "Service": "/api/v1/services",
    "Endpoints": "/api/v1/endpoints",
    "EndpointSlice": "/apis/discovery.k8s.io/v1/endpointslices",
    "Deployment": "/apis/apps/v1/deployments",
    "DaemonSet": "/apis/apps/v1/daemonsets",
    "ReplicaSet": "/apis/apps/v1/replicasets",
    "PodDisruptionBudget": "/apis/policy/v1/poddisruptionbudgets",
}
_READ = {"Node": placement.read}
# Deadlines and minReadySeconds pass without an event.
LOOK_SECONDS = 5


class Workloads:
    """All of them; ``changed`` is set when a round may have something to do."""

    def __init__(self, connect: Callable[[], Api], changed: threading.Event) -> None:
        self.changed = changed
        self.caches = {
            kind: Cache(connect, path, changed, read=_READ.get(kind)).start() for kind, path in _KINDS.items()
        }
        self._looked = 0.0

    def round(self, api: Api) -> None:
        """One step of everything, if anything has changed or time may have done something."""
        due = time.monotonic() > self._looked + LOOK_SECONDS
        if not all(cache.synced for cache in self.caches.values()) or not (self.changed.is_set() or due):
            return
        self.changed.clear()
        self._looked = time.monotonic()
        # Each sees what the ones before it did.
        for controller in (self._deployments, self._replica_sets, self._daemon_sets, self._rest):
            for actions in controller(datetime.now(UTC)):
                for action in actions:
                    if not do(api, action, self.caches):
                        break  # what comes after it was thought out for a world that is another now

    def _all(self, kind: str) -> list[Object]:
        return self.caches[kind].all()

    def _deployments(self, now: datetime) -> Iterable[list[Action]]:
        for each in self._all("Deployment"):
            yield _thought(each, lambda obj: deployments.actions(obj, self._all("ReplicaSet"), now))

    def _replica_sets(self, now: datetime) -> Iterable[list[Action]]:
        for each in self._all("ReplicaSet"):
            yield _thought(each, lambda obj: replicasets.actions(obj, self._all("Pod"), now))

    def _daemon_sets(self, now: datetime) -> Iterable[list[Action]]:
        nodes = self._all("Node")
        for each in self._all("DaemonSet"):
            yield _thought(each, lambda obj: daemonsets.actions(obj, nodes, self._all("Pod"), now))

    def _rest(self, now: datetime) -> Iterable[list[Action]]:
        pods, replica_sets = self._all("Pod"), self._all("ReplicaSet")
        behind = endpoints.actions(
            self._all("Service"), pods, self._all("Endpoints"), self._all("EndpointSlice")
        )
        left = leftovers.actions(
            pods, self._all("Node"), replica_sets, self._all("Deployment"), self._all("DaemonSet"), now
        )
        allowed = budgets.actions(self._all("PodDisruptionBudget"), pods, replica_sets)
        for action in [*behind, *left, *allowed]:
            yield [action]


def _thought(obj: Object, controller: Callable[[Object], list[Action]]) -> list[Action]:
    """What a controller makes of an object. One object that it cannot read leaves the others alone."""
    try:
        return controller(obj)
    except (KeyError, TypeError, ValueError) as error:
        name = f"{obj['kind']} {obj['metadata']['namespace']}/{obj['metadata']['name']}"
        print(f"E {name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        return []
