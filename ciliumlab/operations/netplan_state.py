"""What netplan documents declare, compared with what the kernel runs. Pure functions over plain data."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import IPv4Interface, IPv4Network
from typing import Any

import yaml

from ciliumlab.facts.netplan import FOLDERS, NetworkState

Document = Mapping[str, Any]

# Sections whose entries are interfaces that this module understands.
_SECTIONS = ("ethernets", "dummy-devices")

# A route that an administrator or networkd set. Whatever else sets routes, as DHCP, the kernel itself,
# a routing daemon or Cilium (which marks its own "kernel"), signs them otherwise: they are left alone.
_OURS = ("static", "boot")


@dataclass
class Declared:
    """What is declared for one interface: "address/prefix", and (destination, gateway)."""

    addresses: set[str] = field(default_factory=set)
    routes: set[tuple[str, str | None]] = field(default_factory=set)


@dataclass(frozen=True)
class Surplus:
    """Something in force that nobody declares: what `ip` needs to remove it, and to put it back."""

    remove: str
    restore: str


def parse(texts: Mapping[str, str]) -> dict[str, Document]:
    """The documents in force, by file name, of netplan's files by path.

    Raises ValueError naming the file that is no YAML mapping.
    """
    documents: dict[str, Document] = {}
    for folder in FOLDERS:
        for path, text in texts.items():
            if posixpath.dirname(path) == folder:
                documents[posixpath.basename(path)] = document_of(path, text)
    return documents


def document_of(path: str, text: str) -> Document:
    """A file's text as data; an empty file is an empty document."""
    try:
        document = yaml.safe_load(text) or {}
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not valid YAML: {' '.join(str(error).split())}") from error
    if not isinstance(document, dict):
        raise ValueError(f"{path} is no netplan document: it must be a mapping")
    return document


def interfaces(document: Document) -> dict[str, Mapping[str, Any]]:
    """The settings of each interface, by the name that it has on the host."""
    network = document.get("network") or {}
    return {
        settings.get("set-name", name): settings
        for section in _SECTIONS
        for name, settings in (network.get(section) or {}).items()
        if isinstance(settings, dict)
    }


def dummies(document: Document) -> list[str]:
    """Names of the dummy interfaces."""
    return list((document.get("network") or {}).get("dummy-devices") or {})


def declared(documents: Iterable[Document]) -> dict[str, Declared]:
    """What all documents together declare for each interface, as netplan merges them."""
    merged: dict[str, Declared] = {}
    for document in documents:
        for name, settings in interfaces(document).items():
            entry = merged.setdefault(name, Declared())
            # An address may carry options: {"10.0.0.1/24": {"lifetime": 0}}.
            for address in settings.get("addresses") or ():
                text = next(iter(address), "") if isinstance(address, dict) else str(address)
                if found := _ipv4(IPv4Interface, text):
                    entry.addresses.add(found)
            for route in settings.get("routes") or ():
                to = "0.0.0.0/0" if route.get("to") == "default" else str(route.get("to"))
                if "table" not in route and (found := _ipv4(_network, to)):
                    entry.routes.add((found, route.get("via")))
            if gateway := settings.get("gateway4"):
                entry.routes.add(("0.0.0.0/0", gateway))
    return merged


def missing(wanted: Mapping[str, Declared], state: NetworkState) -> list[str]:
    """What is declared and not in force, in words."""
    there = {(route["interface"], route["to"], route["via"]) for route in state["routes"]}
    words = []
    for name, entry in wanted.items():
        link = state["links"].get(name)
        if link is None:
            words.append(f"interface {name}")
            continue
        if not link["up"]:
            words.append(f"{name} is down")
        lost = entry.addresses - set(link["addresses"])
        words += [f"address {address} on {name}" for address in sorted(lost)]
        words += [
            f"route {to} via {via} on {name}"
            for to, via in sorted(entry.routes, key=str)
            if (name, to, via) not in there
        ]
    return words


def surplus(
    names: Iterable[str], wanted: Mapping[str, Declared], state: NetworkState, former: Document
) -> list[Surplus]:
    """What is in force on these interfaces and no longer, or never was, declared.

    ``former`` is the document before this one: its dummy interfaces that are not wanted go away whole.
    """
    found = []
    for name in names:
        link = state["links"].get(name)
        entry = wanted.get(name)
        if link is None:
            continue
        if entry is None and name in dummies(former) and link["kind"] == "dummy":
            found.append(Surplus(f"link delete {name}", f"link add {name} type dummy"))
            continue
        # An interface that nobody declares any more gives up what the former document gave it, no more.
        mine = declared([former]).get(name, Declared()) if entry is None else None
        entry = entry or Declared()
        for address in link["addresses"]:
            if address not in entry.addresses and (mine is None or address in mine.addresses):
                where = f"{address} dev {name}"
                found.append(Surplus(f"address delete {where}", f"address add {where}"))
        for route in state["routes"]:
            key = (route["to"], route["via"])
            if route["interface"] != name or route["protocol"] not in _OURS or key in entry.routes:
                continue
            if mine is None or key in mine.routes:
                gateway = f" via {route['via']}" if route["via"] else ""
                where = f"{route['to']}{gateway} dev {name} proto {route['protocol']}"
                found.append(Surplus(f"route delete {where}", f"route add {where}"))
    return found


def _network(text: str) -> IPv4Network:
    return IPv4Network(text, strict=False)


def _ipv4(kind: Callable[[str], IPv4Interface | IPv4Network], text: str) -> str | None:
    """An address or network with its prefix, as `ip` prints it; None for IPv6, and for what is neither.

    Whether a document is right is for netplan itself to say, before anything is applied.
    """
    try:
        return str(kind(text))
    except ValueError:
        return None
