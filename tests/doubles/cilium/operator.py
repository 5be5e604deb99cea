"""cilium-operator's place: CRDs, pod CIDRs and addresses of services."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path

from cilium import crds, ipam, lbipam
from cilium.cluster import (
    CRDS,
    NODES,
    POOLS,
    SERVICES,
    configuration,
    connect,
    log,
    now,
    retrying,
)
from cilium.configuration import Configuration, Fatal, check_operator
from common.api import Api, ApiError, Object, Unreachable
from common.host import DOUBLE
from controllers.component import Leader

ROUND_SECONDS = 2


def register(api: Api) -> None:
    """Make the CRDs that are not there, and bring those of another operator up to date."""
    for wanted in crds.definitions():
        name = wanted["metadata"]["name"]
        known = api.find(f"{CRDS}/{name}")
        if known is None:
            api.create(CRDS, wanted)
        elif known["spec"].get("versions") != wanted["spec"]["versions"]:
            spec = {**known["spec"], **wanted["spec"]}
            api.call("PUT", f"{CRDS}/{name}", {**known, "spec": spec})


def pod_cidrs(api: Api, config: Configuration) -> None:
    """Give each CiliumNode that has none its share, and forget those of nodes that are gone."""
    known = api.items(NODES)
    living = {node["metadata"]["name"] for node in api.items("/api/v1/nodes")}
    for node in known:
        if node["metadata"]["name"] not in living:
            api.delete(f"{NODES}/{node['metadata']['name']}")
    taken = [share for node in known for share in _shares(node)]
    for node in known:
        if _shares(node) or node["metadata"]["name"] not in living:
            continue
        place = f"{NODES}/{node['metadata']['name']}"
        try:
            share = ipam.next_share(config.pools, config.mask_size, taken)
        except ipam.Exhausted as error:
            log("warn", "Unable to allocate pod CIDR", name=node["metadata"]["name"], error=error)
            status = {"ipam": {"operator-status": {"error": str(error)}}}
            api.patch(f"{place}/status", {"status": status})
            continue
        taken.append(share)
        api.patch(place, {"spec": {"ipam": {"podCIDRs": [share]}}})
        log("info", "Allocated pod CIDR", name=node["metadata"]["name"], podCIDR=share)


def _shares(node: Object) -> list[str]:
    return list((node["spec"].get("ipam") or {}).get("podCIDRs") or [])


def services(api: Api) -> None:
    """Addresses for services, and the counts of the pools. Without a pool nothing is touched."""
    pools = api.items(POOLS)
    if not pools:
        return
    allocation = lbipam.Allocation(pools, api.items(SERVICES))
    for name in allocation.pools:
        status = allocation.pool_status(name)
        if status is not None:
            api.patch(f"{POOLS}/{name}/status", {"status": status})
    for service in allocation.services:
        status = lbipam.service_status(service)
        if status is not None:
            place = f"/api/v1/namespaces/{service.namespace}/services/{service.name}"
            api.call("PUT", f"{place}/status", {**service.object, "status": status})


def main(arguments: list[str]) -> int:
    if "--version" in arguments:
        print(f"cilium-operator: {DOUBLE}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    api = retrying("Unable to contact the Kubernetes API server", connect)
    config = Configuration(retrying("Unable to read cilium-config", lambda: configuration(api)))
    try:
        check_operator(config)
    except Fatal as error:
        log("fatal", str(error))
        return 1
    leader, said = Leader("cilium-operator-resource-lock"), ""
    ready = Path(os.environ["READY_FILE"]) if os.environ.get("READY_FILE") else None
    registered = False
    while True:
        try:
            if leader.leads(api):
                if not registered:
                    register(api)
                    log("info", "Established all CRDs", time=now())
                    registered = True
                pod_cidrs(api, config)
                if config.on("enable-lb-ipam", "true"):
                    services(api)
            if ready:
                ready.touch()
            said = ""
        except (ApiError, Unreachable, OSError, ValueError) as error:
            if isinstance(error, Unreachable):
                leader.renewed = 0.0
            if str(error) != said:
                said = str(error)
                log("warn", "Reconciliation failed, will retry", error=said)
        time.sleep(ROUND_SECONDS)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
