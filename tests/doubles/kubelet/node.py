"""The Node that this kubelet registers, and its heartbeat."""

from __future__ import annotations

import os
import platform
import re
import socket
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime
from typing import Any

from common.api import Api, ApiError, Object, Unreachable
from common.host import at, default_address, fault, version
from common.x509 import OpensslError
from kubelet.identity import Identity
from kubelet.static import StaticPods, now

HEARTBEAT_SECONDS, LOOK_SECONDS = 10, 1
LEASES = "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases"
NO_NETWORK = (
    "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady "
    "message:Network plugin "
    "returns error: cni plugin not initialized"
)


def runtime_refusal(endpoint: str) -> str:
    """Why nobody answers at the runtime's socket; "" if somebody does."""
    path = endpoint.removeprefix("unix://")
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(5)
        try:
            probe.connect(str(at(path)))
        except OSError as error:
            said = (error.strerror or str(error)).lower()
            return (
                'rpc error: code = Unavailable desc = connection error: desc = "transport: Error while '
                "dialing: "
                f'dial unix {path}: connect: {said}"'
            )
    return ""


def network_is_ready() -> bool:
    """Whether containerd would find a CNI configuration."""
    folder = at("/etc/cni/net.d")
    return folder.is_dir() and any(
        path.suffix in (".conf", ".conflist", ".json") and not path.name.startswith(".")
        for path in folder.iterdir()
    )


class Node:
    """This machine as the cluster sees it."""

    def __init__(
        self, identity: Identity, flags: dict[str, str], settings: dict[str, Any], endpoint: str
    ) -> None:
        self.identity, self.flags, self.settings, self.endpoint = identity, flags, settings, endpoint
        self.address = flags.get("node-ip") or default_address() or "127.0.0.1"
        # What was installed when this process began is what runs, whatever is installed meanwhile.
        self.version, self.runtime = version("kubelet"), _runtime_version()
        self.registered = threading.Event()

    def keep(self, pods: StaticPods, stopping: threading.Event) -> None:
        """Register once, then post status, lease and mirror pods until told to stop, whatever fails."""
        api: Api | None = None
        uid, posted, beaten, last_error = "", None, 0.0, ""
        while not stopping.is_set():
            try:
                if api is None:
                    # Only who has registered goes on: a node that is deleted later is not made again.
                    beginning = self.identity.api()
                    uid, api = self.register(beginning), beginning
                    self.registered.set()
                conditions = self.conditions()
                seen = {condition["type"]: condition["message"] for condition in conditions}
                due = time.monotonic() >= beaten + HEARTBEAT_SECONDS
                if due or seen != posted:
                    self.post(api, conditions)
                    self.beat(api, uid)
                    posted, beaten = seen, time.monotonic()
                pods.show(api, uid, self.address)
                last_error = ""
            except (ApiError, Unreachable, OSError, OpensslError) as error:
                if isinstance(error, ApiError) and error.status == 401:
                    api = None
                if str(error) != last_error:
                    last_error = str(error)
                    print(
                        f'E "Error updating node status, will retry" err="{error}"',
                        file=sys.stderr,
                        flush=True,
                    )
            stopping.wait(LOOK_SECONDS)

    def register(self, api: Api) -> str:
        """Make the Node, or take the one that is there; its uid."""
        known = api.find(f"/api/v1/nodes/{self.identity.name}")
        if known is None:
            known = api.create("/api/v1/nodes", self.object())
            print(
                f'I "Successfully registered node" node="{self.identity.name}"', file=sys.stderr, flush=True
            )
        return str(known["metadata"]["uid"])

    def object(self) -> Object:
        machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
        labels = {
            f"{prefix}kubernetes.io/{name}": value
            for prefix in ("", "beta.")
            for name, value in (("arch", machine), ("os", "linux"))
        }
        labels["kubernetes.io/hostname"] = self.identity.name
        labels |= dict(
            pair.split("=", 1) for pair in self.flags.get("node-labels", "").split(",") if "=" in pair
        )
        taints = self.settings.get("registerWithTaints") or _taints(
            self.flags.get("register-with-taints", "")
        )
        return {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": self.identity.name,
                "labels": labels,
                "annotations": {"volumes.kubernetes.io/controller-managed-attach-detach": "true"},
            },
            "spec": {"taints": taints} if taints else {},
            "status": self.status(self.conditions()),
        }

    def conditions(self) -> list[Object]:
        moment = now()
        fine = {
            "MemoryPressure": ("KubeletHasSufficientMemory", "kubelet has sufficient memory available"),
            "DiskPressure": ("KubeletHasNoDiskPressure", "kubelet has no disk pressure"),
            "PIDPressure": ("KubeletHasSufficientPID", "kubelet has sufficient PID available"),
        }
        found = [
            {
                "type": kind,
                "status": "False",
                "reason": reason,
                "message": message,
                "lastHeartbeatTime": moment,
            }
            for kind, (reason, message) in fine.items()
        ]
        problem = ""
        if fault("kubelet-never-ready") is not None or runtime_refusal(self.endpoint):
            problem = "[container runtime is down]"
        elif not network_is_ready():
            problem = NO_NETWORK
        ready = {
            "type": "Ready",
            "status": "False" if problem else "True",
            "reason": "KubeletNotReady" if problem else "KubeletReady",
            "message": problem or "kubelet is posting ready status",
            "lastHeartbeatTime": moment,
        }
        return [*found, ready]

    def status(self, conditions: list[Object]) -> Object:
        cpus = str(os.cpu_count() or 1)
        memory = re.search(r"MemTotal:\s+(\d+)", at("/proc/meminfo").read_text())
        capacity = {
            "cpu": cpus,
            "memory": f"{memory[1] if memory else 0}Ki",
            "pods": str(self.settings.get("maxPods", 110)),
        }
        return {
            "addresses": [
                {"type": "InternalIP", "address": self.address},
                {"type": "Hostname", "address": self.identity.name},
            ],
            "allocatable": capacity,
            "capacity": capacity,
            "conditions": [
                {**condition, "lastTransitionTime": condition["lastHeartbeatTime"]}
                for condition in conditions
            ],
            "daemonEndpoints": {"kubeletEndpoint": {"Port": self.settings.get("port", 10250)}},
            "nodeInfo": {
                "architecture": {"x86_64": "amd64", "aarch64": "arm64"}.get(
                    platform.machine(), platform.machine()
                ),
                "bootID": _read("/proc/sys/kernel/random/boot_id"),
                "containerRuntimeVersion": f"containerd://{self.runtime}",
                "kernelVersion": platform.release(),
                "kubeProxyVersion": "",
                "kubeletVersion": self.version,
                "machineID": _read("/etc/machine-id"),
                "operatingSystem": "linux",
                "osImage": _os_name(),
                "systemUUID": _read("/etc/machine-id"),
            },
        }

    def post(self, api: Api, conditions: list[Object]) -> None:
        place = f"/api/v1/nodes/{self.identity.name}"
        known = api.get(place)
        status = self.status(conditions)
        before = {
            condition["type"]: condition for condition in known.get("status", {}).get("conditions") or []
        }
        for condition in status["conditions"]:
            old = before.get(condition["type"])
            if old and old["status"] == condition["status"] and old.get("lastTransitionTime"):
                condition["lastTransitionTime"] = old["lastTransitionTime"]
        api.call("PUT", f"{place}/status", {**known, "status": {**known.get("status", {}), **status}})

    def beat(self, api: Api, uid: str) -> None:
        """Renew the lease by which the cluster knows that this node lives."""
        moment = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
        owner = {"apiVersion": "v1", "kind": "Node", "name": self.identity.name, "uid": uid}
        lease: Object = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {
                "name": self.identity.name,
                "namespace": "kube-node-lease",
                "ownerReferences": [owner],
            },
            "spec": {"holderIdentity": self.identity.name, "leaseDurationSeconds": 40, "renewTime": moment},
        }
        api.put(LEASES, lease)


def _taints(text: str) -> list[Object]:
    found = []
    for part in filter(None, text.split(",")):
        pair, _, effect = part.rpartition(":")
        key, _, value = pair.partition("=")
        found.append({"key": key, "effect": effect, **({"value": value} if value else {})})
    return found


def _runtime_version() -> str:
    try:
        said = subprocess.run(["containerd", "--version"], capture_output=True, text=True, check=False).stdout
    except OSError:
        return "Unknown"
    match = re.search(r"\bv?(\d+\.\d+\.\d+\S*)", said)
    return match[1] if match else "Unknown"


def _read(path: str) -> str:
    try:
        return at(path).read_text().strip()
    except OSError:
        return ""


def _os_name() -> str:
    match = re.search(r'^PRETTY_NAME="?([^"\n]+)', _read("/etc/os-release"), re.MULTILINE)
    return match[1] if match else "Linux"
