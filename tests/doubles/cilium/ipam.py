"""Cluster-pool IPAM: a share of the pools for each node."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from ipaddress import IPv4Address, IPv4Network


class Exhausted(Exception):
    """No pool has a share left."""


def shares(pools: Sequence[str], mask_size: int) -> Iterator[IPv4Network]:
    for pool in pools:
        yield from IPv4Network(pool, strict=False).subnets(new_prefix=mask_size)


def next_share(pools: Sequence[str], mask_size: int, taken: Iterable[str]) -> str:
    """The first share that overlaps none of ``taken``, which may be of an earlier mask size. Exhausted."""
    used = [IPv4Network(each) for each in taken]
    for share in shares(pools, mask_size):
        if not any(share.overlaps(each) for each in used):
            return str(share)
    raise Exhausted("unable to allocate CIDR: allocator full")


def router(share: str) -> str:
    """The node's own address among its pods.

    The real agent takes any free one; here it is the last, which who counts from the first meets last.
    """
    network = IPv4Network(share)
    return str(IPv4Address(int(network.broadcast_address) - 1))
