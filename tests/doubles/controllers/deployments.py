"""Deployments: ReplicaSets that take turns, and how far they have come.

The arithmetic is the one of https://kubernetes.io/docs/concepts/workloads/controllers/deployment/ : maxSurge
is rounded up, maxUnavailable down, and pods of the old that do not run go first.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from datetime import datetime, timedelta

from common.api import Object
from controllers import templates
from controllers.actions import Action, create, delete, patch, status
from controllers.component import moment
from controllers.templates import HASH, condition, terminating

REVISION = "deployment.kubernetes.io/revision"
_OF_KUBECTL = "kubectl.kubernetes.io/last-applied-configuration"
# That all was there once; a pod that is lost later is no rollout that fails.
_COMPLETE = "NewReplicaSetAvailable"


def actions(deployment: Object, replica_sets: Sequence[Object], now: datetime) -> list[Action]:
    """One step of a rollout; ``replica_sets`` may be those of others, too."""
    if terminating(deployment):
        return []
    mine = templates.controlled(deployment, replica_sets)
    template = deployment["spec"]["template"]
    new = next((each for each in mine if templates.same(each["spec"]["template"], template)), None)
    old = [each for each in mine if each is not new]
    found: list[Action] = []
    if deployment["spec"].get("paused"):
        return status(deployment, _status(deployment, mine, new, now))
    revision = str(max(map(_revision, old), default=0) + 1)
    if new is None:
        if deployment["spec"]["strategy"]["type"] != "Recreate" or not _remaining(old):
            found.append(create(_replica_set(deployment, revision, _first(deployment, old))))
        else:
            found += [_scaled(each, 0) for each in old if each["spec"]["replicas"]]
    else:
        if _revision(new) < int(revision):
            found.append(patch(new, {"metadata": {"annotations": {REVISION: revision}}}))
        else:
            revision = str(_revision(new))
            found += _rolled(deployment, new, old) or _tidied(deployment, new, old)
    if (deployment["metadata"].get("annotations") or {}).get(REVISION) != revision:
        # Its own turn: the status is told over what this makes of the deployment.
        return [*found, patch(deployment, {"metadata": {"annotations": {REVISION: revision}}})]
    return found + status(deployment, _status(deployment, mine, new, now))


def bounds(deployment: Object) -> tuple[int, int]:
    """How many pods there may be more than wanted, and how many may be missing; not both are 0."""
    strategy, wanted = deployment["spec"]["strategy"], deployment["spec"]["replicas"]
    if strategy["type"] == "Recreate":
        return 0, wanted
    rolling = strategy.get("rollingUpdate") or {}
    surge = templates.share(rolling.get("maxSurge", "25%"), wanted, up=True)
    lacking = templates.share(rolling.get("maxUnavailable", "25%"), wanted, up=False)
    return surge, min(lacking, wanted) if surge or lacking else 1


def _revision(replica_set: Object) -> int:
    return int((replica_set["metadata"].get("annotations") or {}).get(REVISION, 0))


def _remaining(replica_sets: Sequence[Object]) -> int:
    return sum(
        max(each["spec"]["replicas"], each.get("status", {}).get("replicas", 0)) for each in replica_sets
    )


def _total(replica_sets: Sequence[Object], of: str = "") -> int:
    """Pods of ReplicaSets as wanted, or as their status says."""
    if not of:
        return sum(each["spec"]["replicas"] for each in replica_sets)
    return sum(each.get("status", {}).get(of, 0) for each in replica_sets)


def _replica_set(deployment: Object, revision: str, replicas: int) -> Object:
    spec, metadata = deployment["spec"], deployment["metadata"]
    label = {HASH: templates.template_hash(spec["template"])}
    template = copy.deepcopy(spec["template"])
    labels = {**(template.get("metadata", {}).get("labels") or {}), **label}
    template["metadata"] = {**template.get("metadata", {}), "labels": labels}
    selector = copy.deepcopy(spec["selector"])
    selector["matchLabels"] = {**(selector.get("matchLabels") or {}), **label}
    annotations = {
        name: value
        for name, value in (metadata.get("annotations") or {}).items()
        if name not in (_OF_KUBECTL, REVISION)
    }
    wanted = {"replicas": replicas, "selector": selector, "template": template}
    if spec.get("minReadySeconds"):
        wanted["minReadySeconds"] = spec["minReadySeconds"]
    return {
        "apiVersion": "apps/v1",
        "kind": "ReplicaSet",
        "metadata": {
            "name": f"{metadata['name']}-{label[HASH]}",
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": {**annotations, REVISION: revision},
            "ownerReferences": [templates.owner(deployment)],
        },
        "spec": wanted,
    }


def _first(deployment: Object, old: Sequence[Object]) -> int:
    wanted = int(deployment["spec"]["replicas"])
    return max(min(wanted, wanted + bounds(deployment)[0] - _total(old)), 0)


def _scaled(replica_set: Object, replicas: int) -> Action:
    return patch(replica_set, {"spec": {"replicas": replicas}})


def _rolled(deployment: Object, new: Object, old: Sequence[Object]) -> list[Action]:
    """Scale the new one up as far as allowed; else the old ones down as far as allowed."""
    wanted, (surge, lacking) = deployment["spec"]["replicas"], bounds(deployment)
    has = new["spec"]["replicas"]
    if deployment["spec"]["strategy"]["type"] == "Recreate":
        if _remaining(old):
            return [_scaled(each, 0) for each in old if each["spec"]["replicas"]]
        return [_scaled(new, wanted)] if has != wanted else []
    if has > wanted:
        return [_scaled(new, wanted)]
    more = min(wanted - has, wanted + surge - _total([new, *old]))
    if more > 0:
        return [_scaled(new, has + more)]
    least = wanted - lacking
    coming = has - new.get("status", {}).get("availableReplicas", 0)
    spare = _total([new, *old]) - least - coming
    sizes = {each["metadata"]["name"]: each["spec"]["replicas"] for each in old}
    for each in old:
        # Those that do not run are no loss.
        broken = sizes[each["metadata"]["name"]] - each.get("status", {}).get("availableReplicas", 0)
        gone = max(min(spare, broken), 0)
        sizes[each["metadata"]["name"]] -= gone
        spare -= gone
    down = _total([new, *old], "availableReplicas") - least
    for each in old:
        running = each.get("status", {}).get("availableReplicas", 0)
        gone = max(min(down, sizes[each["metadata"]["name"]], running, spare), 0)
        sizes[each["metadata"]["name"]] -= gone
        down, spare = down - gone, spare - gone
    return [
        _scaled(each, sizes[each["metadata"]["name"]])
        for each in old
        if sizes[each["metadata"]["name"]] != each["spec"]["replicas"]
    ]


def _tidied(deployment: Object, new: Object, old: Sequence[Object]) -> list[Action]:
    """Old ReplicaSets beyond those that a rollback may want go."""
    empty = sorted((each for each in old if not _remaining([each])), key=_revision)
    surplus = len(empty) - deployment["spec"].get("revisionHistoryLimit", 10)
    return [delete(each) for each in empty[: max(surplus, 0)]]


def _status(deployment: Object, all_of_it: Sequence[Object], new: Object | None, now: datetime) -> Object:
    wanted = deployment["spec"]["replicas"]
    counts = {
        "replicas": _total(all_of_it, "replicas"),
        "updatedReplicas": _total([new] if new else [], "replicas"),
        "readyReplicas": _total(all_of_it, "readyReplicas"),
        "availableReplicas": _total(all_of_it, "availableReplicas"),
    }
    counts["unavailableReplicas"] = max(_total(all_of_it) - counts["availableReplicas"], 0)
    complete = counts["replicas"] == counts["updatedReplicas"] == counts["availableReplicas"] == wanted
    conditions = [_available(deployment, counts["availableReplicas"])]
    if not deployment["spec"].get("paused"):
        conditions.append(_progressing(deployment, counts, new, complete, now))
    return {
        "observedGeneration": deployment["metadata"]["generation"],
        **{name: count for name, count in counts.items() if count},
        "conditions": [_since(deployment, each, now) for each in conditions],
    }


def _available(deployment: Object, running: int) -> Object:
    enough = running >= deployment["spec"]["replicas"] - bounds(deployment)[1]
    return {
        "type": "Available",
        "status": str(enough),
        "reason": f"MinimumReplicas{'Available' if enough else 'Unavailable'}",
        "message": f"Deployment {'has' if enough else 'does not have'} minimum availability.",
    }


def _progressing(
    deployment: Object, counts: dict[str, int], new: Object | None, complete: bool, now: datetime
) -> Object:
    """Whether the rollout goes on; ``lastUpdateTime`` is when it last did."""
    before, known = deployment.get("status") or {}, condition(deployment, "Progressing")
    name = (new or {}).get("metadata", {}).get("name") or ""
    made = {
        "type": "Progressing",
        "status": "True",
        "reason": "NewReplicaSetCreated",
        "message": f'Created new replica set "{_name(deployment)}"',
        "lastUpdateTime": templates.text(now),
    }
    if new is None:
        said_so = all(known.get(field) == made[field] for field in ("reason", "message"))
        return known if said_so else made
    said = f'ReplicaSet "{name}"'
    if complete:
        done = made | {"reason": _COMPLETE, "message": f"{said} has successfully progressed."}
        return known if (known.get("reason"), known.get("message")) == (_COMPLETE, done["message"]) else done
    if known.get("reason") == _COMPLETE and name in known["message"]:
        return known
    on = ("updatedReplicas", "readyReplicas", "availableReplicas")
    old = before.get("replicas", 0) - before.get("updatedReplicas", 0)
    moved = any(counts[each] > before.get(each, 0) for each in on)
    moved = moved or counts["replicas"] - counts["updatedReplicas"] < old
    if not known or moved or name not in known["message"]:
        return made | {"reason": "ReplicaSetUpdated", "message": f"{said} is progressing."}
    deadline = timedelta(seconds=deployment["spec"].get("progressDeadlineSeconds", 600))
    if moment(known["lastUpdateTime"]) + deadline < now and known["status"] == "True":
        late = {"status": "False", "reason": "ProgressDeadlineExceeded"}
        return made | late | {"message": f"{said} has timed out progressing."}
    return known


def _name(deployment: Object) -> str:
    return f"{deployment['metadata']['name']}-{templates.template_hash(deployment['spec']['template'])}"


def _since(deployment: Object, wanted: Object, now: datetime) -> Object:
    """A condition with its times: of its last change, and of when its status last was another."""
    known, moment_text = condition(deployment, wanted["type"]), templates.text(now)
    bare = {name: value for name, value in wanted.items() if name != "lastTransitionTime"}
    same = {name: value for name, value in known.items() if name in ("type", "status", "reason", "message")}
    if "lastUpdateTime" not in bare:
        kept = same == bare
        bare["lastUpdateTime"] = known["lastUpdateTime"] if kept else moment_text
    turned = known.get("status") != bare["status"]
    return {**bare, "lastTransitionTime": moment_text if turned else known["lastTransitionTime"]}
