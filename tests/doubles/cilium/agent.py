"""cilium-agent's place: it reads cilium-config when it starts, and makes this node what that says."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from ipaddress import IPv4Interface
from pathlib import Path
from typing import NoReturn

from cilium import cni, ipam, kernel, rest, routes, services, status
from cilium.cluster import (
    NODES,
    PODS,
    POLICIES,
    SERVICES,
    address,
    configuration,
    connect,
    log,
    own_version,
    retrying,
)
from cilium.configuration import Configuration, Fatal, check_agent
from cilium.l2 import Announcer, entries
from cilium.watching import Store
from common.api import Api, ApiError, Object, Unreachable
from common.host import DOUBLE, at, fault, write

ROUND_SECONDS, LABELS_SECONDS = 2, 10
CNI = {
    "cniVersion": "0.3.1",
    "name": "cilium",
    "plugins": [{"type": "cilium-cni", "enable-debug": False, "log-file": "/var/run/cilium/cilium-cni.log"}],
}


class Agent:
    """One node's agent."""

    def __init__(self, api: Api, config: Configuration, name: str) -> None:
        self.api, self.config, self.name = api, config, name
        self.me = routes.Node(name, "", ())
        self.devices: dict[str, list[IPv4Interface]] = {}
        self.problem = "cilium-agent is starting"
        self.changed = threading.Event()
        self._others: list[routes.Node] | None = None
        self._unreachable: list[str] = []
        self._labels: dict[str, str] = {}
        self._labels_read = 0.0

    # What it answers --------------------------------------------------------------------------------

    def health(self) -> Object:
        return status.health(self.config, self.me, self.devices, list(cni.state()), self.problem)

    def configuration(self) -> Object:
        return status.configuration(self.config, self.me)

    # Beginning --------------------------------------------------------------------------------------

    def begin(self) -> None:
        """Register, wait for pod addresses, and program the kernel. Fatal."""
        node = self.api.get(f"/api/v1/nodes/{self.name}")
        own = address(node, "InternalIP")
        present = kernel.interfaces()
        chosen = self.config.devices(present)
        if not chosen and self.config.kube_proxy_replacement:
            raise Fatal(
                "unable to determine direct routing device. Use --direct-routing-device to specify it"
            )
        self.devices = {name: present[name] for name in chosen}
        registered = self.register(node, own)
        self.me = routes.Node.of(registered)
        try:
            kernel.prepare(self.config, self.me)
            kernel.pods(cni.state(), self.config.route_mtu)
        except (kernel.KernelError, OSError) as error:
            raise Fatal(f"failed to initialize datapath: {error}") from None

    def register(self, node: Object, own: str) -> Object:
        """Make the CiliumNode, wait for the operator to give it a pod CIDR, and take an address of it."""
        place = f"{NODES}/{self.name}"
        owner = {"apiVersion": "v1", "kind": "Node", "name": self.name, "uid": node["metadata"]["uid"]}
        addresses = [{"ip": own, "type": "InternalIP"}]
        known = self.api.find(place)
        if known is None:
            labels = node["metadata"].get("labels") or {}
            body = {
                "apiVersion": "cilium.io/v2",
                "kind": "CiliumNode",
                "metadata": {"name": self.name, "labels": labels, "ownerReferences": [owner]},
                "spec": {"addresses": addresses, "health": {}, "ipam": {}},
            }
            known = self.api.create(NODES, body)
            log("info", "Successfully created CiliumNode resource", name=self.name)
        while not (known["spec"].get("ipam") or {}).get("podCIDRs"):
            self.problem = "required IPv4 PodCIDR not available"
            log("info", "Waiting for k8s node information", error=self.problem)
            time.sleep(1)
            known = self.api.get(place)
        internal = ipam.router(known["spec"]["ipam"]["podCIDRs"][0])
        addresses.append({"ip": internal, "type": "CiliumInternalIP"})
        if known["spec"].get("addresses") != addresses:
            known = self.api.patch(place, {"spec": {"addresses": addresses}})
        return known

    # Each round -------------------------------------------------------------------------------------

    def route(self, nodes: list[Object]) -> None:
        """Bring the routes to what the nodes are now."""
        others = sorted((routes.Node.of(each) for each in nodes), key=lambda node: node.name)
        wanted, unreachable = routes.wanted(self.config, self.me, others, self.devices)
        present = kernel.main_routes()
        gone = routes.stale(self.config, present, wanted)
        if gone or others != self._others or routes.missing(present, wanted):
            kernel.program(wanted, gone)
            kernel.encapsulate(self.config, self.me, others)
            self._others = others
        if unreachable != self._unreachable:
            self._unreachable = unreachable
            for each in unreachable:
                said = "route to destination contains gateway, must be directly reachable"
                log("warn" if self.config.skip_unreachable else "error", said, nodeName=each)

    def register_again(self) -> None:
        """Somebody took the CiliumNode away: make it again, and begin anew where it is not what it was."""
        try:
            node = self.api.get(f"/api/v1/nodes/{self.name}")
            registered = routes.Node.of(self.register(node, address(node, "InternalIP")))
        except (ApiError, Unreachable, OSError) as error:
            log("warn", "Unable to make the CiliumNode again, will retry", error=error)
            return
        if registered != self.me:
            log(
                "fatal", "the pod CIDR of this node has changed", before=self.me.shares, now=registered.shares
            )
            raise SystemExit(1)

    def labels(self) -> dict[str, str]:
        if time.monotonic() > self._labels_read + LABELS_SECONDS:
            found = self.api.get(f"/api/v1/nodes/{self.name}")["metadata"].get("labels") or {}
            self._labels, self._labels_read = found, time.monotonic()
        return self._labels

    def run(self) -> NoReturn:
        """Keep this node what the cluster says, for as long as the process lives."""
        nodes, known = Store(NODES, self.changed), Store(SERVICES, self.changed)
        pods, policies = Store(PODS, self.changed), Store(POLICIES, self.changed)
        replaces = self.config.kube_proxy_replacement
        stores = [nodes, *([known, pods] if replaces or self.config.l2 else [])]
        stores += [policies] if self.config.l2 else []
        for store in stores:
            store.start()
        announcer = Announcer(self.config, self.name)
        forwarding = services.Forwarding()
        try:
            self._keep(announcer, forwarding, nodes, known, pods, policies)
        finally:
            announcer.withdraw(self.api)

    def _keep(
        self,
        announcer: Announcer,
        forwarding: services.Forwarding,
        nodes: Store,
        known: Store,
        pods: Store,
        policies: Store,
    ) -> NoReturn:
        kernel_said, replaces = "", self.config.kube_proxy_replacement
        while True:
            try:
                if nodes.synced.is_set():
                    found = nodes.items()
                    if all(each["metadata"]["name"] != self.name for each in found):
                        self.register_again()
                    self.route(found)
                    self.settle()
                kernel_said = ""
            except kernel.KernelError as error:
                if str(error) != kernel_said:
                    kernel_said = str(error)
                    log("error", "Unable to program the datapath, will retry", error=error)
            if not replaces or (known.synced.is_set() and pods.synced.is_set()):
                reached = services.frontends(known.items(), pods.items()) if replaces else []
                forwarding.bring(services.rules(reached, self.config.unrouted, self.config.masquerade))
            if self.config.l2:
                self.announce(announcer, policies, known)
            elif kernel.local_addresses():
                announcer.answer([])
            self.changed.wait(ROUND_SECONDS)
            # Several changes are often one.
            time.sleep(0.1)
            self.changed.clear()

    def announce(self, announcer: Announcer, policies: Store, known: Store) -> None:
        if not (policies.synced.is_set() and known.synced.is_set()):
            return
        try:
            labels = self.labels()
        except (ApiError, Unreachable, OSError):
            labels = self._labels
        announcer.compete(self.api, entries(policies.items(), known.items(), labels, list(self.devices)))

    def settle(self) -> None:
        """Say that the node is ready, the first time that it is."""
        if fault("cilium-agent-crashes") is not None:
            raise SystemExit(crash())
        if injected := self._unready():
            if self.problem != injected:
                self.problem = injected
                log("error", injected)
                ready(False)
        elif self.problem:
            write("/etc/cni/net.d/05-cilium.conflist", json.dumps(CNI, indent=2) + "\n", 0o644)
            self.problem = ""
            ready(True)
            log("info", "Daemon initialization completed")

    def _unready(self) -> str:
        """Why the agent is not ready by a fault: one has any agent, the other those that never were."""
        unhealthy, never = "cilium-agent-unhealthy", "cilium-agent-never-ready"
        if fault(unhealthy) is not None:
            return _INJECTED.format(unhealthy)
        return _INJECTED.format(never) if self.problem and fault(never) is not None else ""


_INJECTED = "Cilium health daemon unreachable: this fault was injected ({})"


def crash() -> int:
    log("fatal", "failed to start: this fault was injected (cilium-agent-crashes)")
    return 1


def ready(whether: bool) -> None:
    if os.environ.get("READY_FILE"):
        path = Path(os.environ["READY_FILE"])
        if whether:
            path.touch()
        else:
            path.unlink(missing_ok=True)


def main(arguments: list[str]) -> int:
    if "--version" in arguments:
        print(f"cilium-agent: {DOUBLE}")
        return 0
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    if fault("cilium-agent-crashes") is not None:
        return crash()
    api = retrying("Unable to contact k8s api-server", connect)
    data = retrying("Unable to read cilium-config", lambda: configuration(api))
    version = retrying("Unable to read the own pod", lambda: own_version(api, "cilium-agent"))
    config = Configuration(data, version)
    log("info", "Cilium agent starting", version=version, double=DOUBLE)
    try:
        check_agent(config)
        agent = Agent(api, config, os.environ["NODE_NAME"])
        rest.serve({"/v1/healthz": agent.health, "/v1/config": agent.configuration})
        # The CRDs are the operator's, which may start later than this.
        retrying("Still waiting for Cilium Operator to register CRDs", agent.begin)
    except Fatal as error:
        log("fatal", str(error))
        return 1
    at("/run/cilium").mkdir(parents=True, exist_ok=True)
    return agent.run()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
