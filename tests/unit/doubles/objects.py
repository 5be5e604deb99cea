"""Objects of workloads as an API server gives them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
BORN = "2026-01-01T11:00:00Z"


def meta(kind: str, name: str, **more: Any) -> dict[str, Any]:
    found = {"name": name, "namespace": "default", "uid": f"{kind}-{name}", "generation": 1}
    return {**found, "creationTimestamp": BORN, "resourceVersion": "1", "labels": {}, **more}


def node(name: str, *, taints: list[Any] | None = None, ready: str = "True", **labels: str) -> dict[str, Any]:
    return {
        "kind": "Node",
        "metadata": meta("Node", name, labels={"kubernetes.io/hostname": name, **labels}),
        "spec": {"taints": taints or []},
        "status": {"conditions": [{"type": "Ready", "status": ready}]},
    }


def pod(name: str, on: str = "", *, ready: bool = True, owner: Any = None, **more: Any) -> dict[str, Any]:
    """A pod; one that is on a node runs there."""
    metadata = meta("Pod", name, **more.pop("metadata", {}))
    if owner:
        reference = {"kind": owner["kind"], "uid": owner["metadata"]["uid"], "controller": True}
        metadata["ownerReferences"] = [reference]
    spec = {"containers": [{"name": "c", "image": "i"}], **({"nodeName": on} if on else {}), **more}
    condition = {"type": "Ready", "status": str(ready), "lastTransitionTime": BORN}
    status = (
        {"phase": "Running", "podIP": "10.0.0.1", "conditions": [condition]} if on else {"phase": "Pending"}
    )
    return {"kind": "Pod", "metadata": metadata, "spec": spec, "status": status}


def template(image: str = "i:1", **spec: Any) -> dict[str, Any]:
    containers = [{"name": "c", "image": image}]
    return {"metadata": {"labels": {"app": "web"}}, "spec": {"containers": containers, **spec}}


def deployment(replicas: int, image: str = "i:1", **spec: Any) -> dict[str, Any]:
    return {
        "kind": "Deployment",
        "apiVersion": "apps/v1",
        "metadata": meta("Deployment", "web"),
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": "web"}},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": "25%", "maxUnavailable": "25%"},
            },
            "template": template(image),
            **spec,
        },
    }


def daemon_set(image: str = "i:1", most: int | str = 1, **spec: Any) -> dict[str, Any]:
    return {
        "kind": "DaemonSet",
        "apiVersion": "apps/v1",
        "metadata": meta("DaemonSet", "agent"),
        "spec": {
            "selector": {"matchLabels": {"app": "web"}},
            "updateStrategy": {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": most}},
            "template": template(image, **spec),
        },
    }
