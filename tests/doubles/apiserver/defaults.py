"""The defaults of built-in kinds that clients rely on."""

from __future__ import annotations

import copy
from base64 import b64encode
from datetime import UTC, datetime, timedelta
from typing import Any

from apiserver.resources import Resource

Object = dict[str, Any]


def timestamp(later: float = 0) -> str:
    """Now, or ``later`` seconds from now."""
    return (datetime.now(UTC) + timedelta(seconds=later)).strftime("%Y-%m-%dT%H:%M:%SZ")


def fill(resource: Resource, obj: Object) -> None:
    """Write the defaults into an object."""
    kind = resource.plural
    if kind == "namespaces":
        obj["metadata"].setdefault("labels", {})["kubernetes.io/metadata.name"] = obj["metadata"]["name"]
        obj.setdefault("spec", {}).setdefault("finalizers", ["kubernetes"])
        obj.setdefault("status", {}).setdefault("phase", "Active")
    elif kind == "secrets":
        for key, text in (obj.pop("stringData", None) or {}).items():
            obj["data"] = (obj.get("data") or {}) | {key: b64encode(text.encode()).decode()}
        obj.setdefault("type", "Opaque")
    elif kind == "pods":
        _pod_defaults(obj.setdefault("spec", {}))
        obj.setdefault("status", {"phase": "Pending", "qosClass": "BestEffort"})
    elif kind == "nodes":
        obj.setdefault("spec", {})
        obj.setdefault("status", {})
    elif resource.group == "apps" and "template" in obj.get("spec", {}):
        _workload_defaults(kind, obj["spec"])
        _pod_defaults(obj["spec"]["template"].setdefault("spec", {}))
    elif kind == "jobs":
        obj.setdefault("spec", {})
        for name, value in {"parallelism": 1, "completions": 1, "backoffLimit": 6}.items():
            obj["spec"].setdefault(name, value)
    elif kind == "customresourcedefinitions":
        _definition_defaults(obj)
    elif kind == "persistentvolumeclaims":
        obj.setdefault("status", {"phase": "Pending"})
    elif kind == "persistentvolumes":
        obj.setdefault("status", {"phase": "Available"})


def _pod_defaults(spec: Object) -> None:
    defaults = {
        "restartPolicy": "Always",
        "dnsPolicy": "ClusterFirst",
        "schedulerName": "default-scheduler",
        "terminationGracePeriodSeconds": 30,
        "securityContext": {},
    }
    for name, value in defaults.items():
        spec.setdefault(name, value)
    for container in [*(spec.get("containers") or []), *(spec.get("initContainers") or [])]:
        for port in container.get("ports") or []:
            port.setdefault("protocol", "TCP")
            if spec.get("hostNetwork"):
                port.setdefault("hostPort", port.get("containerPort"))


def _workload_defaults(kind: str, spec: Object) -> None:
    share: Object = {"maxUnavailable": "25%", "maxSurge": "25%"}
    defaults: dict[str, Object] = {
        "deployments": {
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "progressDeadlineSeconds": 600,
            "strategy": {"type": "RollingUpdate", "rollingUpdate": share},
        },
        "daemonsets": {
            "revisionHistoryLimit": 10,
            "updateStrategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxUnavailable": 1, "maxSurge": 0},
            },
        },
        "statefulsets": {
            "replicas": 1,
            "revisionHistoryLimit": 10,
            "podManagementPolicy": "OrderedReady",
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"partition": 0}},
        },
        "replicasets": {"replicas": 1},
    }
    for name, value in defaults.get(kind, {}).items():
        spec.setdefault(name, value)
    # Of a strategy that says a part the rest is filled in, too: clients read it without looking.
    for name in ("strategy", "updateStrategy"):
        strategy = spec.get(name) or {}
        if name in defaults.get(kind, {}) and strategy.setdefault("type", "RollingUpdate") == "RollingUpdate":
            strategy["rollingUpdate"] = {
                **defaults[kind][name]["rollingUpdate"],
                **(strategy.get("rollingUpdate") or {}),
            }


def _definition_defaults(obj: Object) -> None:
    spec = obj["spec"]
    names = spec["names"]
    names.setdefault("singular", names["kind"].lower())
    names.setdefault("listKind", f"{names['kind']}List")
    spec.setdefault("conversion", {"strategy": "None"})
    # A name is accepted at once: there is no other controller here that would have to look at it.
    now = timestamp()
    said = [
        ("NamesAccepted", "NoConflicts", "no conflicts found"),
        ("Established", "InitialNamesAccepted", "the initial names have been accepted"),
    ]
    conditions = [
        {"type": kind, "status": "True", "lastTransitionTime": now, "reason": why, "message": text}
        for kind, why, text in said
    ]
    stored = [version["name"] for version in spec["versions"] if version.get("storage")]
    obj["status"] = {"conditions": conditions, "storedVersions": stored} | (obj.get("status") or {})
    obj["status"]["acceptedNames"] = copy.deepcopy(names)
