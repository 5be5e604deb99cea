"""What follows from a deletion: dependents of an owner, and all that is in a namespace.

The work of kube-controller-manager's garbage collector and namespace controller, done here because clients
see it as the API's own: ``kubectl delete namespace`` waits for it.
"""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time

from apiserver.access import User
from apiserver.errors import StatusError
from apiserver.etcd import EtcdError
from apiserver.objects import Object, decoded
from apiserver.request import Request, Target
from apiserver.resources import Registry, Resource, built_in, of_definition
from apiserver.rest import Rest

# Kinds that come and go often and own nothing here: to look for what they own is to read everything.
_NEVER_OWNERS = frozenset(
    ["events", "leases", "endpoints", "endpointslices", "configmaps", "secrets", "pods"]
)
# Seconds between two looks at what finalizers still hold.
_AGAIN = 1.0
_SYSTEM = User("system:apiserver", ("system:masters", "system:authenticated"))


class Collector:
    """Deletes in the background what has to follow."""

    def __init__(self) -> None:
        self._work: queue.Queue[tuple[Resource, Object]] = queue.Queue()

    def removed(self, resource: Resource, obj: Object) -> None:
        """An object is gone, or is to go and waits for its finalizers."""
        if resource.plural not in _NEVER_OWNERS:
            self._work.put((resource, obj))

    def start(self, rest: Rest, registry: Registry) -> None:
        self._rest, self._registry = rest, registry
        stored, _ = rest.etcd.list(built_in("namespaces").prefix)
        for namespace in (decoded(built_in("namespaces"), each) for each in stored):
            if "deletionTimestamp" in namespace["metadata"]:
                self.removed(built_in("namespaces"), namespace)  # a restart came between
        threading.Thread(target=self._run, daemon=True).start()

    def _run(self) -> None:
        while True:
            resource, obj = self._work.get()
            try:
                self._follow(resource, obj)
            except (EtcdError, StatusError) as failed:
                print(f"collector: {resource.plural}/{obj['metadata']['name']}: {failed}", flush=True)
                threading.Timer(_AGAIN, self._work.put, [(resource, obj)]).start()

    def _follow(self, resource: Resource, obj: Object) -> None:
        if resource.plural == "namespaces":
            if obj.get("spec", {}).get("finalizers"):
                self._empty(resource, obj)
        elif resource.plural == "customresourcedefinitions":
            for instances in of_definition(obj)[:1]:
                self._delete_all(instances, "")
        self._dependents(obj)

    def _empty(self, resource: Resource, namespace: Object) -> None:
        """Delete what is in a namespace; when nothing is left, let it go."""
        name = namespace["metadata"]["name"]
        namespaced = {each.prefix: each for each in self._registry.all() if each.namespaced}.values()
        left = sum(self._delete_all(each, name) for each in namespaced)
        if left:
            threading.Timer(_AGAIN, self._work.put, [(resource, namespace)]).start()
            return

        def finalized(obj: Object) -> Object:
            obj["spec"]["finalizers"] = []
            return obj

        request = Request("PUT", "", {}, {"user-agent": "kube-apiserver"}, user=_SYSTEM)
        with contextlib.suppress(StatusError):
            self._rest.change(request, Target(resource, "", name, "finalize"), finalized)

    def _delete_all(self, resource: Resource, namespace: str) -> int:
        """Delete the objects of a resource; answer how many finalizers still hold."""
        stored, _ = self._rest.etcd.list(resource.below(namespace))
        for each in stored:
            self._delete(resource, decoded(resource, each))
        return len(self._rest.etcd.list(resource.below(namespace))[0]) if stored else 0

    def _dependents(self, owner: Object) -> None:
        uid = owner["metadata"].get("uid", "")
        if not uid or ("deletionTimestamp" in owner["metadata"] and owner["metadata"].get("finalizers")):
            return
        stored, _ = self._rest.etcd.list("/registry/")
        holding = [each for each in stored if uid.encode() in each.value]
        for resource in self._registry.all() if holding else []:
            for each in holding:
                if not each.key.startswith(resource.prefix):
                    continue
                obj = json.loads(each.value)
                if (obj.get("kind"), obj.get("apiVersion")) != (resource.kind, resource.api_version):
                    continue
                owners = obj["metadata"].get("ownerReferences") or []
                others = [reference for reference in owners if reference.get("uid") != uid]
                if len(others) == len(owners):
                    continue
                if others or owner.get("orphans"):
                    self._disown(resource, obj, uid)
                else:
                    self._delete(resource, obj)

    def _disown(self, resource: Resource, obj: Object, uid: str) -> None:
        def disowned(live: Object) -> Object:
            owners = live["metadata"].pop("ownerReferences", None) or []
            if others := [each for each in owners if each.get("uid") != uid]:
                live["metadata"]["ownerReferences"] = others
            return live

        request = Request("PUT", "", {}, {"user-agent": "kube-apiserver"}, user=_SYSTEM)
        with contextlib.suppress(StatusError):
            self._rest.change(request, _target(resource, obj), disowned)

    def _delete(self, resource: Resource, obj: Object) -> None:
        if "deletionTimestamp" in obj["metadata"]:
            return
        request = Request("DELETE", "", {}, {"user-agent": "kube-apiserver"}, user=_SYSTEM)
        with contextlib.suppress(StatusError):  # gone already
            self._rest.delete(request, _target(resource, obj))


def _target(resource: Resource, obj: Object) -> Target:
    return Target(resource, obj["metadata"].get("namespace", ""), obj["metadata"]["name"], "")


class Beginnings:
    """What the API server creates by itself when it starts: four namespaces and the service kubernetes."""

    def __init__(self, rest: Rest, address: str, port: int) -> None:
        self._rest, self._address, self._port = rest, address, port
        self.done = False

    def run(self) -> None:
        """Try until it is done: etcd may come later."""
        while not self.done:
            try:
                for name in ("default", "kube-system", "kube-public", "kube-node-lease"):
                    self._ensure("namespaces", "", {"metadata": {"name": name}})
                self._ensure("services", "default", self._service())
                self._reachable()
                self.done = True
            except EtcdError as failed:
                print(f"kube-apiserver: {failed}", flush=True)
                time.sleep(0.5)

    def _service(self) -> Object:
        labels = {"component": "apiserver", "provider": "kubernetes"}
        ports = [{"name": "https", "port": 443, "protocol": "TCP", "targetPort": self._port}]
        spec = {"type": "ClusterIP", "clusterIP": self._rest.services.api_address, "ports": ports}
        return {"metadata": {"name": "kubernetes", "labels": labels}, "spec": spec}

    def _reachable(self) -> None:
        """Add this server to those behind the service."""
        ports = [{"name": "https", "port": self._port, "protocol": "TCP"}]
        mine = {"ip": self._address}
        subsets = [{"addresses": [mine], "ports": ports}]
        target = self._ensure(
            "endpoints", "default", {"metadata": {"name": "kubernetes"}, "subsets": subsets}
        )

        def known(obj: Object) -> Object:
            addresses = obj["subsets"][0]["addresses"]
            obj["subsets"][0]["addresses"] = addresses if mine in addresses else [*addresses, mine]
            return obj

        self._rest.change(self._request(), target, known)

    def _ensure(self, plural: str, namespace: str, obj: Object) -> Target:
        target = Target(built_in(plural), namespace, obj["metadata"]["name"], "")
        try:
            self._rest.add(self._request(), target, obj)
        except StatusError as refused:
            if refused.body["reason"] != "AlreadyExists":
                raise
        return target

    def _request(self) -> Request:
        return Request("POST", "", {}, {"user-agent": "kube-apiserver"}, user=_SYSTEM)


def compact(rest: Rest, every: float) -> None:
    """Every now and then forget what was before the last time, as kube-apiserver has etcd do."""
    revision = 0
    while True:
        time.sleep(every)
        with contextlib.suppress(EtcdError):  # another API server was faster
            if revision:
                rest.etcd.compact(revision)
            revision = rest.etcd.get("health")[1]
