"""What the agent answers on its socket: StatusResponse and DaemonConfiguration of api/v1/openapi.yaml."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

from cilium.configuration import Configuration
from cilium.routes import Node

Object = dict[str, Any]


def health(
    config: Configuration,
    me: Node,
    devices: Mapping[str, Sequence[IPv4Interface]],
    pods: Sequence[str],
    problem: str = "",
) -> Object:
    """GET /healthz. ``pods`` are the addresses of this node's pods; ``problem`` is why it is not Ok."""
    total = sum(IPv4Network(share).num_addresses - 2 for share in me.shares)
    allocated = len(pods) + bool(me.internal)
    bpf_routing = config.kube_proxy_replacement and config.bpf_masquerade
    version = f"{config.version} (v{config.version}, a test double)"
    return {
        "cilium": {"state": "Failure" if problem else "Ok", "msg": problem or version},
        "kubernetes": {"state": "Ok", "msg": ""},
        "kvstore": {"state": "Disabled", "msg": "Kvstore disabled"},
        "container-runtime": {"state": "Ok"},
        "cni-file": {"state": "Ok", "msg": "successfully wrote CNI configuration file to "
                     "/host/etc/cni/net.d/05-cilium.conflist"},
        "routing": {
            "intra-host-routing-mode": "BPF" if bpf_routing else "Legacy",
            "inter-host-routing-mode": "Tunnel" if config.tunnel else "Native",
            **({"tunnel-protocol": config.tunnel_protocol} if config.tunnel else {}),
        },
        "kube-proxy-replacement": _replacement(config, me, devices),
        "masquerading": _masquerading(config),
        "ipam": {
            "ipv4": [*pods, *([me.internal] if me.internal else [])],
            "status": "".join(
                f"IPv4: {allocated}/{total} allocated from {share}, " for share in me.shares[:1]
            ),
        },
        "hubble": {"state": "Ok" if config.on("enable-hubble") else "Disabled"},
        "cluster": {"self": me.name},
    }  # fmt: skip


def _replacement(config: Configuration, me: Node, devices: Mapping[str, Sequence[IPv4Interface]]) -> Object:
    if not config.kube_proxy_replacement:
        return {"mode": "False", "devices": [], "deviceList": []}
    direct = next(
        (name for name, own in devices.items() if any(str(each.ip) == me.address for each in own)), ""
    )
    return {
        "mode": "True",
        "devices": list(devices),
        "deviceList": [{"name": name, "ip": [str(each.ip) for each in own]} for name, own in devices.items()],
        "directRoutingDevice": direct,
        "features": {
            "nodePort": {
                "enabled": True,
                "mode": config.data.get("bpf-lb-mode", "snat").upper(),
                "algorithm": "Random",
                "acceleration": config.data.get("bpf-lb-acceleration", "disabled").title(),
                "portMin": 30000,
                "portMax": 32767,
            },
            "externalIPs": {"enabled": True},
            "hostPort": {"enabled": True},
            "sessionAffinity": {"enabled": True},
            "socketLB": {"enabled": True},
        },
    }


def _masquerading(config: Configuration) -> Object:
    if not config.masquerade:
        return {"enabled": False, "enabledProtocols": {"ipv4": False, "ipv6": False}}
    return {
        "enabled": True,
        "enabledProtocols": {"ipv4": True, "ipv6": False},
        "mode": "BPF" if config.bpf_masquerade else "iptables",
        "snat-exclusion-cidr-v4": config.native_cidr or next(iter(config.pools), ""),
    }


def configuration(config: Configuration, me: Node) -> Object:
    """GET /config. The names in daemonConfigurationMap are those of Go's struct DaemonConfig."""
    spec = {"options": {"Debug": "Enabled" if config.on("debug") else "Disabled"},
            "policy-enforcement": "default"}  # fmt: skip
    in_use = {
        "ClusterName": config.data.get("cluster-name", "default"),
        "DatapathMode": config.data.get("datapath-mode", "veth"),
        "Debug": config.on("debug"),
        "DirectRoutingSkipUnreachable": config.skip_unreachable,
        "EnableAutoDirectRouting": config.auto_direct,
        "EnableBPFMasquerade": config.bpf_masquerade,
        "EnableEndpointHealthChecking": config.on("enable-endpoint-health-checking"),
        "EnableHealthChecking": config.on("enable-health-checking"),
        "EnableIPv4": True,
        "EnableIPv4Masquerade": config.masquerade,
        "EnableIPv6": config.on("enable-ipv6"),
        "EnableL2Announcements": config.l2,
        "IPAM": config.data.get("ipam", "cluster-pool"),
        "IPv4NativeRoutingCIDR": _network(config.native_cidr),
        "InstallNoConntrackIptRules": config.no_conntrack,
        # Durations are Go's: nanoseconds.
        "L2AnnouncerLeaseDuration": int(config.seconds("l2-announcements-lease-duration", 15) * 1e9),
        "L2AnnouncerRenewDeadline": int(config.seconds("l2-announcements-renew-deadline", 5) * 1e9),
        "L2AnnouncerRetryPeriod": int(config.seconds("l2-announcements-retry-period", 2) * 1e9),
        "RoutingMode": config.routing,
    }
    return {
        "spec": spec,
        "status": {
            "addressing": {
                "ipv4": {
                    "enabled": True,
                    "ip": me.internal,
                    "alloc-range": next(iter(me.shares), ""),
                    "address-type": "InternalIP",
                }
            },
            "daemonConfigurationMap": in_use,
            "datapathMode": in_use["DatapathMode"],
            "deviceMTU": config.device_mtu,
            "routeMTU": config.route_mtu,
            "ipam-mode": in_use["IPAM"],
            "masquerade": config.masquerade,
            "masqueradeProtocols": {"ipv4": config.masquerade, "ipv6": False},
            "realized": spec,
        },
    }


def _network(text: str) -> Object | None:
    """A network as Go writes its net.IPNet: the mask is bytes."""
    if not text:
        return None
    network = IPv4Network(text, strict=False)
    return {"IP": str(network.network_address), "Mask": b64encode(network.netmask.packed).decode()}
