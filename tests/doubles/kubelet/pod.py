"""One pod of the API server's on this node: its sandbox, its containers, and what is told of them."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from common.api import Api, Object, Unreachable
from common.host import at, fault
from kubelet import network, programs
from kubelet.container import Container
from kubelet.record import Record
from kubelet.static import now

AGAIN_SECONDS = 1


@dataclass
class Surroundings:
    """What a node gives its pods: its name and address, whether it has a network, and who they are."""

    name: str
    address: str
    has_network: Callable[[], bool]
    kubeconfig: Callable[[Api, Object, Object], str]
    addresses: network.Addresses = field(default_factory=network.Addresses)


class Pod:
    """``obj`` is the pod as the API server has it."""

    def __init__(self, obj: Object, around: Surroundings) -> None:
        self.obj, self.around = obj, around
        self.uid = str(obj["metadata"]["uid"])
        self.of = f"{obj['metadata']['name']}_{obj['metadata']['namespace']}({self.uid})"
        self.record = Record.read(around.name, self.uid)
        self.record.stop_leftovers()
        status = obj.get("status") or {}
        self.started = status.get("startTime") or now()
        known = {each["name"]: each for each in status.get("containerStatuses") or []}
        policy = obj["spec"].get("restartPolicy", "Always")
        self.containers = [
            Container(spec, policy, known.get(spec["name"], {}), self.record.begun)
            for spec in obj["spec"]["containers"]
        ]
        self.why = ""
        self._seen: dict[str, Object | None] = {}
        self._again, self._ending, self._refused = 0.0, 0.0, 0
        self._since: dict[str, tuple[str, str]] = {
            each["type"]: (each["status"], each.get("lastTransitionTime") or self.started)
            for each in status.get("conditions") or []
        }

    @property
    def on_host(self) -> bool:
        return bool(self.obj["spec"].get("hostNetwork"))

    @property
    def address(self) -> str:
        return self.around.address if self.on_host else self.record.address

    @property
    def is_over(self) -> bool:
        return all(container.is_over for container in self.containers)

    @property
    def has_ended(self) -> bool:
        """Whether the API server knows that it has ended."""
        return (self.obj.get("status") or {}).get("phase") in ("Succeeded", "Failed")

    def tend(self, api: Api, used: set[str], never_ready: str | None) -> None:
        """Do what is due; what cannot be done yet is tried again a little later."""
        if self.is_over or self._ending:
            return
        if not self.record.begun and time.monotonic() >= self._again:
            try:
                self._begin(api, used)
            except (network.NotReady, programs.Unknown) as error:
                self.why, self._again = str(error), time.monotonic() + AGAIN_SECONDS
        if not self.record.begun:
            return
        may_be_ready = never_ready is None or never_ready not in self.obj["metadata"]["name"]
        for container in self.containers:
            if "running" in container.state or self._image_is_there(container):
                try:
                    container.tend(lambda one: self._start(api, one), may_be_ready, self.of)
                except programs.Unknown as error:
                    container.wait("CreateContainerConfigError", str(error))

    def _begin(self, api: Api, used: set[str]) -> None:
        """The sandbox: what is mounted, an address, a network."""
        for volume in self.obj["spec"].get("volumes") or []:
            for kind, name in (("configMap", "name"), ("secret", "secretName")):
                asked = volume.get(kind) or {"optional": True}
                if not asked.get("optional") and not self._lookup(api, f"{kind.lower()}s", asked[name]):
                    raise programs.Unknown(f'{kind.lower()} "{asked[name]}" not found')
        if not self.on_host:
            if not self.around.has_network():
                raise network.NotReady("cni plugin not initialized")
            address = self.around.addresses.free(api, self.around.name, used)
            self.record.netns = network.attach(self.uid, address)
            self.record.address = address
            self.around.addresses.given()
        self.record.begun, self.why = True, ""
        self.record.write()

    def _lookup(self, api: Api, kind: str, name: str) -> Object | None:
        """A ConfigMap or a Secret, while the API server is away as it was last."""
        path = f"/api/v1/namespaces/{self.obj['metadata']['namespace']}/{kind}/{name}"
        try:
            self._seen[path] = api.find(path)
        except Unreachable:
            if path not in self._seen:
                raise
        return self._seen[path]

    def _image_is_there(self, container: Container) -> bool:
        """Whether its image can be pulled; ErrImagePull and ImagePullBackOff take turns while it cannot."""
        wrong, image = fault("image-pull-fails"), container.spec["image"]
        if wrong is None or wrong not in image:
            return True
        error = (
            f'rpc error: code = NotFound desc = failed to pull and unpack image "{image}": '
            f'failed to resolve reference "{image}": {image}: not found'
        )
        if time.monotonic() >= self._again:
            self._refused, self._again = self._refused + 1, time.monotonic() + 3 * AGAIN_SECONDS
        if self._refused % 2:
            container.wait("ErrImagePull", error)
        else:
            container.wait("ImagePullBackOff", f'Back-off pulling image "{image}": ErrImagePull: {error}')
        return False

    def _start(self, api: Api, container: Container) -> subprocess.Popen[bytes] | None:
        """Run what stands for the image, if anything does."""
        has_network = self.on_host or bool(self.record.netns)
        program = programs.program(container.spec, has_network)
        environment = programs.environment(
            self.obj, container.spec, self.address, self.around.address,
            lambda kind, name: self._lookup(api, kind, name),
        )  # fmt: skip
        if program is None:
            return None
        folder = self.folder / container.name
        folder.mkdir(parents=True, exist_ok=True)
        container.ready_file = folder / "ready"
        container.ready_file.unlink(missing_ok=True)
        environment["READY_FILE"] = str(container.ready_file)
        kubeconfig = folder / "kubeconfig"
        environment["KUBECONFIG"] = str(kubeconfig)
        if not kubeconfig.exists():
            # It is good for as long as the pod is: who restarts needs no API server for it.
            _write_private(kubeconfig, self.around.kubeconfig(api, self.obj, container.spec))
        self.logs.joinpath(container.name).mkdir(parents=True, exist_ok=True)
        container.log = self.logs / container.name / f"{container.restarts}.log"
        # As the real one, it keeps the log of this run and of the one before.
        (self.logs / container.name / f"{container.restarts - 2}.log").unlink(missing_ok=True)
        with container.log.open("ab") as log:
            process = subprocess.Popen(
                programs.command(program, self.record.netns),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment,
            )  # fmt: skip
        self.record.runs(container.name, process.pid)
        return process

    @property
    def folder(self) -> Path:
        return at(f"/var/lib/kubelet/pods/{self.uid}")

    @property
    def logs(self) -> Path:
        metadata = self.obj["metadata"]
        return at(f"/var/log/pods/{metadata['namespace']}_{metadata['name']}_{self.uid}")

    def end(self, seconds: float) -> bool:
        """Ask all to end, and kill what does not in so many seconds; whether all has ended."""
        if not self._ending:
            self._ending = time.monotonic()
            for container in self.containers:
                container.end()
        if time.monotonic() >= self._ending + seconds:
            for container in self.containers:
                container.kill()
        return all(container.is_gone for container in self.containers)

    def clear(self) -> None:
        """Nothing of it is left."""
        network.detach(self.record.netns, self.record.address)
        self.record.remove()
        for path in (self.folder, self.logs):
            shutil.rmtree(path, ignore_errors=True)

    def status(self) -> Object:
        """As the API server shows it."""
        begun, spec = self.record.begun, self.obj["spec"]
        unready = [container.name for container in self.containers if not container.ready]
        why = {
            "reason": "ContainersNotReady",
            "message": f"containers with unready status: [{' '.join(unready)}]",
        }
        phase = self._phase()
        if phase in ("Succeeded", "Failed"):
            why = {"reason": "PodCompleted" if phase == "Succeeded" else "PodFailed"}
        conditions = [
            self._condition("PodReadyToStartContainers", begun and not self.is_over),
            self._condition("Initialized", True),
            self._condition("Ready", not unready, why),
            self._condition("ContainersReady", not unready, why),
            self._condition("PodScheduled", True),
        ]
        inits = [_done(each, self.started) for each in spec.get("initContainers") or []] if begun else []
        found = {
            "phase": phase,
            "conditions": conditions,
            "hostIP": self.around.address,
            "hostIPs": [{"ip": self.around.address}],
            "startTime": self.started,
            "qosClass": _quality(spec["containers"]),
            "containerStatuses": [container.status(self.uid) for container in self.containers],
        }
        if inits:
            found["initContainerStatuses"] = inits
        if self.address:
            found |= {"podIP": self.address, "podIPs": [{"ip": self.address}]}
        return found

    def _phase(self) -> str:
        if self.is_over:
            codes = [container.state["terminated"]["exitCode"] for container in self.containers]
            return "Failed" if any(codes) else "Succeeded"
        begun = [c for c in self.containers if "waiting" not in c.state or c.restarts]
        return "Running" if len(begun) == len(self.containers) else "Pending"

    def _condition(self, kind: str, holds: bool, why: Object | None = None) -> Object:
        """A condition, and since when it is so."""
        if self._since.get(kind, ("", ""))[0] != str(holds):
            self._since[kind] = (str(holds), now())
        found = {"type": kind, "status": str(holds), "lastTransitionTime": self._since[kind][1]}
        return found if holds else {**found, **(why or {})}


def _done(container: Object, moment: str) -> Object:
    over = {"exitCode": 0, "reason": "Completed", "startedAt": moment, "finishedAt": moment}
    return {
        "name": container["name"],
        "image": container["image"],
        "imageID": container["image"],
        "ready": True,
        "started": False,
        "restartCount": 0,
        "state": {"terminated": over},
        "lastState": {},
    }


def _quality(containers: list[Object]) -> str:
    """The quality of service class: https://kubernetes.io/docs/concepts/workloads/pods/pod-qos/"""
    asked = [each.get("resources") or {} for each in containers]
    if not any(each.get("requests") or each.get("limits") for each in asked):
        return "BestEffort"
    limits = [each.get("limits") or {} for each in asked]
    bounded = all({"cpu", "memory"} <= set(each) for each in limits)
    equal = all((each.get("requests") or each.get("limits")) == each.get("limits") for each in asked)
    return "Guaranteed" if bounded and equal else "Burstable"


def _write_private(path: Path, text: str) -> None:
    """Write a file that only its owner reads, whole or not at all."""
    new = path.with_name(f".{path.name}.new")
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
    new.rename(path)
