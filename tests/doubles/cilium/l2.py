"""L2 announcements: one lease for each announced service, and whoever holds it answers for its addresses."""

from __future__ import annotations

import contextlib
import re
import socket
import struct
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from cilium import kernel
from cilium.cluster import log, namespace, selects
from cilium.configuration import Configuration
from cilium.lbipam import CLASSES
from common.api import Api, ApiError, Object, Unreachable
from controllers.component import moment


@dataclass(frozen=True)
class Entry:
    """A service that this node may announce: the name of its lease, its addresses, the devices for it."""

    lease: str
    addresses: tuple[str, ...]
    devices: tuple[str, ...]


def entries(
    policies: Iterable[Object], services: Iterable[Object], labels: Mapping[str, str], devices: Sequence[str]
) -> list[Entry]:
    """What the policies that select this node, of these ``labels``, make of the services."""
    mine = [each["spec"] for each in policies if selects(each["spec"].get("nodeSelector"), labels)]
    found = []
    for service in sorted(services, key=_name):
        meta, spec = service["metadata"], service["spec"]
        own = {
            **(meta.get("labels") or {}),
            "io.kubernetes.service.name": meta["name"],
            "io.kubernetes.service.namespace": meta["namespace"],
        }
        chosen = [each for each in mine if selects(each.get("serviceSelector"), own)]
        if not chosen or spec.get("loadBalancerClass") not in CLASSES:
            continue
        ingress = (service.get("status") or {}).get("loadBalancer", {}).get("ingress") or []
        addresses: list[str] = []
        if any(each.get("loadBalancerIPs") for each in chosen):
            addresses += [each["ip"] for each in ingress if each.get("ip")]
        if any(each.get("externalIPs") for each in chosen):
            addresses += spec.get("externalIPs") or []
        if addresses:
            lease = f"cilium-l2announce-{meta['namespace']}-{meta['name']}"
            allowed = [name for name in devices if any(_on(each, name) for each in chosen)]
            found.append(Entry(lease, tuple(addresses), tuple(allowed)))
    return found


def _name(found: Object) -> tuple[str, str]:
    return found["metadata"]["namespace"], found["metadata"]["name"]


def _on(policy: Object, device: str) -> bool:
    patterns = policy.get("interfaces") or []
    return not patterns or any(re.search(pattern, device) for pattern in patterns)


class Announcer:
    """The leases that this node competes for, and what it answers for."""

    def __init__(self, config: Configuration, me: str) -> None:
        self.me, self.config = me, config
        self.duration = config.seconds("l2-announcements-lease-duration", 15)
        self.deadline = config.seconds("l2-announcements-renew-deadline", 5)
        self.retry = config.seconds("l2-announcements-retry-period", 2)
        self.folder = f"/apis/coordination.k8s.io/v1/namespaces/{namespace()}/leases"
        self.renewed: dict[str, float] = {}
        self.holders: dict[str, str] = {}

    def compete(self, api: Api, wanted: Sequence[Entry]) -> None:
        """One round: renew, take what is free, give up what is no longer ours; then answer accordingly."""
        names = {entry.lease for entry in wanted}
        for lease in list(self.renewed):
            if lease not in names:
                self._release(api, lease)
        for entry in wanted:
            try:
                if self._elsewhere(api, entry, wanted) or not self._holds(api, entry.lease):
                    self._lost(entry.lease)
            except (ApiError, Unreachable, OSError) as error:
                if self._overdue(entry.lease):
                    log("warn", "Lost lease, cannot renew it", lease=entry.lease, error=error)
                    self._lost(entry.lease)
        self.answer(wanted)

    def _elsewhere(self, api: Api, entry: Entry, wanted: Sequence[Entry]) -> bool:
        """Whether another node answers for one of the addresses already, for a service that shares it."""
        if entry.lease in self.renewed:
            return False
        sharing = [
            other.lease
            for other in wanted
            if other.lease != entry.lease and set(other.addresses) & set(entry.addresses)
        ]
        for lease in sharing:
            found = api.find(f"{self.folder}/{lease}")
            if found and self._alive(found) and found["spec"]["holderIdentity"] != self.me:
                return True
        return False

    def _alive(self, lease: Object) -> bool:
        spec = lease["spec"]
        lasts = timedelta(seconds=spec.get("leaseDurationSeconds", self.duration))
        return bool(spec.get("holderIdentity")) and moment(spec["renewTime"]) + lasts > datetime.now(UTC)

    def _holds(self, api: Api, name: str) -> bool:
        """Take or renew the lease; whether it is ours."""
        now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        known = api.find(f"{self.folder}/{name}")
        spec = {"holderIdentity": self.me, "leaseDurationSeconds": int(self.duration), "renewTime": now}
        try:
            if known is None:
                body = {
                    "apiVersion": "coordination.k8s.io/v1",
                    "kind": "Lease",
                    "metadata": {"name": name, "namespace": namespace()},
                    "spec": {**spec, "acquireTime": now, "leaseTransitions": 0},
                }
                api.create(self.folder, body)
            else:
                before = known["spec"]
                if before.get("holderIdentity") != self.me and self._alive(known):
                    return False
                if before.get("holderIdentity") != self.me:
                    spec |= {"acquireTime": now, "leaseTransitions": before.get("leaseTransitions", 0) + 1}
                api.call("PUT", f"{self.folder}/{name}", {**known, "spec": {**before, **spec}})
        except ApiError as error:
            if error.status == 409:
                return False
            raise
        if name not in self.renewed:
            log("info", "Acquired lease", lease=name, node=self.me)
        self.renewed[name] = time.monotonic()
        return True

    def _overdue(self, name: str) -> bool:
        return name in self.renewed and time.monotonic() > self.renewed[name] + self.deadline

    def _lost(self, name: str) -> None:
        if self.renewed.pop(name, None) is not None:
            log("info", "Lost lease", lease=name, node=self.me)

    def _release(self, api: Api, name: str) -> None:
        """A service that is no more, or that no policy gives to this node."""
        self._lost(name)
        try:
            found = api.find(f"{self.folder}/{name}")
            if found and found["spec"]["holderIdentity"] == self.me:
                api.delete(f"{self.folder}/{name}")
        except (ApiError, Unreachable, OSError) as error:
            log("warn", "Cannot release lease", lease=name, error=error)

    def withdraw(self, api: Api) -> None:
        """This agent ends: let another node answer at once."""
        for name in list(self.renewed):
            self._lost(name)
            with contextlib.suppress(ApiError, Unreachable, OSError):
                found = api.get(f"{self.folder}/{name}")
                if found["spec"]["holderIdentity"] == self.me:
                    spec = {**found["spec"], "holderIdentity": ""}
                    api.call("PUT", f"{self.folder}/{name}", {**found, "spec": spec})
        self.answer([])

    def answer(self, wanted: Sequence[Entry]) -> None:
        """Answer for the addresses of the leases that are held, and for no others."""
        held = {
            address: entry.devices
            for entry in wanted
            # Without its own NodePort handling the real agent has nothing to forward by.
            if entry.lease in self.renewed and entry.devices and self.config.kube_proxy_replacement
            for address in entry.addresses
        }
        present = kernel.local_addresses()
        for address in present - set(held):
            kernel.local_address(address, present=False)
        for address in set(held) - present:
            kernel.local_address(address, present=True)
            for device in held[address]:
                gratuitous(device, address)


def gratuitous(device: str, address: str) -> None:
    """Tell the segment whose the address is now, by an ARP request for it from itself (RFC 5227)."""
    with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as sender:
        try:
            sender.bind((device, 0x0806))
            mac = sender.getsockname()[4]
            own = socket.inet_aton(address)
            frame = struct.pack("!6s6sHHHBBH", b"\xff" * 6, mac, 0x0806, 1, 0x0800, 6, 4, 1)
            sender.send(frame + struct.pack("!6s4s6s4s", mac, own, b"\0" * 6, own))
        except OSError as error:
            log("warn", "Cannot send gratuitous ARP", device=device, address=address, error=error)
