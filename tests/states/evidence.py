"""What the checks saw, left in pytest's own results (``--junit-xml``) for `ciliumlab report`."""

from __future__ import annotations

from ciliumlab.report.found import EVIDENCE, Found, Service

from . import declared
from .found.cilium import Agent, Release
from .found.containerd import Containerd
from .found.kubernetes import Kubelet
from .found.network import Network
from .found.objects import Objects, name
from .lab import Lab, Machine

# In letters: what a page can bear. A difference in anything longer is told by the failure.
_LONGEST = 2000

Properties = list[tuple[str, object]]
_kept: Properties = []


def keep_in(properties: Properties) -> None:
    """Where what is compared from now on is kept: a test's ``user_properties``."""
    global _kept
    _kept = properties


def keep(line: str) -> None:
    _kept.append((EVIDENCE, line if len(line) <= _LONGEST else f"{line[:_LONGEST]} …"))


def found(lab: Lab) -> Found:
    """What a report shows beside the checks, of all that they have asked for: no machine is asked again."""
    releases = {machine.name: machine.seen(Release) for machine in lab.control_plane}
    return {
        "routes": {one.name: seen.routes for one in lab.machines if (seen := one.seen(Network))},
        "pod_cidrs": next((seen.pod_cidrs for seen in releases.values() if seen), {}),
        "datapaths": {one.name: str(seen.runs["datapath"]) for one in lab.nodes if (seen := one.seen(Agent))},
        "versions": {one.name: versions for one in lab.nodes if (versions := _versions(one))},
        "services": _services(lab),
    }


def _versions(machine: Machine) -> dict[str, str]:
    kubelet, agent, runtime = machine.seen(Kubelet), machine.seen(Agent), machine.seen(Containerd)
    versions = {
        "Kubernetes": kubelet.packages.get("kubelet", "").partition("-")[0] if kubelet else "",
        "Cilium": agent.version if agent else "",
        # The package's, as it is declared; a distribution's has another name.
        "containerd": next(iter(runtime.packages.values()), "").partition("-")[0] if runtime else "",
    }
    return {program: version for program, version in versions.items() if version}


def _services(lab: Lab) -> list[Service]:
    seen = lab.first.seen(Objects)
    if not seen:
        return []
    services = [(name(one), seen.service(one)) for one in declared.objects(lab.first.data, "Service")]
    return [
        {"name": named, "addresses": service.addresses, "leader": seen.holders.get(named, "")}
        for named, service in services
        if service and service.addresses
    ]
