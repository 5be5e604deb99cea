"""What rules about the chart's values have in common."""

from __future__ import annotations

import re
from collections.abc import Iterator

from netaddr import AddrFormatError, IPNetwork

from ciliumlab.plan.cilium.chart import Values

Wrong = Iterator[tuple[tuple[str, ...], str]]
"""The keys that do not go together, the one to blame first, with what is wrong and how to mend it."""

_IPV4_NETWORK = re.compile(r"(?:(?:0|[1-9]\d{0,2})\.){3}(?:0|[1-9]\d{0,2})/\d{1,2}", re.ASCII)


def ipv4_network(text: str) -> IPNetwork | None:
    """The network of ``172.20.0.0/16``, as Go's net.ParseCIDR takes it: host bits may be set."""
    try:
        return IPNetwork(text).cidr if _IPV4_NETWORK.fullmatch(text) else None
    except AddrFormatError:
        return None


def replaces_kube_proxy(values: Values) -> bool:
    """Whether Cilium serves services; not by default, whatever version was the first one."""
    return values.on("kubeProxyReplacement")


def tunnelled(values: Values) -> bool:
    """Whether pods' packets take a tunnel: what is not native is one, and tunnel the chart's default."""
    return values.text("routingMode", "tunnel") != "native"


def protocol(values: Values) -> str:
    """What a tunnel is made of, in native mode too, where a feature may ask for one."""
    return values.text("tunnelProtocol", "vxlan")


def runs(values: Values) -> str:
    """The datapath that agents have with these values: native, vxlan or geneve."""
    return protocol(values) if tunnelled(values) else "native"
