"""Which workloads (DaemonSets, Deployments, StatefulSets) of a cluster have not rolled out."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, TypedDict

from ciliumlab.facts.kubernetes import KUBECTL

KINDS = "daemonsets,deployments,statefulsets"

_PATHS = {
    "kind": ".kind",
    "namespace": ".metadata.namespace",
    "name": ".metadata.name",
    "release": r".metadata.annotations.meta\.helm\.sh/release-name",
    "home": r".metadata.annotations.meta\.helm\.sh/release-namespace",
    "strategy": ".spec.updateStrategy.type",
    "generation": ".metadata.generation",
    "observed": ".status.observedGeneration",
    "replicas": ".spec.replicas",
    "scheduled": ".status.desiredNumberScheduled",
    "placed": ".status.updatedNumberScheduled",
    "running": ".status.numberAvailable",
    "all": ".status.replicas",
    "updated": ".status.updatedReplicas",
    "available": ".status.availableReplicas",
    "ready": ".status.readyReplicas",
}
_MISSING = "<none>"
_END = "these are all"


class Workload(TypedDict):
    """``where`` is "DaemonSet kube-system/cilium"; ``release`` "kube-system/cilium", "" when not Helm's.

    ``rolled_out`` is true when every pod is of the newest revision and available.
    """

    where: str
    release: str
    rolled_out: bool


def listing(selector: str) -> str:
    """A command for `parse_listing`: the workloads of all namespaces that have these labels."""
    columns = ",".join(f"{name}:{path}" for name, path in _PATHS.items())
    return (
        f"{KUBECTL} get {KINDS} --all-namespaces --selector {selector} --no-headers"
        f" --output custom-columns='{columns}' && echo {_END}"
    )


def parse_listing(lines: Sequence[str]) -> list[Workload]:
    """ValueError when kubectl has not listed all of them."""
    if list(lines[-1:]) != [_END]:
        raise ValueError("the workloads could not be listed")
    rows = (dict(zip(_PATHS, line.split(), strict=True)) for line in lines[:-1])
    return [
        Workload(
            where=f"{row['kind']} {row['namespace']}/{row['name']}",
            release="" if row["release"] == _MISSING else f"{row['home']}/{row['release']}",
            rolled_out=_rolled_out(row),
        )
        for row in rows
    ]


def rolled_out(found: Mapping[str, Any]) -> bool:
    """Whether an object, as Kubernetes has it, has rolled out; true of what is no workload."""
    if found["kind"] not in ("DaemonSet", "Deployment", "StatefulSet"):
        return True
    return _rolled_out({name: str(_at(found, path)) for name, path in _PATHS.items()})


def _at(found: Any, path: str) -> Any:
    for name in re.split(r"(?<!\\)\.", path)[1:]:
        found = found.get(name.replace("\\", "")) if isinstance(found, Mapping) else None
    return _MISSING if found is None else found


def _rolled_out(row: dict[str, str]) -> bool:
    """As ``kubectl rollout status`` judges (kubectl's pkg/polymorphichelpers/rollout_status.go), which has
    no opinion of what is updated by hand.
    """

    def number(name: str) -> int:
        return 0 if row[name] == _MISSING else int(row[name])

    if row["strategy"] == "OnDelete":
        return True
    if number("observed") < number("generation"):
        return False
    if row["kind"] == "DaemonSet":
        return number("placed") >= number("scheduled") and number("running") >= number("scheduled")
    wanted = number("replicas")
    if row["kind"] == "StatefulSet":
        return number("updated") >= wanted and number("ready") >= wanted
    return number("updated") >= wanted and number("all") == number("updated") == number("available")
