"""The way of a packet between two ends of the lab, hop by hop, by the machines' own routes."""

from __future__ import annotations

from ciliumlab.errors import DeclarationError, Problem
from ciliumlab.plan.cilium import values
from ciliumlab.plan.cilium.chart import Values
from ciliumlab.plan.path.endpoints import endpoint
from ciliumlab.plan.path.types import Header, Hop, Outer, Path
from ciliumlab.plan.path.walk import Walk
from ciliumlab.settings import Settings
from ciliumlab.topology import Topology

__all__ = ["Header", "Hop", "Outer", "Path", "path"]


def path(source: str, target: str, topology: Topology, settings: Settings) -> Path:
    """The way between two ends, see ``endpoints.endpoint``, and back.

    Raises DeclarationError for ends that are not in the topology, and for what is not known of a way.
    """
    chart = Values(values(topology, settings))
    if chart.on("encryption.enabled"):
        what = "what encryption puts around packets is not known here; leave it out to see their way"
        raise DeclarationError(Problem("cilium_extra_values: encryption.enabled", what))
    one, other = endpoint(source, topology), endpoint(target, topology)
    if one.machine is None:
        what = f"{one.address} is a service's, which sends nothing by itself; write one of its pods, NODE:pod"
        raise DeclarationError(Problem("--path", what))
    there = Walk(topology, settings, chart, one.machine, Header(one.address, other.address))
    lost = there.go(pod=one.pod, backend=other.backend)
    answer = None
    if not lost:
        back = Walk(topology, settings, chart, there.at, there.inner.turned, there.translated)
        why = back.go(pod=there.inner.target.ip is None)
        answer = Path(target, source, tuple(back.hops), why)
    return Path(source, target, tuple(there.hops), lost, answer)
