"""Which pools of pod addresses cannot be: those that the operator does not start with, or without room.

``NewCIDRSets`` in pkg/ipam/allocator/clusterpool/cidralloc and ``NewCIDRSet`` in pkg/ipam/cidrset of Cilium.
"""

from __future__ import annotations

from ciliumlab.plan.cilium.chart import Values
from ciliumlab.plan.cilium.wrong import Wrong, ipv4_network
from ciliumlab.topology import Topology
from ciliumlab.topology.claims import NAT, Span, overlaps
from ciliumlab.wording import shown

LIST = "ipam.operator.clusterPoolIPv4PodCIDRList"
MASK_SIZE = "ipam.operator.clusterPoolIPv4MaskSize"


def pools(topology: Topology, values: Values) -> Wrong:
    """What is wrong with the pools of pod addresses, where Cilium hands them out from such."""
    if values.text("ipam.mode", "cluster-pool") != "cluster-pool":
        return
    written = values.words(LIST)
    networks = [network for network in map(ipv4_network, written) if network is not None]
    for text in written:
        if ipv4_network(text) is None:
            what = f"{shown(text)} is no IPv4 network, and the operator does not start with it"
            yield (LIST,), f"{what}; leave it out, then it is the pod CIDR of lab.yaml"
    if not written:
        yield (LIST,), "the operator does not start without any; leave it out, then it is lab.yaml's"
    if not written or len(networks) < len(written):
        return
    spans = [Span.of("this list", network) for network in networks]
    if pairs := overlaps(spans):
        first, second = pairs[0]
        what = f"{second.text} overlaps {first.text}, and the operator does not start with such pools"
        yield (LIST,), f"{what}; keep them apart"
    elif pairs := overlaps([*_taken(topology), *spans]):
        first, second = pairs[0]
        yield (LIST,), f"{second.text} overlaps {first.text} of {first.key}; choose a network that is free"
    yield from _shares(topology, [network.prefixlen for network in networks], values.get(MASK_SIZE, 24))


def _taken(topology: Topology) -> list[Span]:
    """What lab.yaml keeps apart from pods; it has been compared with one another already."""
    spans = [NAT, Span.of("kubernetes.service_cidr", topology.kubernetes.service_cidr)]
    spans += [Span.of(f"segments.{segment.name}", segment.cidr) for segment in topology.segments]
    if topology.router.summary is not None:
        spans.append(Span.of("router.summary", topology.router.summary))
    return spans


def _shares(topology: Topology, prefixes: list[int], mask_size: object) -> Wrong:
    if not isinstance(mask_size, int):
        return
    nodes = len(topology.nodes)
    if not 0 < mask_size <= 32:
        yield (
            (MASK_SIZE,),
            f"{mask_size} is no prefix length, and the operator does not start with it; write 24",
        )
    elif mask_size > 30:
        yield (MASK_SIZE,), f"/{mask_size} leaves a node no address for pods, as Cilium keeps two; write 24"
    elif mask_size < max(prefixes):
        what = f"/{mask_size} is wider than the pool /{max(prefixes)} that it is to be a share of"
        yield (MASK_SIZE, LIST), f"{what}; make the pool wider, or the shares smaller"
    elif sum(1 << (mask_size - prefix) for prefix in prefixes) < nodes:
        what = f"the pools hold fewer shares of /{mask_size} than there are nodes ({nodes})"
        yield (MASK_SIZE, LIST), f"{what}; add a pool, or make the shares smaller"
