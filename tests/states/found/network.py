"""netplan's files, systemd-networkd, and the addresses and routes that are in force."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import yaml

from .shell import Answers, File, Unit, assignments, files, read_files, read_units, units

NETPLAN_FILE = "/etc/netplan/60-ciliumlab.yaml"
DUMMIES_FILE = "/etc/netplan/61-ciliumlab-dummies.yaml"
NETWORKD_FILE = "/etc/systemd/networkd.conf.d/60-ciliumlab.conf"
NETWORKD = "systemd-networkd.service"
FRR = "frr.service"
_OWN = [path.rpartition("/")[2] for path in (NETPLAN_FILE, DUMMIES_FILE)]

# What networkd is told directly where netplan does not know dummy devices: a .netdev and a .network each.
_DUMMIES_PREFIX = "/etc/systemd/network/61-ciliumlab-dummies-"

_PROTOCOL = re.compile(r" proto (\S+)")


@dataclass(frozen=True)
class Link:
    up: bool
    kind: str
    mac: str
    addresses: list[str]
    """All IPv4 addresses with their prefix lengths."""


@dataclass(frozen=True)
class Network:
    files: dict[str, File]
    links: dict[str, Link]
    routes: list[str]
    """The lines of ``ip -oneline -4 route``: one a route, however many ways it has."""
    networkd: Unit
    frr: Unit
    networkd_settings: dict[str, str]
    """What networkd reads from all of its configuration files: ``Section.key`` and the value that counts."""

    def declared_by_others(self, interface: str) -> set[str]:
        """The addresses that files of netplan's give to an interface which are not the lab's."""
        found = set()
        for path, file in self.files.items():
            if "/netplan/" in path and path.rpartition("/")[2] not in _OWN:
                network = (yaml.safe_load(file.text) or {}).get("network") or {}
                entry = (network.get("ethernets") or {}).get(interface) or {}
                found.update(map(str, entry.get("addresses") or ()))
        return found

    def routes_of(self, interface: str) -> list[str]:
        return [line for line in self.routes if f" dev {interface} " in f"{line} "]

    def set_routes_of(self, interface: str) -> list[str]:
        """Those that an administrator or networkd set. Whatever else sets routes, as the kernel, DHCP or
        Cilium do, says so in its protocol; a route added by hand has none.
        """
        found = []
        for line in self.routes_of(interface):
            protocol = _PROTOCOL.search(line)
            if protocol is None or protocol[1] == "static":
                found.append(line)
        return found


def questions() -> dict[str, str]:
    return {
        "files": files(
            *("/etc/netplan/*.yaml", "/run/netplan/*.yaml", "/lib/netplan/*.yaml"),
            *("/etc/systemd/network/*", NETWORKD_FILE),
        ),
        "links": "ip -json -details address",
        "routes": "ip -oneline -4 route",
        "networkd": units([NETWORKD]),
        "frr": units([FRR]),
        "networkd settings": "systemd-analyze cat-config systemd/networkd.conf",
    }


def read(found: Answers) -> Network:
    return Network(
        files=read_files(found["files"]),
        links={link["ifname"]: _link(link) for link in json.loads(found["links"] or "[]") if link},
        routes=[line.strip() for line in found["routes"].splitlines()],
        networkd=read_units(found["networkd"])[NETWORKD],
        frr=read_units(found["frr"])[FRR],
        networkd_settings={
            key: values[-1] for key, values in assignments(found["networkd settings"]).items()
        },
    )


def _link(link: dict[str, Any]) -> Link:
    return Link(
        up="UP" in link["flags"],
        kind=link.get("linkinfo", {}).get("info_kind", ""),
        mac=link.get("address", ""),
        addresses=[
            f"{one['local']}/{one['prefixlen']}" for one in link["addr_info"] if one.get("family") == "inet"
        ],
    )


def dummies_at_boot(files: Mapping[str, File]) -> dict[str, list[str]]:
    """The dummy interfaces that the lab's own files make, with their addresses."""
    if DUMMIES_FILE in files:
        document = yaml.safe_load(files[DUMMIES_FILE].text)
        devices = document["network"].get("dummy-devices") or {}
        return {name: entry["addresses"] for name, entry in devices.items()}
    found = {}
    for path, file in files.items():
        if path.startswith(_DUMMIES_PREFIX) and path.endswith(".netdev"):
            device = assignments(file.text)
            twin = files.get(path.replace(".netdev", ".network"))
            network = assignments(twin.text) if twin else {}
            if device["NetDev.Kind"] == ["dummy"] and network.get("Match.Name") == device["NetDev.Name"]:
                found[device["NetDev.Name"][0]] = network.get("Network.Address", [])
    return found
