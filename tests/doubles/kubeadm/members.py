"""etcd's members, through its JSON gateway, as the client that checks its health.

What kubeadm asks of etcd it asks again until it is granted or ``etcdAPICall`` has passed: etcd takes one
learner at a time, and no member for 5 s after another one was given its vote ("unhealthy cluster").
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, TypeVar

from kubeadm.certs import pki
from kubeadm.phases import Failed
from kubeadm.waiting import until

# Seconds for one answer, and between two attempts.
_ANSWER, _AGAIN = 10, 0.5

Member = dict[str, Any]
Found = TypeVar("Found")


def call(addresses: Sequence[str], path: str, body: dict[str, Any]) -> dict[str, Any]:
    """What the first etcd says that grants it; Failed with what the last one says if none does."""
    for number, address in enumerate(addresses, start=1):
        try:
            return _call(address, path, body)
        except Failed:
            if number == len(addresses):
                raise
    raise Failed("could not retrieve the list of etcd endpoints")


def _call(address: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    tls = ssl.create_default_context(cafile=str(pki("etcd/ca.crt")))
    tls.load_cert_chain(str(pki("etcd/healthcheck-client.crt")), str(pki("etcd/healthcheck-client.key")))
    connection = http.client.HTTPSConnection(address, 2379, timeout=_ANSWER, context=tls)
    try:
        connection.request("POST", f"/v3/{path}", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said: dict[str, Any] = json.loads(answer.read() or b"{}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Failed(f"error syncing endpoints with etcd: dial tcp {address}:2379: {error}") from None
    finally:
        connection.close()
    if answer.status != 200:
        message = str(said.get("message") or said.get("error") or answer.reason)
        raise Failed(message if message.startswith("etcdserver: ") else f"etcdserver: {message}")
    return said


def members(addresses: Sequence[str]) -> list[Member]:
    found: list[Member] = call(addresses, "cluster/member/list", {})["members"]
    return found


def check_health(addresses: Sequence[str], limit: float) -> None:
    """Every etcd answers, each within ``limit`` seconds."""
    for address in addresses:
        _granted(partial(call, [address], "maintenance/status", {}), limit)


def add(addresses: Sequence[str], name: str, of_member: str, limit: float) -> str:
    """Make ``of_member`` a learner of the cluster; its initial cluster, as etcd's flag has it."""
    url = _peer(of_member)

    def listed() -> list[Member]:
        known = members(addresses)
        if any(url in member["peerURLs"] for member in known):
            return known
        call(addresses, "cluster/member/add", {"peerURLs": [url], "isLearner": True})
        return members(addresses)

    def named(member: Member) -> str:
        # One that joins at this moment has no name yet, and goes by its number.
        return name if url in member["peerURLs"] else member.get("name") or f"{int(member['ID']):x}"

    return ",".join(f"{named(member)}={member['peerURLs'][0]}" for member in _granted(listed, limit))


def promote(addresses: Sequence[str], of_member: str, limit: float) -> None:
    """Let a learner vote, once it has caught up."""

    def voting() -> bool:
        member = next(member for member in members(addresses) if _peer(of_member) in member["peerURLs"])
        if member.get("isLearner"):
            call(addresses, "cluster/member/promote", {"ID": member["ID"]})
        return True

    _granted(voting, limit)


def remove(addresses: Sequence[str], of_member: str, limit: float) -> None:
    """Take a member out, from the point of view of the etcd at one of ``addresses``."""

    def gone() -> bool:
        for member in members(addresses):
            if _peer(of_member) in member["peerURLs"]:
                call(addresses, "cluster/member/remove", {"ID": member["ID"]})
        return True

    _granted(gone, limit)


def _peer(address: str) -> str:
    return f"https://{address}:2380"


def _granted(ask: Callable[[], Found], limit: float) -> Found:
    """What ``ask`` gives, which is asked again for ``limit`` seconds; Failed with the last refusal."""
    refusals = [Failed("timed out waiting for the condition")]

    def attempt() -> tuple[Found] | None:
        try:
            return (ask(),)
        except Failed as refusal:
            refusals.append(refusal)
            return None

    found = until(attempt, limit, every=_AGAIN)
    if found is None:
        raise refusals[-1]
    return found[0]
