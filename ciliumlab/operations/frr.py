"""FRR on a router: that what nodes announce by BGP has arrived, and that nothing of it is left behind."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TypedDict

from pyinfra.context import host

from ciliumlab.facts.cilium import PodCidrs
from ciliumlab.facts.frr import CONFIGURATION, Bgp, BgpState
from ciliumlab.operations import systemd
from ciliumlab.operations.api import Commands, operation, read, read_on
from ciliumlab.operations.steps import Shell
from ciliumlab.operations.waits import Until

UNIT = "frr.service"

# Of configuration that this project has made: any other is somebody's own.
_MANAGED = "Managed by ciliumlab"


class Peer(TypedDict):
    """A node that announces its pods: its name in the cluster, and its address."""

    name: str
    address: str


@operation
def learnt(peers: Sequence[Peer], through: str, timeout: int = 600) -> Commands:
    """
    Have the sessions of all nodes established on this router, and the routes to their pods in its kernel.

    + peers: the nodes
    + through: a host of the control plane, where the nodes' pod CIDRs are asked for
    + timeout: seconds in which all must have come
    """
    against = _against(peers, through)
    if not against:
        host.noop(f"{len(peers)} nodes have announced their pods")
        return
    yield Until(
        f"{len(peers)} nodes have announced their pods",
        lambda: _against(peers, through),
        seconds=timeout,
    )


@operation
def absent() -> Commands:
    """
    Have none of this project's BGP on this router: FRR stopped and disabled, and its routes gone.

    FRR with a configuration of somebody's own is left alone.
    """
    found = read(Bgp)
    if _MANAGED not in found["first_line"]:
        own = f"{CONFIGURATION} is somebody's own, and FRR is left alone"
        host.noop(own if found["first_line"] else "there is no BGP")
        return
    yield from systemd.disabled._inner(units=[UNIT])
    # Those that FRR itself could not remove, as when it was killed. One by one: of those that lead by nexthop
    # objects, as FRR's do, iproute2 flushes none ("Failed to send flush request: Invalid argument").
    yield Shell(
        "ip -oneline -4 route show proto bgp |"
        ' while read -r to rest; do ip -4 route delete "$to" proto bgp || exit 1; done'
    )
    # The last thing of all, since what is to be done is told by it.
    yield Shell(f"rm -f {CONFIGURATION}")


def _against(peers: Sequence[Peer], through: str) -> list[str]:
    return list(_lacking(read(Bgp), peers, through))


def _lacking(found: BgpState, peers: Sequence[Peer], through: str) -> Iterator[str]:
    """What has not come yet, a line each."""
    if found["trouble"]:
        yield f"FRR does not tell of its sessions: {found['trouble']}"
        return
    pods = read_on(through, PodCidrs)
    if pods["trouble"]:
        yield f"the nodes' pod CIDRs cannot be read: {pods['trouble']}"
        return
    arrived = {(route["to"], via) for route in found["routes"] for via in route["via"]}
    for peer in peers:
        name, address = peer["name"], peer["address"]
        state = found["peers"].get(address, "not declared")
        cidrs = pods["nodes"].get(name, {"cidrs": []})["cidrs"]
        if state != "Established":
            yield f"{name} ({address}): the session is {state}; {_REMEDY}"
        elif not cidrs:
            yield f"{name} ({address}): it has no pod CIDR; see `kubectl get ciliumnode {name} -o yaml`"
        elif missing := [cidr for cidr in cidrs if (cidr, address) not in arrived]:
            yield f"{name} ({address}): no route to its pods {', '.join(missing)} has arrived; {_REMEDY}"


_REMEDY = "see `kubectl get ciliumbgpnodeconfigs -o yaml`, and `vtysh -c 'show bgp summary'` on the router"
