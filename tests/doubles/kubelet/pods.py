"""All pods that the API server has for this node."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable

from common.api import Api, ApiError, Object, Unreachable
from common.cache import Cache
from common.host import fault
from common.kubeconfig import kubeconfig
from kubelet import network
from kubelet.pod import Pod, Surroundings
from kubelet.record import Record, recorded

TICK_SECONDS, STOP_SECONDS = 0.5, 5


class Pods:
    """Runs them until it is told to stop, and tells the API server how they are."""

    def __init__(self, connect: Callable[[], Api], around: Surroundings) -> None:
        self.around, self._connect = around, connect
        self.pods: dict[str, Pod] = {}
        self._changed = threading.Event()
        query = f"fieldSelector=spec.nodeName%3D{around.name}"
        self._cache = Cache(connect, "/api/v1/pods", self._changed, query)
        self._api: Api | None = None
        self._said: dict[str, str] = {}

    def keep(self, stopping: threading.Event) -> None:
        self._cache.start()
        while not stopping.is_set():
            if self._cache.synced:
                self.round()
            self._changed.wait(TICK_SECONDS)
            self._changed.clear()
        self._cache.stop()

    def round(self) -> None:
        """One look at everything. What fails is said once, and tried again."""
        try:
            api = self._api = self._api or self._connect()
            self._look(api)
            self._say("", "")
        except (ApiError, Unreachable, OSError) as error:
            self._api = None
            self._say("", str(error))

    def _say(self, of: str, error: str) -> None:
        """Log what is wrong with a pod, or with all of them, when it is another thing than before."""
        if error and error != self._said.get(of):
            pod = f' pod="{of}"' if of else ""
            print(f'E "Error syncing pod, skipping" err="{error}"{pod}', file=sys.stderr, flush=True)
        self._said = {**self._said, of: error} if error else {k: v for k, v in self._said.items() if k != of}

    def _look(self, api: Api) -> None:
        wanted = {obj["metadata"]["uid"]: obj for obj in self._cache.all() if not _is_mirror(obj)}
        self._clear_leftovers(set(wanted))
        for uid, obj in wanted.items():
            if uid not in self.pods:
                self.pods[uid] = Pod(obj, self.around)
            self.pods[uid].obj = obj
        ending = [pod for pod in self.pods.values() if "deletionTimestamp" in pod.obj["metadata"]]
        lost = [pod for uid, pod in self.pods.items() if uid not in wanted]
        alive = [pod for pod in self.pods.values() if pod not in [*ending, *lost] and not pod.has_ended]
        never_ready = fault("pod-never-ready")
        for pod in alive:
            used = {other.record.address for other in self.pods.values()}
            try:
                pod.tend(api, used, never_ready)
                self._say(pod.of, pod.why)
            except (ApiError, Unreachable, OSError) as error:
                # One pod that cannot be helped leaves the others alone.
                self._say(pod.of, str(error))
        for pod in lost:
            # Deleted by force: there is nobody to be told.
            if pod.end(pod.obj["spec"].get("terminationGracePeriodSeconds", 30)):
                self._forget(pod)
        for pod in alive:
            self._tell(api, pod)
        for pod in ending:
            if pod not in lost:
                self._end(api, pod)

    def _clear_leftovers(self, wanted: set[str]) -> None:
        """What a kubelet before this one left of pods that are gone meanwhile."""
        for uid in set(recorded(self.around.name)) - wanted - set(self.pods):
            clear(self.around.name, uid)

    def _end(self, api: Api, pod: Pod) -> None:
        if not pod.end(pod.obj["metadata"].get("deletionGracePeriodSeconds", 30)):
            return
        self._forget(pod)
        options = {"gracePeriodSeconds": 0, "preconditions": {"uid": pod.uid}}
        try:
            api.call("DELETE", _place(pod.obj), options)
        except ApiError as error:
            if error.status not in (404, 409):
                raise
        self._cache.forget(pod.obj)

    def _forget(self, pod: Pod) -> None:
        pod.clear()
        self._say(pod.of, "")
        del self.pods[pod.uid]

    def _tell(self, api: Api, pod: Pod) -> None:
        known, status = pod.obj.get("status") or {}, pod.status()
        if known == status:
            return
        change = {"metadata": {"uid": pod.uid}, "status": {**dict.fromkeys(known), **status}}
        try:
            self._cache.learn(api.patch(f"{_place(pod.obj)}/status", change))
        except ApiError as error:
            if error.status not in (404, 409):
                raise

    def stop(self) -> None:
        """End all processes; they are pods of this node as before, and begin again with the next kubelet."""
        until = time.monotonic() + STOP_SECONDS
        pods = list(self.pods.values())
        for pod in pods:
            pod.end(STOP_SECONDS)
        while time.monotonic() < until + 1 and not all(pod.end(STOP_SECONDS) for pod in pods):
            time.sleep(0.05)


def clear(node: str, uid: str) -> None:
    """Leave nothing of a pod whose kubelet is no more."""
    record = Record.read(node, uid)
    record.stop_leftovers()
    network.detach(record.netns, record.address)
    record.remove()


def _is_mirror(obj: Object) -> bool:
    return "kubernetes.io/config.mirror" in (obj["metadata"].get("annotations") or {})


def _place(obj: Object) -> str:
    return f"/api/v1/namespaces/{obj['metadata']['namespace']}/pods/{obj['metadata']['name']}"


def kubeconfigs(cluster: Callable[[], Object]) -> Callable[[Api, Object, Object], str]:
    """How pods get the kubeconfig of their service account; ``cluster`` is the entry of kubelet's own."""

    def issued(api: Api, pod: Object, container: Object) -> str:
        metadata, account = pod["metadata"], pod["spec"].get("serviceAccountName") or "default"
        bound = {"kind": "Pod", "apiVersion": "v1", "name": metadata["name"], "uid": metadata["uid"]}
        request = {
            "apiVersion": "authentication.k8s.io/v1",
            "kind": "TokenRequest",
            "spec": {"audiences": [], "boundObjectRef": bound},
        }
        place = f"/api/v1/namespaces/{metadata['namespace']}/serviceaccounts/{account}/token"
        token = api.create(place, request)["status"]["token"]
        own = cluster()
        # Who has been told another address of the API server goes there, right or wrong.
        given = {entry["name"]: entry.get("value") for entry in container.get("env") or []}
        server = own["server"]
        if given.get("KUBERNETES_SERVICE_HOST"):
            server = (
                f"https://{given['KUBERNETES_SERVICE_HOST']}:{given.get('KUBERNETES_SERVICE_PORT') or 443}"
            )
        return kubeconfig(server, own["ca"], "default", account, {"token": token})

    return issued
