"""Cilium as it runs: what the agent on a node tells of itself, and which pods are whose.

The agent's REST API is cilium/cilium's api/v1/openapi.yaml; its socket lies in a folder of the host that
the chart mounts, so that nothing has to be run in a pod.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypedDict

from typing_extensions import override

from ciliumlab.facts.kubernetes import KUBECTL
from ciliumlab.facts.shell import Sections, State, sections

_SOCKET = "/var/run/cilium/cilium.sock"

# The agent's own end of the way into the pods of this node.
HOST_DEVICE = "cilium_host"

_DONE = "ciliumnodes done"
_NODE = "ciliumnode"

# kubectl's jsonpath: name, addresses and pod CIDRs of each CiliumNode, a line each.
_NODES = (
    f"{{range .items[*]}}{_NODE}|{{.metadata.name}}"
    '|{.spec.addresses[?(@.type=="InternalIP")].ip}|{.spec.ipam.podCIDRs[*]}{"\\n"}{end}'
)


class HostRoute(TypedDict):
    """An IPv4 route of the agent's device cilium_host; ``mtu`` is 0 where the route has none of its own."""

    to: str
    via: str
    mtu: int


class AgentState(TypedDict):
    """What the agent runs with, and not what it was told to.

    ``state`` is "Ok", "Warning" or "Failure", and empty when no agent answers; then ``trouble`` says why, and
    the rest is empty. ``message`` is its own word on its state, ``version`` "1.18.0".

    ``routing`` is "native" or "tunnel", ``tunnel`` "vxlan" or "geneve" (empty in native mode),
    ``masquerading`` "bpf", "iptables" or "off" (of IPv4), ``devices`` the interfaces that it serves.
    ``bgp`` is None where an agent does not tell. ``route_mtu`` is in bytes, 0 where it does not tell.
    """

    state: str
    message: str
    version: str
    routing: str
    tunnel: str
    kube_proxy_replacement: bool
    devices: list[str]
    masquerading: str
    l2_announcements: bool
    bgp: bool | None
    route_mtu: int
    routes: list[HostRoute]
    trouble: str


class Agent(State[AgentState]):
    """The agent on this node, by its socket."""

    @override
    def command(self) -> str:
        return sections(
            health=_asked("healthz"),
            config=_asked("config"),
            routes=f"ip -json -4 route show dev {HOST_DEVICE}",
        )

    @override
    def parse(self, found: Sections) -> AgentState:
        health, config = _answer(found["health"]), _answer(found["config"])
        trouble = "" if health and config else _said(found["config"] if health else found["health"])
        if trouble:
            health = config = {}
        message = str(_at(health, "cilium", "msg") or "")
        running = _at(config, "status", "daemonConfigurationMap")
        routing = str(_at(health, "routing", "inter-host-routing-mode") or "").lower()
        tunnel = str(_at(health, "routing", "tunnel-protocol") or "").lower()
        return AgentState(
            state=str(_at(health, "cilium", "state") or ""),
            message=message,
            version=message.split()[0] if message[:1].isdigit() else "",
            routing=routing,
            # An agent in native mode names the protocol that it does not use.
            tunnel=tunnel if routing == "tunnel" else "",
            kube_proxy_replacement=_at(health, "kube-proxy-replacement", "mode") == "True",
            devices=_devices(health, running),
            masquerading=_masquerading(health),
            l2_announcements=_at(running, "EnableL2Announcements") is True,
            bgp=_true_or_false(_at(running, "EnableBGPControlPlane")),
            route_mtu=_number(_at(config, "status", "routeMTU")),
            routes=_routes(found["routes"]),
            trouble=trouble,
        )


def _asked(path: str) -> str:
    return (
        f"if [ -S {_SOCKET} ]; then curl --silent --show-error --max-time 10 --unix-socket {_SOCKET}"
        f' http://localhost/v1/{path} 2>&1; echo; else echo "no agent has made {_SOCKET}"; fi'
    )


def _answer(lines: list[str]) -> Any:
    """What the agent answered; None for what is no answer of an agent's."""
    try:
        answer = json.loads("\n".join(lines))
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None


def _said(lines: list[str]) -> str:
    """The end of what came instead of an answer, on one line."""
    return " ".join(" ".join(lines).split())[-200:] or "the agent said nothing"


def _at(document: Any, *path: str) -> Any:
    """What stands there in a document, None where that, or anything on the way, is not there."""
    for key in path:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _devices(health: Any, running: Any) -> list[str]:
    names = _at(running, "Devices")
    if names is None:
        # Beside the configuration, where they are not in it.
        entries = _at(health, "kube-proxy-replacement", "deviceList")
        names = [_at(entry, "name") for entry in entries] if isinstance(entries, list) else None
    return [str(name) for name in names] if isinstance(names, list) else []


def _number(value: Any) -> int:
    return value if isinstance(value, int) else 0


def _true_or_false(value: Any) -> bool | None:
    return value if isinstance(value, bool) else None


def _masquerading(health: Any) -> str:
    # The protocols are of later versions than "enabled" is.
    of_ipv4 = _at(health, "masquerading", "enabledProtocols", "ipv4")
    if of_ipv4 is None:
        of_ipv4 = _at(health, "masquerading", "enabled")
    return str(_at(health, "masquerading", "mode") or "").lower() if of_ipv4 else "off"


def _routes(lines: Iterable[str]) -> list[HostRoute]:
    routes = json.loads("\n".join(lines) or "[]")
    return [
        HostRoute(
            to=route["dst"] if "/" in route["dst"] else f"{route['dst']}/32",
            via=route.get("gateway", ""),
            mtu=next((one["mtu"] for one in route.get("metrics", ()) if "mtu" in one), 0),
        )
        for route in routes
        if route.get("dst", "default") != "default"
    ]


# What the agent makes on a host and a cluster's end leaves there, as cilium-dbg's `post-uninstall-cleanup`
# has it: its plugin's configuration, its state, and the pins that hold its programs to devices.
_LEFT = "/etc/cni/net.d/05-cilium.conflist /var/run/cilium /sys/fs/bpf/cilium /sys/fs/bpf/tc/globals/cilium_*"
_DEVICES = "cilium_host|cilium_net|cilium_vxlan|cilium_geneve"


class Traces(State[dict[str, list[str]]]):
    """What Cilium has left on this host: ``devices`` by name, ``files`` by path."""

    @override
    def command(self) -> str:
        return sections(
            devices=f"ls /sys/class/net | grep -xE '{_DEVICES}'",
            files=f"ls -d {_LEFT}",
        )

    @override
    def parse(self, found: Sections) -> dict[str, list[str]]:
        return {"devices": found["devices"], "files": found["files"]}


class Pods(TypedDict):
    """Where a node's pods are: its ``address`` (IPv4), and the networks that its pods' addresses are from."""

    address: str
    cidrs: list[str]


class PodCidrsState(TypedDict):
    """Nodes by name. ``trouble`` is what kubectl said when it got no answer, and nothing is known then."""

    nodes: dict[str, Pods]
    trouble: str


class PodCidrs(State[PodCidrsState]):
    """Which node has which pods' networks, asked on a control-plane node.

    They are CiliumNode's: with the IPAM mode cluster-pool a Node's own podCIDR is not looked at
    (docs.cilium.io/en/v1.18/network/concepts/ipam/cluster-pool).
    """

    @override
    def command(self) -> str:
        return sections(
            nodes=f"{KUBECTL} get ciliumnodes.cilium.io -o jsonpath='{_NODES}' 2>&1 && echo {_DONE}"
        )

    @override
    def parse(self, found: Sections) -> PodCidrsState:
        lines = found["nodes"]
        if _DONE not in lines:
            return PodCidrsState(nodes={}, trouble=_said(lines))
        entries = [line.split("|") for line in lines if line.startswith(f"{_NODE}|")]
        return PodCidrsState(
            nodes={
                name: Pods(address=_ipv4(addresses.split()), cidrs=cidrs.split())
                for _, name, addresses, cidrs in entries
            },
            trouble="",
        )


def _ipv4(addresses: Iterable[str]) -> str:
    return next((one for one in addresses if "." in one), "")
