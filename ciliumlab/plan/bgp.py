"""Cilium's BGP control plane: nodes tell the router which pods are theirs, and by setting which addresses.

The second version of its resources, with names as in Cilium's documentation ("BGP Control Plane Resources").
"""

from __future__ import annotations

from typing import Any

from ciliumlab.objects import labels
from ciliumlab.plan.objects import made, node_selector, segment_name
from ciliumlab.settings import Settings
from ciliumlab.topology import Segment, Topology
from ciliumlab.versions import parsed

# The resources are cilium.io/v2 since 1.18, and v2alpha1 before.
_BGP_V2 = (1, 18)
_PEER = "router"

# In seconds: a router that comes back is asked again at once, and one that is gone is noticed in nine; the
# defaults of 120, 30 and 90 are for the internet.
_TIMERS = {"connectRetryTimeSeconds": 5, "keepAliveTimeSeconds": 3, "holdTimeSeconds": 9}

# How long the router keeps a node's routes while its agent restarts, in seconds.
_RESTART = 120

# A service with this label is not announced: an advertisement without any selector announces none.
_NOT_ANNOUNCED = {"key": "ciliumlab.io/announced", "operator": "NotIn", "values": ["false"]}


def bgp(topology: Topology, settings: Settings) -> list[dict[str, Any]]:
    """A configuration for the nodes of each segment, one for the router as peer, and what is announced."""
    if settings.pod_routes != "bgp":
        return []
    api = "cilium.io/v2" if parsed(settings.cilium_version) >= _BGP_V2 else "cilium.io/v2alpha1"
    objects = [
        _cluster(api, topology, segment, settings)
        for segment in topology.segments
        if topology.nodes_on(segment)
    ]
    objects.append(_peer(api))
    objects.append(_advertisement(api, "pods", {"advertisementType": "PodCIDR"}))
    if settings.bgp_load_balancer_ips:
        announced = {
            "advertisementType": "Service",
            "service": {"addresses": ["LoadBalancerIP"]},
            "selector": {"matchExpressions": [_NOT_ANNOUNCED]},
        }
        objects.append(_advertisement(api, "load-balancer", announced))
    return objects


def _cluster(api: str, topology: Topology, segment: Segment, settings: Settings) -> dict[str, Any]:
    """The nodes of one segment, whose neighbour is the router's address there."""
    (address,) = [
        interface.address
        for interface in topology.router.interfaces
        if interface.segment.name == segment.name
    ]
    peer = {
        "name": _PEER,
        "peerASN": settings.bgp_asns["router"],
        "peerAddress": str(address),
        "peerConfigRef": {"name": _PEER},
    }
    instance = {"name": "lab", "localASN": settings.bgp_asns["nodes"], "peers": [peer]}
    spec = {"nodeSelector": node_selector(topology.nodes_on(segment)), "bgpInstances": [instance]}
    return made(api, "CiliumBGPClusterConfig", segment_name(segment), "bgp", spec)


def _peer(api: str) -> dict[str, Any]:
    spec = {
        "timers": _TIMERS,
        "gracefulRestart": {"enabled": True, "restartTimeSeconds": _RESTART},
        "families": [
            {
                "afi": "ipv4",
                "safi": "unicast",
                # All advertisements of this plan; without a match nothing would be announced.
                "advertisements": {"matchLabels": labels("bgp")},
            }
        ],
    }
    return made(api, "CiliumBGPPeerConfig", _PEER, "bgp", spec)


def _advertisement(api: str, name: str, announced: dict[str, Any]) -> dict[str, Any]:
    return made(api, "CiliumBGPAdvertisement", name, "bgp", {"advertisements": [announced]})
