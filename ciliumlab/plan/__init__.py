"""What a deploy makes true: topology and settings in, plain data out. Pure; no pyinfra, no I/O."""

from __future__ import annotations

from ciliumlab.errors import DeclarationError
from ciliumlab.plan.cilium import doubts, refused, values
from ciliumlab.plan.hosts import hosts
from ciliumlab.plan.kubeadm import kubeadm
from ciliumlab.plan.manifests import manifests
from ciliumlab.plan.network import etc_hosts
from ciliumlab.plan.render import render
from ciliumlab.plan.types import Plan
from ciliumlab.settings import Settings
from ciliumlab.topology import Topology

__all__ = ["Plan", "build", "doubts", "render"]


def build(topology: Topology, settings: Settings) -> Plan:
    """The whole plan, ready for JSON.

    Lists that are the same on many hosts (routes, packages) are one shared object: read it, or copy it
    first. Raises DeclarationError with all values of Cilium's chart that cannot be.
    """
    helm_values = values(topology, settings)
    if problems := refused(topology, settings, helm_values):
        raise DeclarationError(problems)
    return {
        "hosts": hosts(topology, settings),
        "etc_hosts": etc_hosts(topology),
        "kubeadm": kubeadm(topology, settings),
        "helm_values": helm_values,
        "manifests": manifests(topology, settings),
    }
