"""What both have: their flags, a health port, and a leader among several."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

from common.api import Api, ApiError, Object, Unreachable
from common.host import DOUBLE, at
from common.serving import healthz

LEASE_SECONDS, RETRY_SECONDS = 15, 1
# What changes together is looked at together.
GATHER_SECONDS = 0.1


def moment(text: str) -> datetime:
    """A time of the API."""
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def flags(arguments: list[str]) -> dict[str, str]:
    pairs = (argument.removeprefix("--").partition("=") for argument in arguments)
    return {name: value for name, _, value in pairs}


class Leader:
    """Of several components of one name, one at a time works: who holds the lease."""

    def __init__(self, name: str) -> None:
        self.name, self.me = name, f"{socket.gethostname()}_{time.time_ns():x}"
        self.folder = "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases"
        self.renewed = 0.0

    def leads(self, api: Api) -> bool:
        """Take or renew the lease; whether it is ours. A conflict means that another was faster."""
        if time.monotonic() < self.renewed + LEASE_SECONDS / 3:
            return True
        now = datetime.now(UTC)
        spec = {"holderIdentity": self.me, "leaseDurationSeconds": LEASE_SECONDS,
                "renewTime": now.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}  # fmt: skip
        lease: Object = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": self.name, "namespace": "kube-system"},
            "spec": spec,
        }
        known = api.find(f"{self.folder}/{self.name}")
        try:
            if known is None:
                api.create(self.folder, lease)
            else:
                held = known["spec"]
                stale = moment(held["renewTime"]) + timedelta(seconds=LEASE_SECONDS) < now
                if held["holderIdentity"] != self.me and not stale:
                    return False
                api.call("PUT", f"{self.folder}/{self.name}", {**known, "spec": spec})
        except ApiError as error:
            if error.status == 409:
                return False
            raise
        self.renewed = time.monotonic()
        return True


def serve(
    name: str,
    port: int,
    arguments: list[str],
    work: Callable[[Api, dict[str, str]], None],
    wake: threading.Event,
) -> None:
    """Answer for health; while this component leads, call ``work`` each second and when ``wake`` is set."""
    if "--version" in arguments:
        print(f"{name}: {DOUBLE}")
        return
    given = flags(arguments)
    tls = at(f"/var/lib/kubernetes-double/{name}.crt"), at(f"/var/lib/kubernetes-double/{name}.key")
    healthz(given.get("bind-address", "127.0.0.1"), int(given.get("secure-port", port)), tls)
    leader, last_error = Leader(name), ""
    api: Api | None = None
    while True:
        leads = False
        try:
            api = api or Api.of(given["kubeconfig"])
            leads = leader.leads(api)
            if leads:
                work(api, given)
            last_error = ""
        except (ApiError, Unreachable, OSError) as error:
            api, leads, leader.renewed = None, False, 0.0
            wake.set()
            if str(error) != last_error:
                last_error = str(error)
                print(f"E {error}", file=sys.stderr, flush=True)
        if leads and wake.wait(RETRY_SECONDS):
            time.sleep(GATHER_SECONDS)
        elif not leads:
            time.sleep(RETRY_SECONDS)
