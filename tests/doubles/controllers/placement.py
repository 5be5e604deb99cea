"""Which nodes a pod may be on: nodeSelector, node affinity, taints, host ports, affinity against other pods.

https://kubernetes.io/docs/concepts/scheduling-eviction/assign-pod-node/
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from apiserver import selection
from common.api import Object
from controllers.templates import ended

HOSTNAME = "kubernetes.io/hostname"
MISMATCH = "node(s) didn't match Pod's node affinity/selector"
AGAINST = "node(s) didn't match pod anti-affinity rules"
PORTS = "node(s) didn't have free ports for the requested pod ports"
CORDONED = "node(s) were unschedulable"
_UNSCHEDULABLE = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}


def read(node: Object) -> object:
    """What matters of a node to those who place pods: not that its heart beats."""
    conditions = (node.get("status") or {}).get("conditions") or []
    said = {each["type"]: each["status"] for each in conditions}
    return node["metadata"]["uid"], node["metadata"].get("labels"), node.get("spec"), said


def refusal(pod: Object, node: Object, there: Sequence[Object]) -> str:
    """Why a pod cannot be put on a node on which ``there`` are, in kube-scheduler's words; "" if it can."""
    spec = pod["spec"]
    if node["spec"].get("unschedulable") and not tolerated(_UNSCHEDULABLE, spec):
        return CORDONED
    taint = untolerated(node, spec, ("NoSchedule", "NoExecute"))
    if taint:
        return f"node(s) had untolerated taint {{{taint['key']}: {taint.get('value', '')}}}"
    if not chosen(spec, node):
        return MISMATCH
    ports = _host_ports(spec)
    if ports and any(ports & _host_ports(other["spec"]) for other in there if not ended(other)):
        return PORTS
    return ""


def untolerated(node: Object, spec: Object, effects: Sequence[str]) -> Object | None:
    """A taint of these effects that a pod does not tolerate."""
    taints = [taint for taint in node["spec"].get("taints") or [] if taint["effect"] in effects]
    return next((taint for taint in taints if not tolerated(taint, spec)), None)


def tolerated(taint: Object, spec: Object) -> bool:
    return any(_tolerates(each, taint) for each in spec.get("tolerations") or [])


def _tolerates(toleration: Object, taint: Object) -> bool:
    if toleration.get("effect") not in (None, "", taint["effect"]):
        return False
    if toleration.get("key") not in (None, "", taint["key"]):
        return False
    if toleration.get("operator") == "Exists":
        return True
    return bool(toleration.get("key")) and toleration.get("value", "") == taint.get("value", "")


def chosen(spec: Object, node: Object) -> bool:
    """Whether a pod's nodeSelector and required node affinity name the node."""
    labels = node["metadata"].get("labels") or {}
    if any(labels.get(key) != value for key, value in (spec.get("nodeSelector") or {}).items()):
        return False
    terms = node_affinity(spec).get("nodeSelectorTerms")
    return terms is None or any(_term(term, node) for term in terms)


def node_affinity(spec: Object) -> Object:
    """The required node affinity, {} where there is none."""
    return dict(_required(spec, "nodeAffinity") or {})


def _required(spec: Object, kind: str) -> Any:
    affinity = (spec.get("affinity") or {}).get(kind) or {}
    return affinity.get("requiredDuringSchedulingIgnoredDuringExecution")


def _term(term: Object, node: Object) -> bool:
    labels = node["metadata"].get("labels") or {}
    asked = [(labels, each) for each in term.get("matchExpressions") or []]
    asked += [({"metadata.name": node["metadata"]["name"]}, each) for each in term.get("matchFields") or []]
    return bool(asked) and all(_requirement(values, each) for values, each in asked)


def _requirement(values: dict[str, str], asked: Object) -> bool:
    found = values.get(asked["key"])
    wanted: list[str] = asked.get("values") or []
    operator: str = asked["operator"]
    if operator == "In":
        return found in wanted
    if operator == "NotIn":
        return found not in wanted
    if operator in ("Exists", "DoesNotExist"):
        return (found is not None) == (operator == "Exists")
    try:
        than, has = int(wanted[0]), int(found or "")
    except ValueError:
        return False
    return has > than if operator == "Gt" else has < than


def _host_ports(spec: Object) -> set[tuple[int, str]]:
    own = bool(spec.get("hostNetwork"))
    ports = [port for container in spec.get("containers") or [] for port in container.get("ports") or []]
    found = [(port.get("hostPort") or (own and port["containerPort"]), port) for port in ports]
    return {(number, port.get("protocol", "TCP")) for number, port in found if number}


def apart(pod: Object, node: Object, nodes: Sequence[Object], pods: Sequence[Object]) -> bool:
    """Whether required anti-affinity, the pod's own and that of those which run, leaves it the node."""
    values = {each["metadata"]["name"]: each["metadata"].get("labels") or {} for each in nodes}
    here = values[node["metadata"]["name"]]
    for other in pods:
        labels = values.get(other["spec"].get("nodeName", ""), {})
        for one, two in ((pod, other), (other, pod)):
            for term in _terms(one):
                key = term["topologyKey"]
                if key in here and here[key] == labels.get(key) and _meant(term, one, two):
                    return False
    return True


def _terms(pod: Object) -> list[Object]:
    return list(_required(pod["spec"], "podAntiAffinity") or [])


def _meant(term: Object, of: Object, other: Object) -> bool:
    namespaces = term.get("namespaces") or [of["metadata"]["namespace"]]
    if other["metadata"]["namespace"] not in namespaces or "labelSelector" not in term:
        return False
    return selection.of_labels(term["labelSelector"])(other)
