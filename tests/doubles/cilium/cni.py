"""The CNI plugin's place: `python3 -m cilium.cni add|del NETNS ADDRESS`.

NETNS is the name of a network namespace, or a path to one.
"""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

from cilium import kernel, rest
from common.host import DOUBLE, at, write

STATE = "/run/cilium/state"


class Failed(Exception):
    """The plugin could not do it; why."""


def state() -> dict[str, dict[str, str]]:
    """The pods of this node by address: their namespace, the host's end of their cable, their router."""
    folder = at(STATE)
    found = {}
    for path in sorted(folder.glob("*.json")) if folder.is_dir() else []:
        found[path.stem] = json.loads(path.read_text())
    return found


def link(address: str) -> str:
    """The name of the host's end, of at most 15 characters, as lxc and a hash."""
    return f"lxc{hashlib.sha256(address.encode()).hexdigest()[:12]}"


def add(namespace: str, address: str) -> None:
    """Give the pod its eth0, its address and its default route. Failed, KernelError."""
    try:
        status = rest.ask("/v1/config")["status"]
    except (OSError, ValueError) as error:
        raise Failed(f"unable to connect to Cilium agent: {error}") from None
    router = status["addressing"]["ipv4"]["ip"]
    if not router:
        raise Failed("unable to allocate IP via local cilium agent: no pod CIDR yet")
    device, mtu = link(address), str(status["deviceMTU"])
    inside = kernel.within(namespace)
    if device in kernel.links():
        kernel.ip("link", "delete", device)
    temporary = f"tmp{device[3:]}"
    kernel.ip("link", "add", device, "mtu", mtu, "type", "veth", "peer", "name", temporary, "mtu", mtu)
    try:
        kernel.ip("link", "set", temporary, "netns", namespace)
        kernel.run(*inside, "ip", "link", "set", temporary, "name", "eth0")
        kernel.run(*inside, "ip", "link", "set", "lo", "up")
        kernel.run(*inside, "ip", "link", "set", "eth0", "up")
        kernel.run(*inside, "ip", "address", "replace", f"{address}/32", "dev", "eth0")
        kernel.run(*inside, "ip", "route", "replace", router, "dev", "eth0", "scope", "link")
        route = ["default", "via", router, "dev", "eth0", "mtu", str(status["routeMTU"])]
        kernel.run(*inside, "ip", "route", "replace", *route)
        kernel.ip("link", "set", device, "up")
        kernel.loosen(device)
        kernel.ip("route", "replace", address, "dev", device, "table", kernel.TABLE)
    except (kernel.KernelError, OSError):
        subprocess.run(["ip", "link", "delete", device], capture_output=True, check=False)
        raise
    write(f"{STATE}/{address}.json", json.dumps({"namespace": namespace, "link": device, "router": router}))


def delete(namespace: str, address: str) -> None:
    """Take it away again; what is not there is no error."""
    subprocess.run(["ip", "link", "delete", link(address)], capture_output=True, check=False)
    table = ["ip", "route", "del", address, "table", kernel.TABLE]
    subprocess.run(table, capture_output=True, check=False)
    Path(at(f"{STATE}/{address}.json")).unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    if "--version" in arguments:
        print(f"cilium-cni: {DOUBLE}")
        return 0
    if len(arguments) != 3 or arguments[0] not in ("add", "del"):
        print("usage: python3 -m cilium.cni add|del NETNS ADDRESS", file=sys.stderr)
        return 2
    verb, namespace, address = arguments
    try:
        (add if verb == "add" else delete)(namespace, address)
    except (Failed, kernel.KernelError, OSError) as error:
        print(f'plugin type="cilium-cni" failed ({verb}): {error}', file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
