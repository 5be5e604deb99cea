"""What each machine must be: its groups, network, kernel and packages."""

from __future__ import annotations

from ciliumlab.plan import packages
from ciliumlab.plan.network import node_interfaces, router_interfaces, routes_by_segment
from ciliumlab.plan.types import Host
from ciliumlab.settings import Settings
from ciliumlab.topology import Machine, Router, Topology

_GROUPS = {"control-plane": "control_plane", "worker": "workers"}

# Nodes pass pod traffic on, and the router everything.
_SYSCTLS = {"net.ipv4.ip_forward": 1}


def hosts(topology: Topology, settings: Settings) -> dict[str, Host]:
    """Each machine's name with its part of the plan, in the order of ``topology.machines``."""
    routes = routes_by_segment(topology)
    modules = _node_modules(settings)
    planned: dict[str, Host] = {
        node.name: {
            "groups": [_GROUPS[node.role], "nodes", *_segments(node)],
            "interfaces": node_interfaces(node, routes),
            "sysctls": _SYSCTLS,
            "kernel_modules": modules,
            "packages": packages.NODE,
        }
        for node in topology.nodes
    }
    planned[topology.router.name] = _router(topology.router)
    return planned


def _router(router: Router) -> Host:
    return {
        "groups": ["routers", *_segments(router)],
        "interfaces": router_interfaces(router),
        "sysctls": _SYSCTLS,
        "kernel_modules": [],
        "packages": packages.ROUTER,
    }


def _segments(machine: Machine) -> list[str]:
    return [interface.segment.name for interface in machine.interfaces]


def _node_modules(settings: Settings) -> list[str]:
    """``overlay`` for containerd's snapshots, ``br_netfilter`` as kubeadm's preflight wants it, and the
    tunnel's own, so that no agent has to load it from a container.
    """
    tunnel = [] if settings.datapath == "native" else [settings.datapath]
    return ["overlay", "br_netfilter", *tunnel]
