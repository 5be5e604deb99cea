"""cilium-config as the agent and the operator read it once, when they start, and what they die of."""

from __future__ import annotations

import fnmatch
import ipaddress
import re
from collections.abc import Iterable, Mapping

TUNNELS = {"vxlan": 8472, "geneve": 6081}
ENCAPSULATION = 50  # bytes: Ethernet, IPv4, UDP and the tunnel's own header
BASE_MTU = 1500
# Releases that leave the tunnel's routes when they are switched to native routing: cilium/cilium#41811.
KEEPS_STALE_ROUTES = ((1, 18, 0), (1, 18, 2))


class Fatal(Exception):
    """The agent or operator does not run with this; why, as the real one logs it."""


class Configuration:
    """The settings of cilium-config that a lab can see the effect of."""

    def __init__(self, data: Mapping[str, str], version: str = "1.18.0") -> None:
        """``version`` is that of the image, "1.18.0"."""
        self.data, self.version = dict(data), version
        self.routing = data.get("routing-mode", "tunnel")
        self.tunnel_protocol = data.get("tunnel-protocol") or "vxlan"
        self.tunnel = self.routing == "tunnel"
        self.port = int(data.get("tunnel-port") or TUNNELS.get(self.tunnel_protocol, 0))
        self.native_cidr = data.get("ipv4-native-routing-cidr", "")
        self.pools = data.get("cluster-pool-ipv4-cidr", "").split()
        self.mask_size = int(data.get("cluster-pool-ipv4-mask-size") or 24)
        self.device_mtu = int(data.get("mtu") or 0) or BASE_MTU
        self.route_mtu = self.device_mtu - (ENCAPSULATION if self.tunnel else 0)
        self.auto_direct = self.on("auto-direct-node-routes")
        self.skip_unreachable = self.on("direct-routing-skip-unreachable")
        self.no_conntrack = self.on("install-no-conntrack-iptables-rules")
        self.kube_proxy_replacement = self.on("kube-proxy-replacement")
        self.masquerade = self.on("enable-ipv4-masquerade", "true")
        self.bpf_masquerade = self.on("enable-bpf-masquerade")
        self.l2 = self.on("enable-l2-announcements")
        self.bgp = self.on("enable-bgp-control-plane")

    def on(self, key: str, default: str = "false") -> bool:
        return self.data.get(key, default) == "true"

    def seconds(self, key: str, default: float) -> float:
        """A duration such as "15s" or "1m30s"."""
        found = re.findall(r"(\d+(?:\.\d+)?)(ms|h|m|s)", self.data.get(key, ""))
        units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
        return sum(float(number) * units[unit] for number, unit in found) or default

    @property
    def tunnel_device(self) -> str:
        """The device of the tunnel in use, "" without one."""
        return f"cilium_{self.tunnel_protocol}" if self.tunnel else ""

    @property
    def leaves_stale_routes(self) -> bool:
        first, last = KEEPS_STALE_ROUTES
        found = tuple(int(part) for part in re.findall(r"\d+", self.version)[:3])
        return first <= found <= last

    @property
    def unrouted(self) -> list[str]:
        """The networks to which pods' packets go out as they are, not masqueraded."""
        return list(dict.fromkeys([*self.pools, *filter(None, [self.native_cidr])]))

    def devices(self, present: Iterable[str]) -> list[str]:
        """Of the host's devices those that are Cilium's: by `devices` ("eth+" is a prefix), else all."""
        names = [name for name in present if not name.startswith(("cilium", "lxc", "lo", "docker", "cni"))]
        patterns = self.data.get("devices", "").split()
        if not patterns:
            return names
        left_out = [pattern[1:] for pattern in patterns if pattern.startswith("!")]
        taken = [pattern for pattern in patterns if not pattern.startswith("!")] or ["+"]
        return [name for name in names if _among(name, taken) and not _among(name, left_out)]


def _among(name: str, patterns: Iterable[str]) -> bool:
    return any(fnmatch.fnmatchcase(name, pattern.replace("+", "*")) for pattern in patterns)


def check_agent(config: Configuration) -> None:
    """Raises Fatal for what the agent refuses.

    daemon/cmd/daemon_main.go and kube_proxy_replacement.go, pkg/option/config.go, pkg/datapath/tunnel.
    """
    if config.routing not in ("native", "tunnel"):
        raise Fatal(f'Invalid routing mode "{config.routing}", valid modes = {{"native", "tunnel"}}')
    if config.tunnel_protocol not in TUNNELS:
        raise Fatal(f'failed to start: invalid tunnel protocol "{config.tunnel_protocol}"')
    if config.native_cidr:
        try:
            ipaddress.IPv4Network(config.native_cidr, strict=False)
        except ValueError:
            raise Fatal(f"Unable to parse CIDR {config.native_cidr}: invalid CIDR address") from None
    if config.skip_unreachable and not config.auto_direct:
        raise Fatal(
            "Flag direct-routing-skip-unreachable cannot be enabled when auto-direct-node-routes is not "
            "enabled."
        )
    if config.tunnel and config.auto_direct:
        raise Fatal(
            "auto-direct-node-routes cannot be used with tunneling. "
            "Packets must be routed through the tunnel device."
        )
    if config.no_conntrack:
        _check_no_conntrack(config)
    if config.masquerade and config.bpf_masquerade and not config.kube_proxy_replacement:
        raise Fatal('BPF masquerade requires NodePort (--enable-node-port="true")')
    if not config.tunnel and config.masquerade and not config.native_cidr:
        raise Fatal(
            "invalid daemon configuration: native routing cidr must be configured with option "
            "--ipv4-native-routing-cidr in combination with --enable-ipv4=true "
            "--enable-ipv4-masquerade=true --enable-ip-masq-agent=false --routing-mode=native"
        )
    if config.data.get("bpf-lb-mode") == "dsr" and config.tunnel and config.tunnel_protocol == "vxlan":
        raise Fatal('Node Port "dsr" mode cannot be used with vxlan tunneling.')


def _check_no_conntrack(config: Configuration) -> None:
    name = "install-no-conntrack-iptables-rules"
    if config.tunnel:
        raise Fatal(f"{name} requires the agent to run in direct routing mode.")
    if not config.kube_proxy_replacement:
        raise Fatal(f"{name} requires the agent to run with kube-proxy-replacement=true.")
    if config.masquerade and not config.bpf_masquerade:
        raise Fatal(f"{name} requires the agent to run with enable-bpf-masquerade.")


def check_operator(config: Configuration) -> None:
    """Raises Fatal for pools that the operator cannot allocate from."""
    if config.data.get("ipam", "cluster-pool") != "cluster-pool":
        return
    if not config.pools:
        raise Fatal("cluster-pool-ipv4-cidr must be provided when using ClusterPool")
    networks: list[ipaddress.IPv4Network] = []
    for text in config.pools:
        try:
            network = ipaddress.IPv4Network(text, strict=False)
        except ValueError:
            raise Fatal(f"Unable to init cluster-pool allocator: invalid CIDR address: {text}") from None
        clash = next((known for known in networks if known.overlaps(network)), None)
        if clash:
            raise Fatal(f"Unable to init cluster-pool allocator: {network} collides with {clash}")
        if not network.prefixlen <= config.mask_size <= 32:
            raise Fatal(
                f"Unable to init cluster-pool allocator: mask size {config.mask_size} does not fit {network}"
            )
        networks.append(network)
