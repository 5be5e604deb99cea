"""The kernel's side of a node: cilium_host, the tunnel and the routes, by ip(8).

The real agent forwards by eBPF. Here the kernel itself does: what goes to cilium_host comes out of its other
end, cilium_net, and is looked up in a table of its own, which knows each local pod's device and, in a tunnel,
the node of every other pod. So the main table looks just as on a real node.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Interface
from pathlib import Path
from typing import Any

from cilium.configuration import Configuration
from cilium.routes import HOST, Node, Route

NET = "cilium_net"
TABLE, PREFERENCE = "2005", "120"
# One address for both ends.
HOST_MAC = "aa:aa:aa:00:00:01"
NETWORK_ID = "2"


class KernelError(Exception):
    """ip(8) refused; what it said."""


def run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise KernelError(f"{' '.join(command)}: {done.stderr.strip()}")
    return done.stdout


def ip(*arguments: str) -> str:
    return run("ip", *arguments)


def facts(*arguments: str) -> list[dict[str, Any]]:
    """What `ip -json` says, [] where there is no such thing."""
    done = subprocess.run(["ip", "-json", *arguments], capture_output=True, text=True, check=False)
    found: list[dict[str, Any]] = json.loads(done.stdout) if done.stdout.strip() else []
    return [each for each in found if each]


def links() -> set[str]:
    return {each["ifname"] for each in facts("link", "show")}


def interfaces() -> dict[str, list[IPv4Interface]]:
    """The IPv4 addresses of all devices that are up."""
    return {
        each["ifname"]: [
            IPv4Interface(f"{one['local']}/{one['prefixlen']}")
            for one in each.get("addr_info") or []
            if one.get("family") == "inet"
        ]
        for each in facts("-4", "address", "show", "up")
    }


def within(namespace: str) -> list[str]:
    """What a command begins with that is to run in a network namespace, given by its name or a path to it."""
    return ["nsenter", f"--net={namespace}"] if "/" in namespace else ["ip", "netns", "exec", namespace]


def sysctl(name: str, value: str) -> None:
    Path(f"/proc/sys/net/ipv4/{name}").write_text(value)


def loosen(device: str) -> None:
    """A packet may come in from elsewhere than where its answer goes."""
    sysctl(f"conf/{device}/rp_filter", "0")


def prepare(config: Configuration, me: Node) -> None:
    """Devices, addresses and rules of this node. KernelError."""
    sysctl("ip_forward", "1")
    for name in ("all", "default"):
        loosen(name)
    if HOST not in links():
        # Without ARP a frame goes to the device's own address, which is that of its other end, too.
        ip("link", "add", HOST, "address", HOST_MAC, "type", "veth", "peer", "name", NET, "address", HOST_MAC)
    for name in (NET, HOST):
        ip("link", "set", name, "arp", "off", "mtu", str(config.device_mtu), "up")
        loosen(name)
    # What this host sends to a pod comes back in with the host's own address.
    sysctl(f"conf/{NET}/accept_local", "1")
    if interfaces().get(HOST) != [IPv4Interface(me.internal)]:
        ip("-4", "address", "flush", "dev", HOST)
        ip("address", "add", f"{me.internal}/32", "dev", HOST)
    if not any(rule.get("iif") == NET for rule in facts("rule", "show")):
        ip("rule", "add", "pref", PREFERENCE, "iif", NET, "lookup", TABLE)
    # A pod that is not there is not looked for again and again.
    ip("route", "replace", "unreachable", "default", "table", TABLE)
    _tunnel(config, me)


def _tunnel(config: Configuration, me: Node) -> None:
    device, present = config.tunnel_device, links()
    for name in {"cilium_vxlan", "cilium_geneve"} & present - {device}:
        ip("link", "delete", name)
    if not device:
        return
    if device not in present:
        try:
            _add(device, config.tunnel_protocol, config.port, me)
        except KernelError as error:
            if config.tunnel_protocol != "geneve" or "Unknown device type" not in str(error):
                raise
            # A double of the device where this kernel has none: VXLAN's frames on GENEVE's port.
            _add(device, "vxlan", config.port, me)
    ip("link", "set", device, "mtu", str(config.device_mtu), "up")
    loosen(device)


def _add(device: str, kind: str, port: int, me: Node) -> None:
    ip("link", "add", device, "address", mac(me), "type", kind, "external", "dstport", str(port))


def mac(node: Node) -> str:
    """The address of a node's tunnel device, which all others know without asking."""
    return "02:42:" + ":".join(f"{byte:02x}" for byte in IPv4Address(node.address).packed)


def main_routes() -> list[dict[str, Any]]:
    return facts("-4", "route", "show", "table", "main")


def program(routes: Sequence[Route], gone: Sequence[str]) -> None:
    """Delete the networks ``gone`` from the main table, and bring the routes to what they are."""
    for network in gone:
        for found in main_routes():
            if found["dst"] == network and found.get("protocol") == "kernel":
                subprocess.run(
                    ["ip", "route", "del", network, "dev", found["dev"], "proto", "kernel"],
                    capture_output=True,
                    check=False,
                )
    for route in routes:
        ip("route", "replace", *route.arguments())


def encapsulate(config: Configuration, me: Node, others: Sequence[Node]) -> None:
    """The tunnel's table: to which node the pods of a network are sent."""
    known = [node for node in others if node.name != me.name and node.internal]
    remote = {share: node for node in known for share in node.shares}
    # As text: in JSON the tunnel's end and the route's have one name.
    for words in map(str.split, ip("-4", "route", "show", "table", TABLE).splitlines()):
        if "encap" in words and (not config.tunnel or words[0] not in remote):
            ip("route", "del", words[0], "table", TABLE)
    if config.tunnel:
        device = ["dev", config.tunnel_device]
        for share, node in remote.items():
            ip("neighbor", "replace", node.internal, "lladdr", mac(node), *device, "nud", "permanent")
            tunnel = ["encap", "ip", "id", NETWORK_ID, "src", me.address, "dst", node.address]
            ip("route", "replace", share, *tunnel, "via", node.internal, *device, "onlink", "table", TABLE)


def local_address(address: str, present: bool) -> None:
    """Answer for an address that no interface has, or no longer."""
    verb = "replace" if present else "del"
    command = ["ip", "route", verb, "local", address, "dev", "lo", "table", "local", "proto", "196"]
    subprocess.run(command, capture_output=True, check=False)


def local_addresses() -> set[str]:
    """The addresses for which `local_address` made this host answer."""
    return {each["dst"] for each in facts("-4", "route", "show", "table", "local", "proto", "196")}


def pods(state: Mapping[str, Mapping[str, str]], mtu: int) -> None:
    """Give the pods that run already the routes and the MTU of the mode that has begun."""
    for address, pod in state.items():
        if pod["link"] not in links():
            continue
        ip("route", "replace", address, "dev", pod["link"], "table", TABLE)
        route = ["default", "via", pod["router"], "dev", "eth0", "mtu", str(mtu)]
        run(*within(pod["namespace"]), "ip", "route", "replace", *route)
