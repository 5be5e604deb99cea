"""Which images are run, as what, and with which environment. All others only count as running."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.api import Object
from common.host import at

# Where this module is from: here and on a host the same library.
LIBRARY = Path(__file__).resolve().parents[1]


@dataclass(frozen=True)
class Program:
    """A module that stands for an image. ``command``: only for containers whose command speaks of that; what
    else is done with the image does not matter here. ``networked``: only where pods have a network."""

    module: str
    command: str = ""
    networked: bool = False


PROGRAMS = {
    "quay.io/cilium/cilium": Program("cilium.agent", "cilium-agent"),
    "quay.io/cilium/operator-generic": Program("cilium.operator", "cilium-operator-generic"),
    "traefik/whoami": Program("kubelet.whoami", networked=True),
    "nicolaka/netshoot": Program("kubelet.netshoot", "nc -l", networked=True),
}


class Unknown(Exception):
    """What the environment refers to does not exist; in kubelet's words."""


def repository(image: str) -> str:
    """An image's name without tag and digest, and without Docker's registry, which may be left out."""
    name = image.partition("@")[0]
    folder, slash, last = name.rpartition("/")
    return f"{folder}{slash}{last.partition(':')[0]}".removeprefix("docker.io/")


def program(container: Object, has_network: bool) -> Program | None:
    """What runs for a container, if anything does."""
    found = PROGRAMS.get(repository(container["image"]))
    if found is None or (found.networked and not has_network) or not _is_installed(found.module):
        return None
    command = [*(container.get("command") or []), *(container.get("args") or [])]
    if found.command and not any(found.command in part for part in command):
        return None
    return found


def _is_installed(module: str) -> bool:
    place = LIBRARY / module.replace(".", "/")
    return place.with_suffix(".py").exists() or (place / "__main__.py").exists()


def command(found: Program, netns: str) -> list[str]:
    inside = ["ip", "netns", "exec", netns] if netns else []
    return [*inside, sys.executable, "-P", "-m", found.module]


def environment(
    pod: Object, container: Object, address: str, host: str, lookup: Callable[[str, str], Object | None]
) -> dict[str, str]:
    """What a container's process is given; ``lookup`` gets a "configmaps" or "secrets" by name. Unknown."""
    metadata = pod["metadata"]
    fields = {
        "spec.nodeName": pod["spec"]["nodeName"],
        "metadata.name": metadata["name"],
        "metadata.namespace": metadata["namespace"],
        "metadata.uid": metadata["uid"],
        "status.podIP": address,
        "status.podIPs": address,
        "status.hostIP": host,
        "spec.serviceAccountName": pod["spec"].get("serviceAccountName", "default"),
    }
    given = {
        "PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"),
        "PYTHONPATH": str(LIBRARY),
        "PYTHONPYCACHEPREFIX": str(at("/var/lib/kubernetes-double/pycache")),
        "KUBERNETES_DOUBLE_ROOT": str(at("/")),
        "MALLOC_ARENA_MAX": "1",
        "NODE_NAME": fields["spec.nodeName"],
        "POD_NAME": fields["metadata.name"],
        "POD_NAMESPACE": fields["metadata.namespace"],
        "POD_IP": address,
        "HOST_IP": host,
    }
    for entry in container.get("env") or []:
        value = _value(entry, fields, lookup)
        if value is not None:
            given[entry["name"]] = value
    return given


def _value(entry: Object, fields: dict[str, Any], lookup: Callable[[str, str], Object | None]) -> str | None:
    """A variable's value, None for one that may be left out."""
    source = entry.get("valueFrom") or {}
    if "fieldRef" in source:
        return str(fields.get(source["fieldRef"]["fieldPath"], ""))
    for name, kind in (("configMapKeyRef", "configmaps"), ("secretKeyRef", "secrets")):
        if name in source:
            asked = source[name]
            found = lookup(kind, asked["name"])
            data = (found or {}).get("data") or {}
            if asked["key"] in data and kind == "configmaps":
                return str(data[asked["key"]])
            if not asked.get("optional") and asked["key"] not in data:
                singular = kind.removesuffix("s")
                raise Unknown(
                    f"couldn't find key {asked['key']} in {name.removesuffix('KeyRef')} {asked['name']}"
                    if found
                    else f'{singular} "{asked["name"]}" not found'
                )
    return None if source else str(entry.get("value", ""))
