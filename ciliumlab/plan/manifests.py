"""The Kubernetes objects of a plan, in the order in which they are applied."""

from __future__ import annotations

from typing import Any

from ciliumlab.plan.bgp import bgp
from ciliumlab.plan.load_balancer import load_balancer
from ciliumlab.plan.workloads import workloads
from ciliumlab.settings import Settings
from ciliumlab.topology import Topology


def manifests(topology: Topology, settings: Settings) -> list[dict[str, Any]]:
    """All objects; the label ``ciliumlab.io/part`` says what each belongs to."""
    return [
        *load_balancer(topology, settings),
        *bgp(topology, settings),
        *workloads(topology, settings),
    ]
