"""What a browser can open in the lab once it stands. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from ciliumlab.plan.cilium.computed import HUBBLE_UI_PORT
from ciliumlab.plan.kubeadm import control_plane
from ciliumlab.plan.manifests import manifests
from ciliumlab.settings import Settings
from ciliumlab.topology import Topology

# Node ports of the monitoring add-on, by service.
NODE_PORTS = {"prometheus": 30001, "grafana": 30002}


@dataclass(frozen=True)
class Page:
    """An address in the lab; "" where LB IPAM chooses one. ``stage`` is the task that makes it."""

    what: str
    stage: str
    address: str
    port: int


def pages(topology: Topology, settings: Settings) -> list[Page]:
    """The router's page, those on node ports, and LoadBalancer services that the router reaches."""
    node = str(control_plane(topology)[0].interfaces[0].address)
    found = [Page("the router's page", "tasks/router.py", str(topology.router.interfaces[0].address), 80)]
    if settings.hubble_ui:
        found.append(Page("Hubble", "tasks/cilium.py", node, HUBBLE_UI_PORT))
    if settings.monitoring:
        found += [Page(name.capitalize(), "tasks/addons.py", node, port) for name, port in NODE_PORTS.items()]
    if settings.l2_announcements or settings.bgp_load_balancer_ips:
        found += _balanced(topology, settings)
    return found


def _balanced(topology: Topology, settings: Settings) -> list[Page]:
    """A page a service; one that asks for no address gets whichever is free."""
    return [
        Page(
            made["metadata"]["name"],
            "tasks/workloads.py",
            made["metadata"].get("annotations", {}).get("lbipam.cilium.io/ips", ""),
            made["spec"]["ports"][0]["port"],
        )
        for made in manifests(topology, settings)
        if made["kind"] == "Service" and made["spec"]["type"] == "LoadBalancer"
    ]
