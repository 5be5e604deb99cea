"""The network as netplan's files declare it and as the kernel runs it."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from typing import Any, TypedDict

from typing_extensions import override

from ciliumlab.facts.files import Texts
from ciliumlab.facts.shell import FileText, Sections, State, sections
from ciliumlab.facts.together import Asked, Combined

# netplan(5): a file in /run takes the place of one with the same name in /etc, and that of one in /lib.
FOLDERS = ("/lib/netplan", "/etc/netplan", "/run/netplan")
NETWORKD_FOLDER = "/etc/systemd/network"
_FILES = [
    *(f"{folder}/*.yaml" for folder in FOLDERS),
    *(f"{NETWORKD_FOLDER}/*.netdev", f"{NETWORKD_FOLDER}/*.network"),
]


class Link(TypedDict):
    """A network interface. ``addresses`` are IPv4, global, and given by nobody's DHCP: "10.0.0.1/24"."""

    up: bool
    kind: str
    addresses: list[str]


class Route(TypedDict):
    """An IPv4 route of the main table, "default" written as 0.0.0.0/0.

    ``via`` is None for one without a gateway; ``protocol`` is "static", "kernel", "dhcp", "boot" …
    """

    to: str
    via: str | None
    interface: str
    protocol: str


class RunningState(TypedDict):
    """Links by name, and routes, as they are in force."""

    links: dict[str, Link]
    routes: list[Route]


class NetworkState(RunningState):
    """netplan's files by path, an administrator's own of systemd-networkd, and what is in force."""

    files: dict[str, FileText]
    networkd: dict[str, FileText]


class Running(State[RunningState]):
    """The addresses and routes that are in force."""

    early = True

    @override
    def command(self) -> str:
        return sections(links="ip -json -details address", routes="ip -json -4 route")

    @override
    def parse(self, found: Sections) -> RunningState:
        links = json.loads("\n".join(found["links"]))
        # Without any route ip prints nothing at all, or an empty list, as its version pleases.
        routes = json.loads("\n".join(found["routes"]) or "[]")
        return RunningState(
            links={link["ifname"]: _link(link) for link in links if "ifname" in link},
            # What has no interface of its own (a blackhole, several gateways) is not netplan's.
            routes=[_route(route) for route in routes if "dev" in route],
        )


class Network(Combined[NetworkState]):
    """netplan's files, and the addresses and routes that are in force."""

    early = True

    @override
    def command(self) -> str:
        return self.asking(Asked(Texts, {"paths": _FILES}), Asked(Running, {}))

    @override
    def combine(self, values: Sequence[Any]) -> NetworkState:
        files: dict[str, FileText] = values[0]
        running: RunningState = values[1]
        networkd = {path: file for path, file in files.items() if path.startswith(f"{NETWORKD_FOLDER}/")}
        return NetworkState(
            files={path: file for path, file in files.items() if path not in networkd},
            networkd=networkd,
            links=running["links"],
            routes=running["routes"],
        )


def _link(link: dict[str, Any]) -> Link:
    return Link(
        up="UP" in link["flags"],
        kind=link.get("linkinfo", {}).get("info_kind", ""),
        addresses=[
            f"{address['local']}/{address['prefixlen']}"
            for address in link["addr_info"]
            if (address.get("family"), address.get("scope")) == ("inet", "global")
            and not address.get("dynamic")
        ],
    )


def _route(route: dict[str, Any]) -> Route:
    to = route["dst"]
    return Route(
        to="0.0.0.0/0" if to == "default" else to if "/" in to else f"{to}/32",
        via=route.get("gateway"),
        interface=route["dev"],
        protocol=route.get("protocol", "boot"),
    )


class Understands(State[bool]):
    """Whether the host's netplan accepts a document, which is checked in a folder of its own.

    + document: text of the file

    netplan is a Python program, and whoever runs it first leaves its bytecode beside it: not a fact.
    """

    @override
    def command(self, document: str) -> str:
        return sections(
            answer=(
                "root=$(mktemp -d) && mkdir -p $root/etc/netplan && umask 077"
                f" && printf %s {shlex.quote(document)} > $root/etc/netplan/a.yaml"
                " && PYTHONDONTWRITEBYTECODE=1 netplan generate --root-dir $root && echo yes; rm -rf $root"
            )
        )

    @override
    def parse(self, found: Sections) -> bool:
        return "yes" in found["answer"]
