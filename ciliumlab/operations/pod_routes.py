"""Static routes to the nodes' pods, kept as the cluster tells them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypedDict

from pyinfra.context import host

from ciliumlab.facts.cilium import PodCidrs
from ciliumlab.facts.netplan import Network
from ciliumlab.operations.api import Commands, Refused, operation, preparing, read, read_on
from ciliumlab.operations.netplan import configured
from ciliumlab.operations.steps import Shell


class Way(TypedDict):
    """The way to a node: its name in the cluster, its address, and the interface that it is reached by."""

    name: str
    address: str
    interface: str


@operation
def static(ways: Sequence[Way], through: str, file: str) -> Commands:
    """
    Have a static route to each node's pods on this router, now and at boot, and none that is out of date.

    + ways: the nodes; none for no route
    + through: a host of the control plane, where the nodes' pod CIDRs are asked for
    + file: name of the file below /etc/netplan, without its suffix

    netplan puts together what several files say of an interface, so that its addresses are another file's.
    """
    path = f"/etc/netplan/{file}.yaml"
    found = read(Network)
    if ways:
        document = _document(ways, through)
        if document is None:
            host.noop("to be seen once there is a cluster")
        else:
            yield from configured(file, document, found)
    elif path in found["files"] or path.replace("/etc/", "/run/", 1) in found["files"]:
        yield from configured(file, {"network": {"version": 2}}, found)
        yield Shell(f"rm -f {path}")
    else:
        host.noop("no route to pods is declared, and none was")


def _document(ways: Sequence[Way], through: str) -> dict[str, Any] | None:
    """A netplan document of the routes; None where the cluster is only going to be made."""
    pods = read_on(through, PodCidrs)
    if pods["trouble"]:
        if preparing():
            return None
        raise Refused(f"the nodes' pod CIDRs cannot be read ({pods['trouble']}); nothing was changed")
    if without := [way["name"] for way in ways if not pods["nodes"].get(way["name"], {"cidrs": []})["cidrs"]]:
        if preparing():
            return None
        raise Refused(
            f"no pod CIDR yet of {', '.join(without)}: see whether Cilium's agent and operator run;"
            " nothing was changed"
        )
    interfaces: dict[str, Any] = {}
    for way in ways:
        routes = interfaces.setdefault(way["interface"], {"routes": []})["routes"]
        routes += [{"to": cidr, "via": way["address"]} for cidr in pods["nodes"][way["name"]]["cidrs"]]
    return {"network": {"version": 2, "ethernets": interfaces}}
