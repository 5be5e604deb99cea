"""A plan for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import yaml

from ciliumlab.plan.cilium.chart import Values
from ciliumlab.plan.cilium.wrong import runs
from ciliumlab.plan.types import Host, Plan


def render(plan: Plan) -> str:
    """The plan as indented lines, a machine after the other."""
    return "\n".join(_lines(plan))


def _lines(plan: Plan) -> Iterator[str]:
    for name, host in plan["hosts"].items():
        yield f"{name} ({', '.join(host['groups'])})"
        yield from _host(host)
        yield ""
    yield "/etc/hosts"
    for entry in plan["etc_hosts"]:
        yield f"  {entry['address']} {entry['name']}"
    yield ""
    yield from _cilium(plan["helm_values"])
    if plan["manifests"]:
        yield ""
        yield "Kubernetes objects"
    for made in plan["manifests"]:
        metadata = made["metadata"]
        namespace = f"{metadata['namespace']}/" if "namespace" in metadata else ""
        yield f"  {made['kind']} {namespace}{metadata['name']}"


def _host(host: Host) -> Iterator[str]:
    for name, interface in host["interfaces"].items():
        dummy = " (dummy)" if interface.get("dummy") else ""
        yield f"  {name} {' '.join(interface['addresses'])}{dummy}"
        for route in interface["routes"]:
            yield f"    {route['to']} via {route['via']}"
    for key, value in host["sysctls"].items():
        yield f"  sysctl {key} = {value}"
    if host["kernel_modules"]:
        yield f"  kernel modules {' '.join(host['kernel_modules'])}"
    yield f"  packages {' '.join(host['packages'])}"


def _cilium(values: dict[str, Any]) -> Iterator[str]:
    yield f"Cilium ({runs(Values(values))})"
    # A line a value, whatever its length.
    for line in yaml.safe_dump(values, sort_keys=False, width=float("inf")).splitlines():
        yield f"  {line}"
