"""A pod's address and, where the library has one, its network.

The double of a CNI plugin is the module ``cilium.cni``: ``add NETNS ADDRESS`` and ``del NETNS ADDRESS``.
"""

from __future__ import annotations

import ipaddress
import os
import subprocess
import sys

from common.api import Api, Object
from kubelet import programs

# What a plugin has to do may wait for an agent that is busy.
PLUGIN_SECONDS = 30


class NotReady(Exception):
    """A pod cannot have its network yet; why."""


def has_plugin() -> bool:
    return (programs.LIBRARY / "cilium/cni.py").exists()


class Addresses:
    """The addresses of a node's pods; one that was given back is not the next to be given."""

    def __init__(self) -> None:
        self._next = self._offered = 0

    def free(self, api: Api, node: str, used: set[str]) -> str:
        """The next address that nobody has. NotReady."""
        share, reserved = _share(api, node)
        size = share.num_addresses
        # The first two are the network's and a gateway's, the last is the broadcast's.
        for step in range(size - 3):
            self._offered = (self._next + step) % (size - 3)
            address = str(share[2 + self._offered])
            if address not in used and address not in reserved:
                return address
        raise NotReady(f"no address of {share} is left")

    def given(self) -> None:
        """A pod has what was last found: the next one gets one after it."""
        self._next = self._offered + 1


def _share(api: Api, node: str) -> tuple[ipaddress.IPv4Network, set[str]]:
    """A node's part of the pods' addresses: what Cilium gave it, else Kubernetes; and what of it is taken."""
    known = api.find(f"/apis/cilium.io/v2/ciliumnodes/{node}")
    if known is None:
        share = api.get(f"/api/v1/nodes/{node}")["spec"].get("podCIDR")
    else:
        share = next(iter(known["spec"].get("ipam", {}).get("podCIDRs") or []), None)
    if not share:
        raise NotReady(f"node {node} has no pod CIDR")
    return ipaddress.IPv4Network(share), _reserved(known or {})


def _reserved(node: Object) -> set[str]:
    """The addresses that Cilium itself has on the node."""
    spec = node.get("spec") or {}
    found = [each.get("ip") for each in spec.get("addresses") or []]
    found += [(spec.get(name) or {}).get("ipv4") for name in ("health", "ingress")]
    return {address for address in found if address}


def attach(uid: str, address: str) -> str:
    """Make a pod's network namespace and have the plugin fill it: its name, "" without a plugin. NotReady."""
    if not has_plugin():
        return ""
    name = f"cni-{uid}"
    for command in (["ip", "netns", "add", name], ["ip", "-netns", name, "link", "set", "lo", "up"]):
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode and "File exists" not in done.stderr:
            raise NotReady(f"{' '.join(command)}: {done.stderr.strip()}")
    try:
        _plugin("add", name, address)
    except NotReady:
        _delete(name)
        raise
    return name


def detach(netns: str, address: str) -> None:
    """Take a pod's network away, whatever is left of it."""
    if netns:
        try:
            _plugin("del", netns, address)
        except NotReady as error:
            print(f"E {error}", file=sys.stderr, flush=True)
        _delete(netns)


def _delete(netns: str) -> None:
    subprocess.run(["ip", "netns", "del", netns], capture_output=True, check=False)


def _plugin(verb: str, netns: str, address: str) -> None:
    command = [sys.executable, "-P", "-m", "cilium.cni", verb, netns, address]
    environment = {**os.environ, "PYTHONPATH": str(programs.LIBRARY)}
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, check=False, timeout=PLUGIN_SECONDS
        )
    except subprocess.TimeoutExpired:
        raise NotReady(f"cilium.cni {verb} {netns}: no answer in {PLUGIN_SECONDS} s") from None
    if done.returncode:
        raise NotReady(f"cilium.cni {verb} {netns}: {done.stderr.strip() or done.returncode}")
