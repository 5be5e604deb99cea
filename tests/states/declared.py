"""What the plan says of Cilium and of pods, in the words that hosts use of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

from .found.objects import Object, Pod, name

Data = Mapping[str, Any]

# Bytes that a packet of a pod leaves to what is put around it: cilium/cilium, pkg/mtu/mtu.go.
_BASE_MTU, _TUNNEL, _WIREGUARD = 1500, 50, 80


def at(values: Any, path: str, default: Any = None) -> Any:
    """A value of the chart's by its path, "bpf.masquerade"; what the chart has itself where it is not set."""
    for key in path.split("."):
        values = values.get(key) if isinstance(values, Mapping) else None
    return default if values is None else values


def pod_networks(data: Data) -> list[str]:
    """What all pods have their addresses from."""
    return list(at(data["helm_values"], "ipam.operator.clusterPoolIPv4PodCIDRList", []))


# Cilium -------------------------------------------------------------------------------------------


def datapath(data: Data) -> str:
    """ "native", or the tunnel's protocol."""
    values = data["helm_values"]
    if at(values, "routingMode", "tunnel") == "native":
        return "native"
    return str(at(values, "tunnelProtocol", "vxlan"))


def route_mtu(data: Data) -> int:
    """What a packet from one node's pod to another node's may have, in bytes."""
    values = data["helm_values"]
    wireguard = at(values, "encryption.enabled", False) and at(values, "encryption.type") == "wireguard"
    tunnel = _TUNNEL if datapath(data) != "native" else 0
    return int(at(values, "MTU", 0) or _BASE_MTU) - tunnel - (_WIREGUARD if wireguard else 0)


def runs(data: Data) -> dict[str, object]:
    """What each agent must say that it runs with; see found.cilium.Agent."""
    values = data["helm_values"]
    masquerades = at(values, "enableIPv4Masquerade", True)
    by_bpf = at(values, "bpf.masquerade", False)
    return {
        "datapath": datapath(data),
        "kube-proxy replacement": "True" if _true(at(values, "kubeProxyReplacement", False)) else "False",
        "masquerading": ("BPF" if by_bpf else "iptables") if masquerades else "off",
        "route MTU": route_mtu(data),
        "L2 announcements": _true(at(values, "l2announcements.enabled", False)),
        "BGP control plane": _true(at(values, "bgpControlPlane.enabled", False)),
    }


# Keys of cilium-config with the values of the chart that they are made of, and what the chart has where they
# are not set; templates/cilium-configmap.yaml of the chart, the same from 1.17 to 1.19.
_KEYS = {
    "routing-mode": ("routingMode", "tunnel"),
    "tunnel-protocol": ("tunnelProtocol", "vxlan"),
    "auto-direct-node-routes": ("autoDirectNodeRoutes", False),
    "direct-routing-skip-unreachable": ("directRoutingSkipUnreachable", False),
    "ipv4-native-routing-cidr": ("ipv4NativeRoutingCIDR", None),
    "devices": ("devices", None),
    "ipam": ("ipam.mode", "cluster-pool"),
    "cluster-pool-ipv4-cidr": ("ipam.operator.clusterPoolIPv4PodCIDRList", ["10.0.0.0/8"]),
    "cluster-pool-ipv4-mask-size": ("ipam.operator.clusterPoolIPv4MaskSize", 24),
    "kube-proxy-replacement": ("kubeProxyReplacement", False),
    "enable-ipv4-masquerade": ("enableIPv4Masquerade", True),
    "enable-bpf-masquerade": ("bpf.masquerade", False),
    "enable-health-checking": ("healthChecking", True),
    "enable-endpoint-health-checking": ("endpointHealthChecking.enabled", True),
    "enable-hubble": ("hubble.enabled", True),
    "hubble-metrics": ("hubble.metrics.enabled", None),
    "install-no-conntrack-iptables-rules": ("installNoConntrackIptablesRules", False),
    "enable-l2-announcements": ("l2announcements.enabled", False),
    "enable-bgp-control-plane": ("bgpControlPlane.enabled", False),
    "k8s-client-qps": ("k8sClientRateLimit.qps", None),
    "k8s-client-burst": ("k8sClientRateLimit.burst", None),
    "debug": ("debug.enabled", False),
    "mtu": ("MTU", 0),
}

# Ports at which metrics are told: whether they are, the port, and the chart's own one.
_PORTS = {
    "prometheus-serve-addr": ("prometheus.enabled", "prometheus.port", 9962),
    "operator-prometheus-serve-addr": ("operator.prometheus.enabled", "operator.prometheus.port", 9963),
    "hubble-metrics-server": ("hubble.metrics.enabled", "hubble.metrics.port", 9965),
}


def configuration(values: Mapping[str, Any]) -> dict[str, str]:
    """What must stand in cilium-config for the chart's values; "" where there must be nothing, or "false"."""
    found = {key: _word(at(values, path, default)) for key, (path, default) in _KEYS.items()}
    for key, (switch, path, default) in _PORTS.items():
        found[key] = f":{at(values, path, default)}" if at(values, switch) else ""
    return found


def _word(value: object) -> str:
    """As the chart writes it: lists with spaces."""
    if isinstance(value, list):
        return " ".join(map(str, value))
    return str(value or "") if not isinstance(value, bool) else ("true" if value else "")


def same_word(found: str) -> str:
    """What is false is as good as not there."""
    return "" if found == "false" else found


def _true(value: object) -> bool:
    return str(value).lower() == "true"


# The plan's names for those of its workloads that are asked for more than the others are.
WEB, ASKER = "webpod", "curl"

# Objects ------------------------------------------------------------------------------------------


def objects(data: Data, *kinds: str) -> list[Object]:
    """Those of the plan that are of these kinds."""
    return [one for one in data["kubernetes_objects"] if one["kind"] in kinds]


def of_part(data: Data, part: str) -> list[Object]:
    return [
        one for one in data["kubernetes_objects"] if one["metadata"]["labels"]["ciliumlab.io/part"] == part
    ]


@dataclass(frozen=True)
class Declared:
    """An object of the plan, by its kind and name in a test's."""

    object: Object

    def __str__(self) -> str:
        return f"{self.object['kind']} {name(self.object)}"


@dataclass(frozen=True)
class Place:
    """A place for a pod of the plan's workloads: the pod of this name, or one of a Deployment's."""

    app: str
    number: int
    of: int

    def __str__(self) -> str:
        return self.app if self.of == 1 else f"{self.app} {self.number + 1}"

    def pod(self, pods: Iterable[Pod]) -> Pod | None:
        found = [pod for pod in pods if pod.labels.get("app") == self.app]
        return found[self.number] if self.number < len(found) else None


def places(data: Data) -> list[Place]:
    """One for each pod of the workloads."""
    found = [(one["metadata"]["labels"]["app"], 1) for one in objects(data, "Pod")]
    found += [
        (one["spec"]["selector"]["matchLabels"]["app"], one["spec"]["replicas"])
        for one in objects(data, "Deployment")
    ]
    return [Place(app, number, of) for app, of in found for number in range(of)]


# Who reaches whom ---------------------------------------------------------------------------------


def segments(data: Data) -> set[IPv4Network]:
    return {
        IPv4Interface(address).network
        for interface in data["interfaces"].values()
        if not interface.get("dummy")
        for address in interface["addresses"]
    }


def direct(one: Data, other: Data) -> bool:
    """Whether a node sends straight to the pods of another one, past every router."""
    by_itself = at(one["helm_values"], "autoDirectNodeRoutes", False)
    return datapath(one) == "native" and by_itself and bool(segments(one) & segments(other))


def reaches_pods(one: Data, other: Data) -> bool:
    """Whether a node, and so its pods, reaches the pods of another one, or of itself."""
    return one is other or datapath(one) != "native" or direct(one, other) or one["pod_routes"] != "none"


def announced(data: Data) -> bool:
    """Whether others than nodes and pods learn where LoadBalancer addresses are."""
    return data["l2_announcements"] or by_bgp(data)


def by_bgp(data: Data) -> bool:
    """Whether the router learns of LoadBalancer addresses as of pods."""
    return data["pod_routes"] == "bgp" and data["bgp_load_balancer_ips"]
