"""The columns that ``kubectl get`` prints, by resource."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from apiserver.resources import Resource

Object = dict[str, Any]


@dataclass(frozen=True)
class Column:
    """A column: its header, where its cells come from, and whether only ``-o wide`` shows it."""

    header: str
    cell: Callable[[Object], Any]
    wide: bool = False


def columns_of(resource: Resource) -> list[Column]:
    if resource.custom:
        asked = [
            Column(each["name"], _json_path(each["jsonPath"], each.get("type")), each.get("priority", 0) > 0)
            for each in resource.columns
        ]
        return [_NAME, *(asked or [_AGE])]
    special = _COLUMNS.get(resource.plural, [])
    if _AGE in special:
        return [_NAME, *special]
    narrow = [column for column in special if not column.wide]
    return [_NAME, *narrow, _AGE, *(column for column in special if column.wide)]


def age(text: str | None) -> str:
    """Time since then as kubectl shortens it: 5s, 3m10s, 2h, 4d."""
    if not text:
        return "<unknown>"
    seconds = int((datetime.now(UTC) - datetime.fromisoformat(text)).total_seconds())
    if seconds < 120:
        return f"{max(seconds, 0)}s"
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    if minutes < 10:
        return f"{minutes}m{seconds % 60}s" if seconds % 60 else f"{minutes}m"
    if hours < 3:
        return f"{minutes}m"
    if hours < 8:
        return f"{hours}h{minutes % 60}m" if minutes % 60 else f"{hours}h"
    return f"{hours}h" if hours < 48 else f"{days}d"


def _path(path: str, default: Any = "<none>") -> Callable[[Object], Any]:
    def cell(obj: Any) -> Any:
        for name in path.split("."):
            obj = obj.get(name) if isinstance(obj, dict) else None
        return default if obj in (None, "", {}, []) else obj

    return cell


def _json_path(path: str, kind: str | None) -> Callable[[Object], Any]:
    """The JSONPath of an additionalPrinterColumn: fields, indices, and ``[?(@.type=="Ready")]``."""
    steps = re.findall(
        r"""\.([A-Za-z0-9_\-/]+)|\['([^']+)'\]|\[(\d+)\]|\[\?\(@\.(\w+)==["'](.*?)["']\)\]""", path
    )

    def cell(obj: Any) -> Any:
        for name, quoted, index, key, value in steps:
            if index:
                obj = obj[int(index)] if isinstance(obj, list) and int(index) < len(obj) else None
            elif key:
                found = [item for item in obj or [] if str(item.get(key)) == value]
                obj = found[0] if found else None
            else:
                obj = obj.get(name or quoted) if isinstance(obj, dict) else None
        return age(obj) if kind == "date" and obj else obj

    return cell


def _count(*paths: str) -> Callable[[Object], int]:
    return lambda obj: sum(len(_path(path, ())(obj)) for path in paths)


def _condition(obj: Object, kind: str) -> str:
    found = [each for each in obj.get("status", {}).get("conditions") or [] if each.get("type") == kind]
    return str(found[0].get("status")) if found else "Unknown"


def _node_status(node: Object) -> str:
    said = {"True": "Ready", "False": "NotReady"}.get(_condition(node, "Ready"), "Unknown")
    return said + (",SchedulingDisabled" if node.get("spec", {}).get("unschedulable") else "")


def _node_roles(node: Object) -> str:
    prefix = "node-role.kubernetes.io/"
    labels = node["metadata"].get("labels") or {}
    return ",".join(sorted(key.removeprefix(prefix) for key in labels if key.startswith(prefix))) or "<none>"


def _node_address(kind: str) -> Callable[[Object], str]:
    def cell(node: Object) -> str:
        found = [a["address"] for a in node.get("status", {}).get("addresses") or [] if a["type"] == kind]
        return str(found[0]) if found else "<none>"

    return cell


def _pod_ready(pod: Object) -> str:
    statuses = pod.get("status", {}).get("containerStatuses") or []
    wanted = len(pod.get("spec", {}).get("containers") or [])
    return f"{sum(bool(each.get('ready')) for each in statuses)}/{wanted}"


def _pod_status(pod: Object) -> str:
    if "deletionTimestamp" in pod["metadata"]:
        return "Terminating"
    status = pod.get("status", {})
    states = [each.get("state", {}) for each in status.get("containerStatuses") or []]
    said = [
        state[kind]["reason"]
        for state in states
        for kind in ("waiting", "terminated")
        if state.get(kind, {}).get("reason")
    ]
    return str(said[0] if said else status.get("reason") or status.get("phase", "Unknown"))


def _restarts(pod: Object) -> str:
    statuses = pod.get("status", {}).get("containerStatuses") or []
    count = sum(each.get("restartCount", 0) for each in statuses)
    ends = [each.get("lastState", {}).get("terminated", {}).get("finishedAt") for each in statuses]
    last = max((end for end in ends if end), default=None)
    return f"{count} ({age(last)} ago)" if count and last else str(count)


def _ports(service: Object) -> str:
    def said(port: Object) -> str:
        node = f":{port['nodePort']}" if port.get("nodePort") else ""
        return f"{port['port']}{node}/{port.get('protocol', 'TCP')}"

    return ",".join(map(said, service.get("spec", {}).get("ports") or [])) or "<none>"


def _external(service: Object) -> str:
    spec = service.get("spec", {})
    found = [
        each.get("ip") for each in service.get("status", {}).get("loadBalancer", {}).get("ingress") or []
    ]
    addresses = [each for each in [*(spec.get("externalIPs") or []), *found] if each]
    return ",".join(addresses) or ("<pending>" if spec.get("type") == "LoadBalancer" else "<none>")


def _selector(path: str) -> Callable[[Object], str]:
    def cell(obj: Object) -> str:
        found = _path(path, {})(obj)
        return ",".join(f"{key}={value}" for key, value in found.items()) or "<none>"

    return cell


def _subsets(endpoints: Object) -> str:
    found = [
        f"{address['ip']}:{port['port']}"
        for subset in endpoints.get("subsets") or []
        for address in subset.get("addresses") or []
        for port in subset.get("ports") or []
    ]
    return ",".join(found[:3]) + (f" + {len(found) - 3} more..." if len(found) > 3 else "") or "<none>"


def _signing(csr: Object) -> str:
    said = [each["type"] for each in csr.get("status", {}).get("conditions") or []]
    if "Denied" in said or "Failed" in said:
        return ",".join(said)
    issued = ",Issued" if csr.get("status", {}).get("certificate") else ""
    return (",".join(said) or "Pending") + issued


def _containers(field: str) -> Callable[[Object], str]:
    found = _path("spec.template.spec.containers", [])
    return lambda obj: ",".join(container.get(field, "") for container in found(obj))


def _involved(event: Object) -> str:
    about = event.get("involvedObject", {})
    return f"{about.get('kind', '').lower()}/{about.get('name', '')}"


def _ready(wanted: str) -> Callable[[Object], str]:
    return lambda obj: f"{_path('status.readyReplicas', 0)(obj)}/{_path(wanted, 0)(obj)}"


_NAME = Column("Name", _path("metadata.name"))
_AGE = Column("Age", lambda obj: age(obj["metadata"].get("creationTimestamp")))
_IMAGES = Column("Images", _containers("image"), wide=True)
_TEMPLATE = [_IMAGES, Column("Selector", _selector("spec.selector.matchLabels"), wide=True)]
_INFO = "status.nodeInfo."
_COLUMNS: dict[str, list[Column]] = {
    "nodes": [
        Column("Status", _node_status),
        Column("Roles", _node_roles),
        _AGE,
        Column("Version", _path(_INFO + "kubeletVersion", "")),
        Column("Internal-IP", _node_address("InternalIP"), wide=True),
        Column("External-IP", _node_address("ExternalIP"), wide=True),
        Column("OS-Image", _path(_INFO + "osImage", "<unknown>"), wide=True),
        Column("Kernel-Version", _path(_INFO + "kernelVersion", "<unknown>"), wide=True),
        Column("Container-Runtime", _path(_INFO + "containerRuntimeVersion", "<unknown>"), wide=True),
    ],
    "pods": [
        Column("Ready", _pod_ready),
        Column("Status", _pod_status),
        Column("Restarts", _restarts),
        Column("IP", _path("status.podIP"), wide=True),
        Column("Node", _path("spec.nodeName"), wide=True),
        Column("Nominated Node", _path("status.nominatedNodeName"), wide=True),
        Column("Readiness Gates", lambda pod: "<none>", wide=True),
    ],
    "namespaces": [Column("Status", _path("status.phase", ""))],
    "configmaps": [Column("Data", _count("data", "binaryData"))],
    "secrets": [Column("Type", _path("type", "")), Column("Data", _count("data"))],
    "serviceaccounts": [Column("Secrets", _count("secrets"))],
    "endpoints": [Column("Endpoints", _subsets)],
    "services": [
        Column("Type", _path("spec.type")),
        Column("Cluster-IP", _path("spec.clusterIP")),
        Column("External-IP", _external),
        Column("Port(s)", _ports),
        Column("Selector", _selector("spec.selector"), wide=True),
    ],
    "deployments": [
        Column("Ready", _ready("spec.replicas")),
        Column("Up-to-date", _path("status.updatedReplicas", 0)),
        Column("Available", _path("status.availableReplicas", 0)),
        Column("Containers", _containers("name"), wide=True),
        *_TEMPLATE,
    ],
    "replicasets": [
        Column("Desired", _path("spec.replicas", 0)),
        Column("Current", _path("status.replicas", 0)),
        Column("Ready", _path("status.readyReplicas", 0)),
        *_TEMPLATE,
    ],
    "statefulsets": [Column("Ready", _ready("spec.replicas")), *_TEMPLATE],
    "daemonsets": [
        Column("Desired", _path("status.desiredNumberScheduled", 0)),
        Column("Current", _path("status.currentNumberScheduled", 0)),
        Column("Ready", _path("status.numberReady", 0)),
        Column("Up-to-date", _path("status.updatedNumberScheduled", 0)),
        Column("Available", _path("status.numberAvailable", 0)),
        Column("Node Selector", _selector("spec.template.spec.nodeSelector")),
        *_TEMPLATE,
    ],
    "leases": [Column("Holder", _path("spec.holderIdentity", ""))],
    "certificatesigningrequests": [
        Column("SignerName", _path("spec.signerName")),
        Column("Requestor", _path("spec.username")),
        Column("Condition", _signing),
    ],
    "storageclasses": [
        Column("Provisioner", _path("provisioner")),
        Column("ReclaimPolicy", _path("reclaimPolicy", "Delete")),
        Column("VolumeBindingMode", _path("volumeBindingMode", "Immediate")),
    ],
    "persistentvolumeclaims": [
        Column("Status", _path("status.phase", "")),
        Column("Volume", _path("spec.volumeName", "")),
    ],
    "events": [
        Column("Type", _path("type", "")),
        Column("Reason", _path("reason", "")),
        Column("Object", _involved),
        Column("Message", _path("message", "")),
    ],
}  # fmt: skip
