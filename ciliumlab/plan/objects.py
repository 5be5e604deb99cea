"""What the Kubernetes objects of a plan have in common: what they are made of, and names."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Literal

from ciliumlab import objects
from ciliumlab.topology import Node, Segment, Topology

Part = Literal["load-balancer", "bgp", "workloads"]

SEGMENT = "ciliumlab.io/segment"
"""The label of a service that takes its address from a segment's pools, where several segments have some."""

# What Kubernetes takes both for an object's name and for a label's value.
_NAME = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def made(
    api: str,
    kind: str,
    name: str,
    part: Part,
    spec: dict[str, Any],
    *,
    namespace: str | None = None,
    labels: dict[str, str] | None = None,
    annotations: dict[str, str] | None = None,
) -> dict[str, Any]:
    """An object with this project's labels."""
    metadata: dict[str, Any] = {"name": name}
    if namespace is not None:
        metadata["namespace"] = namespace
    metadata["labels"] = {**objects.labels(part), **(labels or {})}
    if annotations:
        metadata["annotations"] = annotations
    return {"apiVersion": api, "kind": kind, "metadata": metadata, "spec": spec}


def segment_name(segment: Segment) -> str:
    """The segment's name in Kubernetes; one with letters that Kubernetes refuses goes by its network."""
    if _NAME.fullmatch(segment.name):
        return segment.name
    return f"segment-{re.sub('[./]', '-', str(segment.cidr))}"


def node_selector(nodes: Sequence[Node]) -> dict[str, Any]:
    """Selects these nodes by their names."""
    return {
        "matchExpressions": [
            {"key": "kubernetes.io/hostname", "operator": "In", "values": [node.name for node in nodes]}
        ]
    }


def pool_segments(topology: Topology) -> list[Segment]:
    """The segments that pools stand on, in the order of ``topology.segments``."""
    pooled = {pool.segment.name for pool in topology.pools}
    return [segment for segment in topology.segments if segment.name in pooled]


def segment_labels(topology: Topology, segment: Segment) -> dict[str, str]:
    """The labels of services with an address of the segment: none where only one segment has pools."""
    return {SEGMENT: segment_name(segment)} if len(pool_segments(topology)) > 1 else {}
