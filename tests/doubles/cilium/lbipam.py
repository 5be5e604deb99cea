"""LB-IPAM: addresses for services of type LoadBalancer out of pools.

Names, reasons and messages are those of operator/pkg/lbipam. All state is in the objects: an address that a
service has is its own for as long as a pool still allows it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from cilium.cluster import selects, set_condition

Object = dict[str, Any]

CLASSES = (None, "io.cilium/bgp-control-plane", "io.cilium/l2-announcer")
SATISFIED = "cilium.io/IPAMRequestSatisfied"
PREFIX = "cilium.io"


@dataclass(frozen=True)
class Range:
    """Addresses from ``start`` to ``stop``, both of them in it; the ``reserved`` are never given away."""

    pool: str
    start: IPv4Address
    stop: IPv4Address
    reserved: tuple[IPv4Address, ...] = ()

    def __contains__(self, address: IPv4Address) -> bool:
        return self.start <= address <= self.stop

    def __iter__(self) -> Iterator[IPv4Address]:
        return (IPv4Address(each) for each in range(int(self.start), int(self.stop) + 1))

    def __str__(self) -> str:
        return f"{self.start} - {self.stop}"

    def __len__(self) -> int:
        return int(self.stop) - int(self.start) + 1

    def overlaps(self, other: Range) -> bool:
        return self.start <= other.stop and other.start <= self.stop


@dataclass
class Service:
    """What LB-IPAM sees of a service."""

    object: Object
    addresses: list[IPv4Address] = field(default_factory=list)
    reason: str = ""
    message: str = ""

    def __post_init__(self) -> None:
        meta = self.object["metadata"]
        self.name, self.namespace = meta["name"], meta["namespace"]
        self.annotations = meta.get("annotations") or {}
        own = {"io.kubernetes.service.name": self.name, "io.kubernetes.service.namespace": self.namespace}
        self.labels = {**(meta.get("labels") or {}), **own}
        self.spec = self.object["spec"]
        self.sharing_key = self._annotation("sharing-key")
        self.shared_with = [name.strip() for name in self._annotation("sharing-cross-namespace").split(",")]
        asked = [self.spec.get("loadBalancerIP", ""), *self._annotation("ips").split(",")]
        self.requested = list(dict.fromkeys(_addresses(asked)))
        ingress = (self.object.get("status") or {}).get("loadBalancer", {}).get("ingress") or []
        self.has = _addresses(each.get("ip", "") for each in ingress)

    def _annotation(self, name: str) -> str:
        return str(self.annotations.get(f"lbipam.cilium.io/{name}") or self.annotations.get(
            f"io.cilium/lb-ipam-{name}") or "")  # fmt: skip

    @property
    def satisfied(self) -> bool:
        if self.requested:
            return all(each in self.addresses for each in self.requested)
        return bool(self.addresses)

    def incompatible(self, other: Service) -> str:
        """Why the two cannot share an address, "" if they can."""
        if self.sharing_key != other.sharing_key:
            return "different sharing key"
        if self.namespace != other.namespace and not (self._admits(other) and other._admits(self)):
            return "services are in different namespaces and sharing is not allowed"
        ports = {port["port"] for port in self.spec.get("ports") or []}
        clash = sorted(ports & {port["port"] for port in other.spec.get("ports") or []})
        if clash:
            return f"same port: {clash[0]}"
        policies = [each.spec.get("externalTrafficPolicy", "Cluster") for each in (self, other)]
        if policies[0] != policies[1]:
            return "different external traffic policy"
        selectors = [each.spec.get("selector") for each in (self, other)]
        if policies[0] == "Local" and (not all(selectors) or selectors[0] != selectors[1]):
            return "external traffic policy is local, but selectors are different"
        return ""

    def _admits(self, other: Service) -> bool:
        return "*" in self.shared_with or other.namespace in self.shared_with


def _addresses(texts: Iterable[str]) -> list[IPv4Address]:
    """Those that are IPv4 addresses; the operator logs the others and goes on without them."""
    found = []
    for text in texts:
        with contextlib.suppress(ValueError):
            found.append(IPv4Address(text.strip()))
    return found


def responsible(service: Object) -> bool:
    spec = service["spec"]
    return spec.get("type") == "LoadBalancer" and spec.get("loadBalancerClass") in CLASSES


def ranges(pool: Object) -> list[Range]:
    """The blocks of a pool. ValueError for one that cannot be read."""
    name, spec = pool["metadata"]["name"], pool["spec"]
    found = []
    for block in spec.get("blocks") or []:
        if block.get("cidr"):
            network = IPv4Network(block["cidr"], strict=False)
            first, last = network.network_address, network.broadcast_address
            kept = spec.get("allowFirstLastIPs") == "No" and network.prefixlen < 31
            found.append(Range(name, first, last, (first, last) if kept else ()))
        else:
            start = IPv4Address(block.get("start", ""))
            found.append(Range(name, start, IPv4Address(block.get("stop") or start)))
    return found


def conflicts(pools: Sequence[Object]) -> dict[str, str]:
    """The pools that must not be used, with why: of two that overlap the one that was made last."""
    found: dict[str, str] = {}
    kept: list[Range] = []
    for pool in sorted(pools, key=_age):
        mine = ranges(pool)
        pairs = [(one, two) for number, one in enumerate(mine) for two in mine[:number] if one.overlaps(two)]
        pairs += [(one, two) for one in mine for two in kept if one.overlaps(two)]
        if pairs:
            one, two = pairs[0]
            found[pool["metadata"]["name"]] = (
                f"Pool conflicts since range '{one}' overlaps range '{two}' from IP Pool '{two.pool}'"
            )
        else:
            kept += mine
    return found


def _age(each: Object) -> tuple[str, int, str]:
    meta = each["metadata"]
    return meta.get("creationTimestamp") or "", len(meta["name"]), meta["name"]


class Allocation:
    """Which service has which address."""

    def __init__(self, pools: Sequence[Object], services: Sequence[Object]) -> None:
        self.pools = {pool["metadata"]["name"]: pool for pool in sorted(pools, key=_age)}
        self.conflicting = conflicts(pools)
        self.ranges = [
            each for name, pool in self.pools.items() if name not in self.conflicting for each in ranges(pool)
        ]
        self.owners: dict[IPv4Address, list[Service]] = {}
        ordered = sorted((each for each in services if responsible(each)), key=_age)
        self.services = [Service(each) for each in ordered]
        for service in self.services:
            self._keep(service)
        for service in self.services:
            if not service.satisfied:
                self._satisfy(service)

    def _keep(self, service: Service) -> None:
        """What it has stays its own while it may have it."""
        for address in service.has:
            if service.requested and address not in service.requested:
                continue
            if self._range_of(service, address, disabled=True)[0] and not self._clash(service, address):
                self._give(service, address)

    def _satisfy(self, service: Service) -> None:
        if service.requested:
            for address in service.requested:
                if address not in service.addresses:
                    self._give_requested(service, address)
        else:
            self._give_any(service)

    def _give_requested(self, service: Service, address: IPv4Address) -> None:
        found, elsewhere = self._range_of(service, address)
        if found is None and elsewhere:
            service.reason = "pool_selector_mismatch"
            service.message = f"The pool with the CIDR containing '{address}', doesn't select this service"
        elif found is None:
            service.reason = "no_pool"
            service.message = f"No pool exists with a CIDR containing '{address}'"
        elif address in self.owners and not service.sharing_key:
            service.reason = "already_allocated"
            service.message = f"The IP '{address}' is already allocated to another service"
        elif clash := self._clash(service, address):
            service.reason = "already_allocated_incompatible_service"
            service.message = (
                f"The IP '{address}' is already allocated to an incompatible service. Reason: {clash}"
            )
        else:
            self._give(service, address)

    def _give_any(self, service: Service) -> None:
        if service.sharing_key:
            for address, owners in self.owners.items():
                if all(not owner.incompatible(service) for owner in owners):
                    self._give(service, address)
                    return
        full = False
        for each in self.ranges:
            if not self._selects(each.pool, service) or self.pools[each.pool]["spec"].get("disabled"):
                continue
            free = next((one for one in each if one not in self.owners and one not in each.reserved), None)
            if free is not None:
                self._give(service, free)
                return
            full = True
        matching = "enabled CiliumLoadBalancerIPPools that match this service"
        service.reason = "out_of_ips" if full else "no_pool"
        service.message = f"All {matching} ran out of allocatable IPs" if full else f"There are no {matching}"

    def _range_of(
        self, service: Service, address: IPv4Address, disabled: bool = False
    ) -> tuple[Range | None, bool]:
        """The range of a pool that selects the service, and whether any has the address."""
        known = False
        for each in self.ranges:
            if address in each and (disabled or not self.pools[each.pool]["spec"].get("disabled")):
                known = True
                if self._selects(each.pool, service):
                    return each, True
        return None, known

    def _selects(self, pool: str, service: Service) -> bool:
        return selects(self.pools[pool]["spec"].get("serviceSelector"), service.labels)

    def _clash(self, service: Service, address: IPv4Address) -> str:
        owners = self.owners.get(address, [])
        if owners and not service.sharing_key:
            return "no sharing key"
        return next(filter(None, (owner.incompatible(service) for owner in owners)), "")

    def _give(self, service: Service, address: IPv4Address) -> None:
        service.addresses.append(address)
        self.owners.setdefault(address, []).append(service)

    def pool_status(self, name: str) -> Object | None:
        """The status of a pool, None if it is already so."""
        pool = self.pools[name]
        conditions = [dict(each) for each in (pool.get("status") or {}).get("conditions") or []]
        generation = pool["metadata"].get("generation", 1)
        mine = ranges(pool)
        used = {each for each in self.owners if any(each in one for one in mine)}
        used |= {each for one in mine for each in one.reserved}
        if name in self.conflicting:
            used = set()
        total = sum(len(each) for each in mine)
        clash = self.conflicting.get(name, "")
        wanted = [
            ("PoolConflict", "True" if clash else "False", "cidr_overlap" if clash else "resolved", clash),
            ("IPsTotal", "Unknown", "noreason", str(total)),
            ("IPsAvailable", "Unknown", "noreason", str(total - len(used))),
            ("IPsUsed", "Unknown", "noreason", str(len(used))),
        ]
        changed = [
            set_condition(conditions, f"{PREFIX}/{kind}", status, reason, message, generation)
            for kind, status, reason, message in wanted
        ]
        return {"conditions": conditions} if any(changed) else None


def service_status(service: Service) -> Object | None:
    """The status of a service, None if it is already so."""
    before = service.object.get("status") or {}
    conditions = [dict(each) for each in before.get("conditions") or []]
    reason = "satisfied" if service.satisfied else service.reason
    changed = set_condition(
        conditions, SATISFIED, str(service.satisfied), reason, "" if service.satisfied else service.message,
        service.object["metadata"].get("generation", 0),
    )  # fmt: skip
    ingress = [{"ip": str(each), "ipMode": "VIP"} for each in service.addresses]
    same = [str(each) for each in service.has] == [each["ip"] for each in ingress]
    if same and not changed:
        return None
    return {**before, "loadBalancer": {"ingress": ingress} if ingress else {}, "conditions": conditions}
