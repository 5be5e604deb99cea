"""The values of Cilium's chart: what the reference lab sets, with everything that follows from lab.yaml.

They are complete every time, so that no value of an earlier run stays in force unseen.
"""

from __future__ import annotations

import math
from typing import Any

from ciliumlab.plan.kubeadm import endpoint
from ciliumlab.settings import Settings
from ciliumlab.topology import Topology

# What a lease is renewed within by default, in seconds, and the requests that an agent may make per second
# without any announcement: l2announcements.leaseRenewDeadline and k8sClientRateLimit.qps in the chart's
# values.yaml, 1.18.0.
RENEW_DEADLINE = 5
BASE_QPS = 10

_HTTP_LABELS = ",".join(
    [
        *("source_ip", "source_namespace", "source_workload"),
        *("destination_ip", "destination_namespace", "destination_workload"),
        "traffic_direction",
    ]
)
_HUBBLE_METRICS = [
    *("dns", "drop", "tcp", "flow", "port-distribution", "icmp"),
    f"httpV2:exemplars=true;labelsContext={_HTTP_LABELS}",
]
HUBBLE_UI_PORT = 30003


def values(topology: Topology, settings: Settings) -> dict[str, Any]:
    """The chart's values, ``cilium_extra_values`` merged last."""
    return merged(computed(topology, settings), settings.cilium_extra_values)


def computed(topology: Topology, settings: Settings) -> dict[str, Any]:
    """The chart's values as topology and settings alone make them."""
    host, _, port = endpoint(topology).rpartition(":")
    pod_cidr = str(topology.kubernetes.pod_cidr)
    return {
        # Past the cluster's own service, which is Cilium's to make reachable.
        "k8sServiceHost": host,
        "k8sServicePort": int(port),
        "ipam": {
            "mode": "cluster-pool",
            "operator": {
                "clusterPoolIPv4PodCIDRList": [pod_cidr],
                "clusterPoolIPv4MaskSize": topology.kubernetes.pod_cidr_mask_size,
            },
        },
        "ipv4NativeRoutingCIDR": pod_cidr,
        **_datapath(topology, settings),
        # Never the NAT side: its address is every machine's.
        "devices": list(dict.fromkeys(node.interfaces[0].name for node in topology.nodes)),
        "kubeProxyReplacement": True,
        "bpf": {"masquerade": True},
        "endpointHealthChecking": {"enabled": False},
        "healthChecking": False,
        "hubble": _hubble(settings),
        "prometheus": {"enabled": True},
        # Pods take a new configuration when they start, and Helm restarts none for it.
        "rollOutCiliumPods": True,
        "operator": {"replicas": 1, "prometheus": {"enabled": True}, "rollOutPods": True},
        "debug": {"enabled": True},
        # Of the first installation, which a release keeps through its upgrades.
        "upgradeCompatibility": settings.cilium_version.rpartition(".")[0],
        **({"bgpControlPlane": {"enabled": True}} if settings.pod_routes == "bgp" else {}),
        **(_announcements(topology) if settings.l2_announcements else {}),
    }


def announced(topology: Topology) -> int:
    """How many services the pools give an address of their own."""
    return sum(int(pool.stop) - int(pool.start) + 1 for pool in topology.pools)


def needed_qps(services: int, renew_deadline: float = RENEW_DEADLINE) -> int:
    """The requests per second that an agent needs which holds the leases of all ``services``, the worst
    case of Cilium's documentation ("Sizing client rate limit": services / renew deadline), beside its other
    ones.
    """
    return BASE_QPS + math.ceil(services / renew_deadline)


def merged(values: dict[str, Any], extra: dict[str, Any]) -> dict[str, Any]:
    """``values`` with ``extra`` over them: mappings key by key, anything else as a whole, as Helm does it."""
    both = {**values}
    for key, value in extra.items():
        below = both.get(key)
        both[key] = merged(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return both


def _datapath(topology: Topology, settings: Settings) -> dict[str, Any]:
    """What has to change together with the way that pods' packets take."""
    if settings.datapath != "native":
        return {
            "routingMode": "tunnel",
            "tunnelProtocol": settings.datapath,
            "autoDirectNodeRoutes": False,
            "installNoConntrackIptablesRules": False,
        }
    native = {
        "routingMode": "native",
        "autoDirectNodeRoutes": True,
        "installNoConntrackIptablesRules": True,
    }
    # A node behind the router cannot be a next hop, and without this the agent takes that for an error.
    if len({node.interfaces[0].segment.name for node in topology.nodes}) > 1:
        native["directRoutingSkipUnreachable"] = True
    return native


def _hubble(settings: Settings) -> dict[str, Any]:
    ui: dict[str, Any] = {"enabled": settings.hubble_ui}
    if settings.hubble_ui:
        ui["service"] = {"type": "NodePort", "nodePort": HUBBLE_UI_PORT}
    return {
        "enabled": True,
        "relay": {"enabled": True},
        "ui": ui,
        "metrics": {"enabled": _HUBBLE_METRICS, "enableOpenMetrics": True},
    }


def _announcements(topology: Topology) -> dict[str, Any]:
    qps = needed_qps(announced(topology))
    return {"l2announcements": {"enabled": True}, "k8sClientRateLimit": {"qps": qps, "burst": 2 * qps}}
