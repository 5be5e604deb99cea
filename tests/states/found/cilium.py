"""Cilium: what the agent on a node runs with, and the release that it came with."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from .kubernetes import ADMIN, KUBECTL
from .shell import Answers

_SOCKET = "/var/run/cilium/cilium.sock"

# Helm's place is of no account to a login's PATH.
_HELM = f"PATH=$PATH:/usr/local/bin helm --kubeconfig {ADMIN} --namespace kube-system"


@dataclass(frozen=True)
class Agent:
    """An agent by its own word; ``runs`` has None for what it does not tell.

    Fields: api/v1/openapi.yaml of cilium/cilium, StatusResponse and DaemonConfiguration.
    """

    health: str
    """"Ok", or what is wrong."""
    version: str
    runs: dict[str, object]
    devices: frozenset[str]
    hubble: str
    """How it says that its Hubble server is: "Ok", "Disabled" …"""
    said: str


def agent_questions() -> dict[str, str]:
    ask = f"curl --silent --show-error -m 20 --unix-socket {_SOCKET} http://localhost/v1"
    return {"health": f"{ask}/healthz 2>&1; echo", "config": f"{ask}/config 2>&1; echo"}


def read_agent(found: Answers) -> Agent:
    health, config = _document(found["health"]), _document(found["config"])
    message = str(_at(health, "cilium", "msg") or found["health"].strip()[-200:])
    state = _at(health, "cilium", "state")
    running = _at(config, "status", "daemonConfigurationMap")
    routing = str(_at(health, "routing", "inter-host-routing-mode") or "").lower()
    tunnel = str(_at(health, "routing", "tunnel-protocol") or "").lower()
    return Agent(
        health="Ok" if state == "Ok" else f"{state or 'no answer'}: {message}",
        version=message.split()[0] if message[:1].isdigit() else "",
        runs={
            # An agent in native mode may name the protocol that it does not use.
            "datapath": tunnel if routing == "tunnel" else routing,
            "kube-proxy replacement": _at(health, "kube-proxy-replacement", "mode"),
            "masquerading": _masquerading(health),
            "route MTU": _at(config, "status", "routeMTU"),
            "L2 announcements": _at(running, "EnableL2Announcements"),
            "BGP control plane": _at(running, "EnableBGPControlPlane"),
        },
        devices=frozenset(_devices(health, running)),
        hubble=str(_at(health, "hubble", "state") or ""),
        said=f"{found['health'].strip()}\n{found['config'].strip()}",
    )


def _masquerading(health: Any) -> str:
    """ "BPF", "iptables", or "off"; of IPv4."""
    of_ipv4 = _at(health, "masquerading", "enabledProtocols", "ipv4")
    if of_ipv4 is None:
        of_ipv4 = _at(health, "masquerading", "enabled")
    return str(_at(health, "masquerading", "mode")) if of_ipv4 else "off"


def _devices(health: Any, running: Any) -> list[str]:
    names = _at(running, "Devices")
    if names is None:
        names = [entry["name"] for entry in _at(health, "kube-proxy-replacement", "deviceList") or []]
    return list(names)


@dataclass(frozen=True)
class Rollout:
    """How many pods are wanted, and of these how many are new, and are ready."""

    wanted: int
    updated: int
    available: int


@dataclass(frozen=True)
class Release:
    """What runs Cilium: Helm's release, what it made, and what the operator gave to the nodes."""

    status: str
    chart: str
    """Name and version, "cilium-1.18.0"."""
    values: dict[str, Any]
    configuration: dict[str, str]
    agents: Rollout
    operators: Rollout
    addresses: dict[str, list[str]]
    """The addresses that each node has in Cilium's eyes."""
    pod_cidrs: dict[str, list[str]]
    """The networks that each node's pods have their addresses from."""


def release_questions() -> dict[str, str]:
    get = f"{KUBECTL} --namespace kube-system get"
    return {
        # The newest revision, whatever became of it.
        "history": f"{_HELM} history cilium --max 1 --output json; echo",
        "values": f"{_HELM} get values cilium --output json; echo",
        "configuration": f"{get} configmap cilium-config -o json",
        "agents": f"{get} daemonset cilium -o json",
        "operators": f"{get} deployment cilium-operator -o json",
        "nodes": f"{get} ciliumnodes.cilium.io -o json",
    }


def read_release(found: Answers) -> Release:
    documents = {name: json.loads(text.strip() or "null") for name, text in found.items()}
    newest = (documents["history"] or [{}])[-1]
    agents, operators = (_at(documents[name], "status") or {} for name in ("agents", "operators"))
    nodes = {one["metadata"]["name"]: one["spec"] for one in _at(documents["nodes"], "items") or []}
    return Release(
        status=newest.get("status", ""),
        chart=newest.get("chart", ""),
        values=documents["values"] or {},
        configuration=_at(documents["configuration"], "data") or {},
        agents=Rollout(
            agents.get("desiredNumberScheduled", 0),
            agents.get("updatedNumberScheduled", 0),
            agents.get("numberAvailable", 0),
        ),
        operators=Rollout(
            operators.get("replicas", 0),
            operators.get("updatedReplicas", 0),
            operators.get("availableReplicas", 0),
        ),
        addresses={
            name: [one["ip"] for one in spec.get("addresses") or [] if one["type"] == "InternalIP"]
            for name, spec in nodes.items()
        },
        pod_cidrs={name: _at(spec, "ipam", "podCIDRs") or [] for name, spec in nodes.items()},
    )


def _document(text: str) -> Any:
    """What is no JSON is no answer of an agent's."""
    try:
        return json.loads(text)
    except ValueError:
        return None


def _at(document: Any, *path: str) -> Any:
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document
