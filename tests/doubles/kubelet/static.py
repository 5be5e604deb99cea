"""Static pods as local processes: what a manifest's command says, run by what stands for it."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from common.api import Api, ApiError, Object
from common.host import at, fault

LIBRARY = "/usr/lib/kubernetes-double"
STOP_SECONDS, BACKOFF_SECONDS, SHOW_SECONDS = 15, 20, 10


def _module(name: str) -> Callable[[list[str], str], list[str]]:
    # Isolated from what the environment says of Python; the library is where this module is from.
    return lambda flags, _: [sys.executable, "-P", "-m", name, *flags]


def _apiserver(flags: list[str], image: str) -> list[str]:
    return [sys.executable, "-P", "-m", "apiserver", *flags, f"--double-version={image.rpartition(':')[2]}"]


PROGRAMS: dict[str, Callable[[list[str], str], list[str]]] = {
    "etcd": lambda flags, _: ["etcd", *flags],
    "kube-apiserver": _apiserver,
    "kube-controller-manager": _module("controllers.manager"),
    "kube-scheduler": _module("controllers.scheduler"),
}


def now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


class StaticPod:
    """One manifest and the process that it became."""

    def __init__(self, manifest: dict[str, Any], digest: str, node: str) -> None:
        self.manifest, self.digest, self.node = manifest, digest, node
        self.name = f"{manifest['metadata']['name']}-{node}"
        self.process: subprocess.Popen[bytes] | None = None
        self.restarts, self.begun, self.ended, self.seen = 0, 0.0, 0.0, now()

    @property
    def container(self) -> dict[str, Any]:
        found: dict[str, Any] = self.manifest["spec"]["containers"][0]
        return found

    def running(self) -> bool:
        return self.process is not None and self.process.poll() is None

    def tend(self) -> None:
        """Start the process, or start it again once it is dead, each time waiting longer."""
        if self.running():
            return
        if self.process is not None and not self.ended:
            self.ended = time.monotonic()
            self.restarts += 1
        lived = self.ended - self.begun
        wait = (
            0
            if lived > BACKOFF_SECONDS or not self.ended
            else min(BACKOFF_SECONDS, 2 ** min(self.restarts, 5) / 2)
        )
        program = self.container["command"][0]
        held = program == "kube-apiserver" and fault("api-never-ready") is not None
        if program not in PROGRAMS or held or time.monotonic() < self.ended + wait:
            return
        command = PROGRAMS[program](self.container["command"][1:], self.container["image"])
        folder = at(f"/var/log/pods/kube-system_{self.name}/{program}")
        folder.mkdir(parents=True, exist_ok=True)
        environment = {
            "PATH": os.environ.get("PATH", "/usr/bin:/bin"),
            "PYTHONPATH": str(at(LIBRARY)),
            "PYTHONPYCACHEPREFIX": str(at("/var/lib/kubernetes-double/pycache")),
            "KUBERNETES_DOUBLE_ROOT": str(at("/")),
            # One heap for all threads: the memory of a small guest is scarce.
            "MALLOC_ARENA_MAX": "1",
        }
        environment |= {entry["name"]: entry.get("value", "") for entry in self.container.get("env") or []}
        with (folder / "0.log").open("ab") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment
            )
        self.begun, self.ended = time.monotonic(), 0.0

    def end(self) -> None:
        if self.running() and self.process:
            self.process.send_signal(signal.SIGTERM)

    def wait(self) -> None:
        if self.process:
            try:
                self.process.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def mirror(self, uid: str, address: str) -> Object:
        """The pod as the API server shows it."""
        metadata = self.manifest["metadata"]
        annotations = {
            **(metadata.get("annotations") or {}),
            "kubernetes.io/config.hash": self.digest,
            "kubernetes.io/config.mirror": self.digest,
            "kubernetes.io/config.seen": self.seen,
            "kubernetes.io/config.source": "file",
        }
        owner = {"apiVersion": "v1", "kind": "Node", "name": self.node, "uid": uid, "controller": True}
        spec = {
            **self.manifest["spec"],
            "nodeName": self.node,
            "restartPolicy": "Always",
            "enableServiceLinks": True,
        }
        spec["tolerations"] = [{"effect": "NoExecute", "operator": "Exists"}]
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {
                "name": self.name,
                "namespace": metadata.get("namespace", "default"),
                "labels": metadata.get("labels") or {},
                "annotations": annotations,
                "ownerReferences": [owner],
            },
            "spec": spec,
            "status": self.status(address),
        }

    def status(self, address: str) -> Object:
        up = self.running()
        state = {"running": {"startedAt": self.seen}} if up else {"waiting": {"reason": "CrashLoopBackOff"}}
        conditions = ("PodReadyToStartContainers", "Initialized", "Ready", "ContainersReady", "PodScheduled")
        always = ("PodScheduled", "Initialized")
        return {
            "phase": "Running" if up or self.restarts else "Pending",
            "conditions": [{"type": c, "status": str(up or c in always)} for c in conditions],
            "hostIP": address,
            "podIP": address,
            "podIPs": [{"ip": address}],
            "startTime": self.seen,
            "qosClass": "Burstable",
            "containerStatuses": [
                {
                    "name": self.container["name"],
                    "image": self.container["image"],
                    "imageID": "",
                    "ready": up,
                    "started": up,
                    "restartCount": self.restarts,
                    "state": state,
                }
            ],
        }


class StaticPods:
    """All static pods of a folder, watched by reading it again and again."""

    def __init__(self, folder: str, node: str) -> None:
        self.folder, self.node = folder, node
        self.pods: dict[str, StaticPod] = {}
        self.gone: list[str] = []
        self._read: dict[str, tuple[tuple[int, int], tuple[dict[str, Any], str]]] = {}
        self._shown: dict[str, Object] = {}
        self._looked = 0.0

    def tend(self) -> None:
        wanted = self._manifests()
        for file in list(self.pods):
            if file not in wanted or wanted[file][1] != self.pods[file].digest:
                pod = self.pods.pop(file)
                pod.end()
                pod.wait()
                self.gone.append(pod.name)
        for file, (manifest, digest) in wanted.items():
            if file not in self.pods:
                self.pods[file] = StaticPod(manifest, digest, self.node)
            self.pods[file].tend()

    def _manifests(self) -> dict[str, tuple[dict[str, Any], str]]:
        """The manifests that are there, each with its hash; one is read again only when its file changed."""
        found = {}
        if not self.folder or not at(self.folder).is_dir():
            return {}
        for path in sorted(at(self.folder).iterdir()):
            # As kubelet does, every file counts but those whose name begins with a dot.
            if path.name.startswith("."):
                continue
            with contextlib.suppress(OSError, yaml.YAMLError, KeyError, TypeError, IndexError):
                state = path.stat()
                seen = (state.st_mtime_ns, state.st_ino)
                if self._read.get(path.name, ((), ()))[0] != seen:
                    self._read[path.name] = seen, _manifest(path)
                found[path.name] = self._read[path.name][1]
        return found

    def stop(self) -> None:
        for pod in self.pods.values():
            pod.end()
        for pod in self.pods.values():
            pod.wait()

    def show(self, api: Api, uid: str, address: str) -> None:
        """Bring the mirror pods to what runs; where nothing has changed here, look only now and then."""
        for name in list(self.gone):
            _forget(api, name)
            self.gone.remove(name)
            self._shown.pop(name, None)
        due = time.monotonic() >= self._looked + SHOW_SECONDS
        if due:
            self._looked = time.monotonic()
        for pod in list(self.pods.values()):
            mirror = pod.mirror(uid, address)
            if due or self._shown.get(pod.name) != mirror:
                _show(api, mirror)
                self._shown[pod.name] = mirror


def _manifest(path: Path) -> tuple[dict[str, Any], str]:
    manifest = yaml.safe_load(path.read_text())
    _ = manifest["metadata"]["name"], manifest["spec"]["containers"][0]["command"][0]
    text = json.dumps(manifest, sort_keys=True)
    return manifest, hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()


def _show(api: Api, mirror: Object) -> None:
    """Make a mirror pod, make it anew if it is of another manifest or node, and tell its status."""
    name, folder = mirror["metadata"]["name"], f"/api/v1/namespaces/{mirror['metadata']['namespace']}/pods"
    known = api.find(f"{folder}/{name}")
    if known:
        digest = (known["metadata"].get("annotations") or {}).get("kubernetes.io/config.hash")
        owners = [owner.get("uid") for owner in known["metadata"].get("ownerReferences") or []]
        wanted = mirror["metadata"]
        if (digest, owners) != (
            wanted["annotations"]["kubernetes.io/config.hash"],
            [wanted["ownerReferences"][0]["uid"]],
        ):
            _forget(api, name)
            known = None
    if known is None:
        known = api.create(folder, mirror)
    if known.get("status") != mirror["status"]:
        api.call("PUT", f"{folder}/{name}/status", {**known, "status": mirror["status"]})


def _forget(api: Api, name: str) -> None:
    with contextlib.suppress(ApiError):
        api.delete(f"/api/v1/namespaces/kube-system/pods/{name}?gracePeriodSeconds=0")
