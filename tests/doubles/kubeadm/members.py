"""etcd's members, through its JSON gateway, as the client that checks its health."""

from __future__ import annotations

import http.client
import json
import ssl
from typing import Any

from kubeadm.certs import pki
from kubeadm.phases import Failed
from kubeadm.waiting import until

PROMOTION_SECONDS = 120


def call(address: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
    """Ask the etcd at ``address``; Failed if it does not answer or says no."""
    tls = ssl.create_default_context(cafile=str(pki("etcd/ca.crt")))
    tls.load_cert_chain(str(pki("etcd/healthcheck-client.crt")), str(pki("etcd/healthcheck-client.key")))
    connection = http.client.HTTPSConnection(address, 2379, timeout=10, context=tls)
    try:
        connection.request("POST", f"/v3/{path}", json.dumps(body), {"Content-Type": "application/json"})
        answer = connection.getresponse()
        said: dict[str, Any] = json.loads(answer.read() or b"{}")
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise Failed(f"error syncing endpoints with etcd: dial tcp {address}:2379: {error}") from None
    finally:
        connection.close()
    if answer.status != 200:
        raise Failed(f"etcdserver: {said.get('message') or said.get('error') or answer.reason}")
    return said


def members(address: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = call(address, "cluster/member/list", {})["members"]
    return found


def add(address: str, name: str, of_member: str) -> str:
    """Make ``of_member`` a learner of the cluster; its initial cluster, as etcd's flag has it."""
    url = f"https://{of_member}:2380"
    known = members(address)
    if not any(url in member["peerURLs"] for member in known):
        call(address, "cluster/member/add", {"peerURLs": [url], "isLearner": True})
        known = members(address)
    return ",".join(f"{member.get('name') or name}={member['peerURLs'][0]}" for member in known)


def promote(address: str, of_member: str) -> None:
    """Let a learner vote, once it has caught up."""
    url = f"https://{of_member}:2380"
    refusals: list[str] = []

    def done() -> bool | None:
        try:
            member = next(member for member in members(address) if url in member["peerURLs"])
            if member.get("isLearner"):
                call(address, "cluster/member/promote", {"ID": member["ID"]})
            return True
        except Failed as error:
            refusals.append(str(error))
            return None

    if not until(done, PROMOTION_SECONDS):
        raise Failed(f"error promoting the etcd member: {refusals[-1]}")


def remove(address: str, of_member: str) -> None:
    """Take a member out, from the point of view of the etcd at ``address``."""
    url = f"https://{of_member}:2380"
    for member in members(address):
        if url in member["peerURLs"]:
            call(address, "cluster/member/remove", {"ID": member["ID"]})
