"""Pools of LoadBalancer addresses, and who answers for them on their segments."""

from __future__ import annotations

import re
from typing import Any

from ciliumlab.plan.objects import (
    made,
    node_selector,
    pool_segments,
    segment_labels,
    segment_name,
)
from ciliumlab.settings import Settings
from ciliumlab.topology import Pool, Segment, Topology
from ciliumlab.versions import parsed

# LB-IPAM's pools are cilium.io/v2 since 1.18 (cilium/cilium#39110); before, v2alpha1 is all that is served.
_POOL_V2 = (1, 18)


def load_balancer(topology: Topology, settings: Settings) -> list[dict[str, Any]]:
    """The pools of lab.yaml, and with L2 announcements a policy for each segment that has some."""
    objects = [_pool(topology, pool, settings) for pool in topology.pools]
    if settings.l2_announcements:
        objects += [
            _policy(topology, segment)
            for segment in pool_segments(topology)
            # No node could answer there, and an empty list of them is no selector.
            if topology.nodes_on(segment)
        ]
    return objects


def _pool(topology: Topology, pool: Pool, settings: Settings) -> dict[str, Any]:
    version = "v2" if parsed(settings.cilium_version) >= _POOL_V2 else "v2alpha1"
    return made(
        f"cilium.io/{version}",
        "CiliumLoadBalancerIPPool",
        pool.name,
        "load-balancer",
        {
            "blocks": [{"start": str(pool.start), "stop": str(pool.stop)}],
            **_services(topology, pool.segment),
        },
    )


def _policy(topology: Topology, segment: Segment) -> dict[str, Any]:
    """An address is answered for by a node of its own segment: no other one hears who asks for it."""
    nodes = topology.nodes_on(segment)
    interfaces = dict.fromkeys(node.interfaces[0].name for node in nodes)
    return made(
        "cilium.io/v2alpha1",
        "CiliumL2AnnouncementPolicy",
        segment_name(segment),
        "load-balancer",
        {
            **_services(topology, segment),
            "nodeSelector": node_selector(nodes),
            "interfaces": [f"^{re.escape(name)}$" for name in interfaces],
            "externalIPs": True,
            "loadBalancerIPs": True,
        },
    )


def _services(topology: Topology, segment: Segment) -> dict[str, Any]:
    labels = segment_labels(topology, segment)
    return {"serviceSelector": {"matchLabels": labels}} if labels else {}
