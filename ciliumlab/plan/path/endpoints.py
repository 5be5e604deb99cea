"""The ends of a packet's way, as people name them."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from netaddr import AddrFormatError, IPAddress

from ciliumlab.errors import DeclarationError, Problem
from ciliumlab.topology import Machine, Pool, Router, Topology
from ciliumlab.wording import instead, shown

_FORMS = "write a machine, NODE:pod, an address, or ADDRESS@NODE for a service's with its pod on NODE"


@dataclass(frozen=True)
class Address:
    """What stands in a packet's header.

    ``ip`` is None for an address that only a running cluster knows, which is one of ``node``'s pods or of
    its agent, as ``words`` say.
    """

    words: str
    ip: IPAddress | None = None
    node: str = ""

    def __str__(self) -> str:
        return self.words


@dataclass(frozen=True)
class Endpoint:
    """``machine`` is where it is, None for a service's address; ``backend`` where the service's pod is."""

    name: str
    address: Address
    machine: str | None = None
    pod: bool = False
    backend: str | None = None


def literal(ip: IPAddress) -> Address:
    return Address(str(ip), ip)


def pod_of(node: str) -> Address:
    return Address(f"pod of {node}", node=node)


def endpoint(text: str, topology: Topology) -> Endpoint:
    """``k8s-ctr``, ``k8s-ctr:pod``, ``10.10.1.200``, ``192.168.10.211`` or ``192.168.10.211@k8s-w0``.

    Raises DeclarationError where there is nothing of the kind in the topology.
    """
    name, colon, pod = text.partition(":")
    nodes = {node.name: node for node in topology.nodes}
    machines: dict[str, Machine] = {machine.name: machine for machine in topology.machines}
    if colon:
        if pod != "pod":
            raise _wrong(text, _FORMS)
        if name not in nodes:
            raise _wrong(text, f"{shown(name)} is no node; {instead(name, nodes)}")
        return Endpoint(text, pod_of(name), name, pod=True)
    if name in machines:
        return Endpoint(text, literal(machines[name].interfaces[0].address), name)
    at, _, backend = text.partition("@")
    try:
        ip = IPAddress(at)
    except (AddrFormatError, ValueError):
        raise _wrong(text, f"there is no such machine; {instead(text, machines)}") from None
    for machine in topology.machines:
        if ip in addresses(machine):
            if backend:
                raise _wrong(
                    text, f"{ip} is {machine.name}'s own, which no pod answers; leave @{backend} out"
                )
            return Endpoint(text, literal(ip), machine.name)
    if pool_of(ip, topology) is None:
        raise _wrong(text, f"no machine has this address, and no pool; {_FORMS}")
    if backend and backend not in nodes:
        raise _wrong(text, f"{shown(backend)} is no node; {instead(backend, nodes)}")
    return Endpoint(text, literal(ip), backend=backend or None)


def addresses(machine: Machine) -> list[IPAddress]:
    """All that a machine has in the lab."""
    return list(_addresses(machine))


def owner(ip: IPAddress | None, topology: Topology) -> str | None:
    """The machine with this address."""
    return next((machine.name for machine in topology.machines if ip in addresses(machine)), None)


def pool_of(ip: IPAddress | None, topology: Topology) -> Pool | None:
    """The pool that gives services this address."""
    if ip is None:
        return None
    return next((pool for pool in topology.pools if pool.start <= ip <= pool.stop), None)


def is_node(name: str | None, topology: Topology) -> bool:
    return any(node.name == name for node in topology.nodes)


def _addresses(machine: Machine) -> Iterator[IPAddress]:
    for interface in machine.interfaces:
        yield interface.address
    if isinstance(machine, Router):
        for dummy in machine.dummies:
            yield dummy.cidr.ip


def _wrong(text: str, what: str) -> DeclarationError:
    return DeclarationError(Problem(f"--path {shown(text)}", what))
