"""Which values Cilium's agent does not start with; each rule names the file of Cilium 1.18 that has it."""

from __future__ import annotations

from ciliumlab.plan.cilium.chart import Values
from ciliumlab.plan.cilium.wrong import Wrong, ipv4_network, protocol, replaces_kube_proxy, tunnelled
from ciliumlab.topology import Topology
from ciliumlab.topology.names import NAT_INTERFACE
from ciliumlab.wording import listed, shown


def agent(topology: Topology, values: Values) -> Wrong:
    """What the agent would end with, instead of starting."""
    yield from _families(values)
    yield from _routing(values)
    yield from _native(values)
    yield from _conntrack(values)
    yield from _masquerading(values)
    yield from _direct_server_return(values)
    yield from _devices(topology, values)


def _serves_node_ports(values: Values) -> bool:
    """With kube-proxy's replacement, or before 1.19 by a switch of its own."""
    return replaces_kube_proxy(values) or values.on("nodePort.enabled")


def _masquerades(values: Values) -> bool:
    """``MasqueradingEnabled`` in pkg/option/config.go: either family counts where it is there at all."""
    ipv4 = values.on("ipv4.enabled", True) and values.on("enableIPv4Masquerade", True)
    return ipv4 or (values.on("ipv6.enabled") and values.on("enableIPv6Masquerade", True))


def _families(values: Values) -> Wrong:
    """``initEnv`` in daemon/cmd/daemon_main.go; and lab.yaml has IPv4 only."""
    if not values.on("ipv4.enabled", True):
        yield ("ipv4.enabled",), "the lab's nodes have IPv4 addresses only; leave it out, or set it to true"


def _routing(values: Values) -> Wrong:
    """``Validate`` and ``Populate`` in pkg/option/config.go, ``initEnv`` in daemon/cmd/daemon_main.go, and
    ``newConfig`` in pkg/datapath/tunnel/tunnel.go.
    """
    mode = values.text("routingMode", "tunnel")
    direct = values.on("autoDirectNodeRoutes")
    if mode not in ("native", "tunnel"):
        yield (
            ("routingMode",),
            f"{shown(mode)} is no routing mode, and the agent does not start with it; set datapath instead,"
            " which changes all that goes with it",
        )
    if protocol(values) not in ("vxlan", "geneve"):
        yield (
            ("tunnelProtocol",),
            f"{shown(protocol(values))} is no tunnel protocol, and the agent does not start with it, not even"
            " in native mode; set datapath instead",
        )
    if mode == "tunnel" and direct:
        yield (
            ("autoDirectNodeRoutes", "routingMode"),
            "the agent does not start with autoDirectNodeRoutes in a tunnel, which all packets have to take;"
            " set datapath instead of routingMode, or autoDirectNodeRoutes to false",
        )
    if values.on("directRoutingSkipUnreachable") and not direct:
        yield (
            ("directRoutingSkipUnreachable", "autoDirectNodeRoutes"),
            "the agent does not start with directRoutingSkipUnreachable without autoDirectNodeRoutes, whose"
            " exception it is; set both or none of them",
        )


def _native(values: Values) -> Wrong:
    """``checkIPv4NativeRoutingCIDR`` and ``Populate`` in pkg/option/config.go, and for IPv6 the chart."""
    native = not tunnelled(values) and not values.on("ipMasqAgent.enabled")
    cidr = str(values.get("ipv4NativeRoutingCIDR", ""))
    if cidr and ipv4_network(cidr) is None:
        yield (
            ("ipv4NativeRoutingCIDR",),
            f"{shown(cidr)} is no IPv4 network, and the agent does not start with it; leave it out, then it"
            " is the pod CIDR of lab.yaml",
        )
    elif not cidr and native and values.on("ipv4.enabled", True) and values.on("enableIPv4Masquerade", True):
        yield (
            ("ipv4NativeRoutingCIDR", "routingMode"),
            "the agent does not start in native mode without a network whose packets are not masqueraded;"
            " leave it out, then it is the pod CIDR of lab.yaml",
        )
    ipv6 = values.on("ipv6.enabled") and values.on("enableIPv6Masquerade", True)
    if ipv6 and native and not values.get("ipv6NativeRoutingCIDR", ""):
        yield (
            ("ipv6.enabled", "ipv6NativeRoutingCIDR", "routingMode"),
            "the chart refuses IPv6 in native mode without ipv6NativeRoutingCIDR; set that, or ipv6.enabled"
            " to false, as the lab's nodes have IPv4 addresses only",
        )


def _conntrack(values: Values) -> Wrong:
    """``initEnv`` in daemon/cmd/daemon_main.go and ``initKubeProxyReplacementOptions`` in
    daemon/cmd/kube_proxy_replacement.go.
    """
    # With another CNI plugin below it, the chart leaves the rules out by itself.
    chained = (
        values.text("cni.chainingMode", "none") != "none" or values.get("cni.chainingTarget") is not None
    )
    if chained or not values.on("installNoConntrackIptablesRules"):
        return
    key = "installNoConntrackIptablesRules"
    start = f"the agent does not start with {key}"
    if tunnelled(values):
        yield (
            (key, "routingMode"),
            f"{start} in a tunnel, whose packets are not tracked anyway; set datapath instead of routingMode,"
            " or it to false",
        )
    if not replaces_kube_proxy(values):
        yield (
            (key, "kubeProxyReplacement"),
            f"{start} where kube-proxy is not replaced, as its NAT needs the tracking; set it to false, or"
            " kubeProxyReplacement to true",
        )
    if _masquerades(values) and not values.on("bpf.masquerade"):
        yield (
            (key, "bpf.masquerade"),
            f"{start} while iptables masquerades, which needs the tracking; set it to false, or"
            " bpf.masquerade to true",
        )


def _masquerading(values: Values) -> Wrong:
    """``newDaemon`` in daemon/cmd/daemon.go."""
    if values.on("bpf.masquerade") and _masquerades(values) and not _serves_node_ports(values):
        yield (
            ("bpf.masquerade", "kubeProxyReplacement"),
            "the agent does not start with bpf.masquerade where kube-proxy is not replaced; set"
            " kubeProxyReplacement to true, or bpf.masquerade to false",
        )


def _direct_server_return(values: Values) -> Wrong:
    """``initKubeProxyReplacementOptions`` in daemon/cmd/kube_proxy_replacement.go."""
    if not _serves_node_ports(values):
        return
    mode = values.text("loadBalancer.mode", "snat")
    dispatch = values.text("loadBalancer.dsrDispatch", "opt")
    keys = ("loadBalancer.mode", "loadBalancer.dsrDispatch", "routingMode", "tunnelProtocol")
    start = f"the agent does not start with loadBalancer.mode {shown(mode)}"
    if mode not in ("snat", "dsr", "hybrid"):
        yield keys, f"{start}; write snat, dsr or hybrid"
    if mode not in ("dsr", "hybrid"):
        return
    known = ("opt", "geneve", "ipip") if mode == "dsr" else ("opt", "geneve")
    if dispatch not in known:
        yield keys[1:], f"{start} and dispatch {shown(dispatch)}; write {listed(known, 'or')}"
    elif dispatch == "ipip" and values.text("loadBalancer.acceleration", "disabled") == "disabled":
        yield keys[1:], f"{start} and dispatch ipip without loadBalancer.acceleration; write opt or geneve"
    elif tunnelled(values) and protocol(values) == "vxlan":
        yield keys, f"{start} in a VXLAN tunnel; write snat, or set datapath to geneve and dsrDispatch too"
    elif tunnelled(values) and dispatch != "geneve":
        yield keys, f"{start} in a tunnel unless loadBalancer.dsrDispatch is geneve; set that too"
    elif dispatch == "geneve" and protocol(values) != "geneve":
        yield keys[1:], f"{start} and dispatch geneve unless tunnelProtocol is geneve; set that too"


def _devices(topology: Topology, values: Values) -> Wrong:
    """A device is named as it is, or by its beginning with a plus sign."""
    devices = values.words("devices")
    if not devices or values.on("forceDeviceDetection"):
        yield (
            ("forceDeviceDetection", "devices"),
            f"devices that the agent finds by itself would be {NAT_INTERFACE} too, whose address is every"
            " machine's; leave it out",
        )
        return
    if _selected(NAT_INTERFACE, devices):
        what = f"{NAT_INTERFACE} is the NAT side, whose address is every machine's; leave it out"
        yield ("devices",), what
    names = dict.fromkeys(node.interfaces[0].name for node in topology.nodes)
    if missing := [name for name in names if not _selected(name, devices)]:
        what = f"lacks {listed(missing)}, where nodes stand in the lab; leave it out, then it is in it"
        yield ("devices",), what


def _selected(name: str, devices: list[str]) -> bool:
    return any(name.startswith(device[:-1]) if device.endswith("+") else name == device for device in devices)
