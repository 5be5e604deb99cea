"""A Deployment's rollout, played step by step: ReplicaSets and pods as the controllers make them."""

from __future__ import annotations

import copy
from datetime import timedelta
from typing import Any

import pytest
from controllers import deployments, replicasets
from controllers.templates import condition
from objects import NOW, deployment, template


class World:
    """Does what the controllers say. Pods whose image is in ``broken`` are never ready."""

    def __init__(self, obj: dict[str, Any], *broken: str) -> None:
        self.deployment, self.broken, self.now = obj, broken, NOW
        self.replica_sets: list[dict[str, Any]] = []
        self.pods: list[dict[str, Any]] = []
        self.fewest, self.most, self._count = 10**6, 0, 0

    @property
    def ready(self) -> int:
        return sum(condition(pod, "Ready").get("status") == "True" for pod in self.pods)

    def step(self) -> bool:
        """One round of both controllers; whether anything was done."""
        actions = deployments.actions(self.deployment, self.replica_sets, self.now)
        for each in self.replica_sets:
            actions += replicasets.actions(each, self.pods, self.now)
        for action in actions:
            self._do(action)
        for pod in self.pods:
            fine = pod["spec"]["containers"][0]["image"] not in self.broken
            pod["status"] = {"phase": "Running", "conditions": [{"type": "Ready", "status": str(fine)}]}
        return bool(actions)

    def _do(self, action: Any) -> None:
        obj, lists = action.obj, {"Pod": self.pods, "ReplicaSet": self.replica_sets}
        if action.verb == "create":
            self._count += 1
            new = copy.deepcopy(obj)
            name = new["metadata"].setdefault("name", f"pod-{self._count:03}")
            born = f"2026-01-01T11:{self._count // 60:02}:{self._count % 60:02}Z"
            new["metadata"] |= {"uid": f"uid-{name}", "creationTimestamp": born, "generation": 1}
            lists[obj["kind"]].append(new)
        elif action.verb == "delete":
            lists[obj["kind"]].remove(obj)
        elif action.verb == "status":
            known = {**(obj.get("status") or {}), **action.change}
            obj["status"] = {name: value for name, value in known.items() if value is not None}
        else:
            obj["metadata"].setdefault("annotations", {}).update(
                action.change.get("metadata", {}).get("annotations", {})
            )
            obj["spec"] |= action.change.get("spec", {})

    def settle(self) -> None:
        for _ in range(60):
            if not self.step():
                return
            if self.pods:
                self.most = max(self.most, len(self.pods))
            self.fewest = min(self.fewest, self.ready)
        raise AssertionError("it goes on and on")

    def change(self, image: str) -> None:
        self.deployment["spec"]["template"] = template(image)
        self.deployment["metadata"]["generation"] += 1
        self.fewest, self.most = 10**6, 0

    @property
    def progressing(self) -> tuple[str, str]:
        found = condition(self.deployment, "Progressing")
        return found["status"], found["reason"]


def test_it_makes_its_pods_and_says_so() -> None:
    world = World(deployment(3))
    world.settle()
    (replica_set,) = world.replica_sets
    mark = replica_set["metadata"]["labels"]["pod-template-hash"]
    assert replica_set["metadata"]["name"] == f"web-{mark}"
    assert replica_set["spec"]["selector"]["matchLabels"] == {"app": "web", "pod-template-hash": mark}
    assert {pod["metadata"]["labels"]["pod-template-hash"] for pod in world.pods} == {mark}
    status = world.deployment["status"]
    counts = [status[f"{name}Replicas"] for name in ("updated", "ready", "available")]
    assert [status["replicas"], *counts, status["observedGeneration"]] == [3, 3, 3, 3, 1]
    assert "unavailableReplicas" not in status
    assert world.progressing == ("True", "NewReplicaSetAvailable")
    assert condition(world.deployment, "Available")["reason"] == "MinimumReplicasAvailable"


def test_the_first_status_after_a_change_claims_nothing() -> None:
    """kubectl and Helm look as soon as observedGeneration is theirs."""
    world = World(deployment(3))
    world.settle()
    world.change("i:2")
    while world.deployment["status"]["observedGeneration"] == 1:
        assert world.step()
    assert world.deployment["status"].get("updatedReplicas", 0) == 0


@pytest.mark.parametrize(
    ("surge", "lacking", "fewest", "most"),
    [("25%", "25%", 3, 5), (1, 0, 4, 5), (0, 1, 3, 4), ("50%", "50%", 2, 6), (0, 0, 3, 4)],
)
def test_an_update_stays_within_its_bounds(
    surge: int | str, lacking: int | str, fewest: int, most: int
) -> None:
    rolling = {"maxSurge": surge, "maxUnavailable": lacking}
    world = World(deployment(4, strategy={"type": "RollingUpdate", "rollingUpdate": rolling}))
    world.settle()
    world.change("i:2")
    world.settle()
    assert {pod["spec"]["containers"][0]["image"] for pod in world.pods} == {"i:2"}
    assert len(world.pods) == 4
    assert world.fewest >= fewest
    assert world.most <= most
    assert world.progressing == ("True", "NewReplicaSetAvailable")


def test_an_update_that_fails_keeps_the_old_and_is_late_at_last() -> None:
    world = World(deployment(4, progressDeadlineSeconds=60), "i:2")
    world.settle()
    world.change("i:2")
    world.settle()
    assert world.ready == 3, "as many as maxUnavailable leaves"
    assert world.progressing == ("True", "ReplicaSetUpdated")
    world.now += timedelta(seconds=61)
    world.settle()
    assert world.progressing == ("False", "ProgressDeadlineExceeded")
    world.change("i:1")
    world.settle()
    assert world.progressing == ("True", "NewReplicaSetAvailable")
    assert world.ready == 4


def test_a_rollback_takes_the_old_replica_set_as_a_new_revision() -> None:
    world = World(deployment(2))
    world.settle()
    first = world.replica_sets[0]["metadata"]["name"]
    world.change("i:2")
    world.settle()
    world.change("i:1")
    world.settle()
    assert len(world.replica_sets) == 2
    assert world.replica_sets[0]["metadata"]["name"] == first
    revisions = [each["metadata"]["annotations"][deployments.REVISION] for each in world.replica_sets]
    assert revisions == ["3", "2"]
    assert world.deployment["metadata"]["annotations"][deployments.REVISION] == "3"


def test_recreate_ends_all_before_it_begins() -> None:
    world = World(deployment(2, strategy={"type": "Recreate"}))
    world.settle()
    world.change("i:2")
    world.settle()
    assert world.fewest == 0
    assert world.most <= 2
    assert {pod["spec"]["containers"][0]["image"] for pod in world.pods} == {"i:2"}


def test_it_scales_and_forgets_what_is_too_old() -> None:
    world = World(deployment(2, revisionHistoryLimit=1))
    for image in ("i:1", "i:2", "i:3", "i:4"):
        world.change(image)
        world.settle()
    assert len(world.replica_sets) == 2
    world.deployment["spec"]["replicas"] = 5
    world.settle()
    assert world.ready == 5
    world.deployment["spec"]["replicas"] = 0
    world.settle()
    assert world.pods == []


def test_what_is_paused_stays_as_it_is() -> None:
    world = World(deployment(2))
    world.settle()
    world.deployment["spec"]["paused"] = True
    world.change("i:2")
    world.settle()
    assert {pod["spec"]["containers"][0]["image"] for pod in world.pods} == {"i:1"}


def test_a_lost_pod_is_made_anew_and_is_no_failed_rollout() -> None:
    world = World(deployment(2, progressDeadlineSeconds=1))
    world.settle()
    world.pods[0]["metadata"]["deletionTimestamp"] = "2026-01-01T12:00:00Z"
    world.now += timedelta(hours=1)
    world.settle()
    assert sum("deletionTimestamp" not in pod["metadata"] for pod in world.pods) == 2
    assert world.progressing == ("True", "NewReplicaSetAvailable")
