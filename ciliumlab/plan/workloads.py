"""The example workloads of the reference lab: something to reach, from somewhere to look."""

from __future__ import annotations

from typing import Any

from ciliumlab.plan.kubeadm import control_plane
from ciliumlab.plan.objects import made, segment_labels
from ciliumlab.settings import Settings
from ciliumlab.topology import Topology

_NAMESPACE = "default"
_REPLICAS = 3  # of each Deployment, in the reference lab one a node
_PORT = 8080
_SHARING_KEY = "1234"

# Answers one request after the other with the name of its pod. The answer says how long it is, so that a
# client need not wait for the connection's end.
_ANSWER = r"""
while true; do
  body="OK from $POD_NAME"
  {
    printf 'HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\n'
    printf 'Content-Length: %s\r\n\r\n%s\n' "$((${#body} + 1))" "$body"
  } | nc -l -p "$PORT" -q 1 > /dev/null
done
""".strip()


def workloads(topology: Topology, settings: Settings) -> list[dict[str, Any]]:
    """webpod, curl-pod, netshoot-web and netshoot-web2, if they are wanted."""
    if not settings.workloads:
        return []
    whoami = _image(settings, "whoami")
    netshoot = _image(settings, "netshoot")
    return [
        _spread(_deployment("webpod", {"name": "webpod", "image": whoami}, 80), _room(topology, settings)),
        _webpod(topology),
        _curl_pod(topology, netshoot),
        _deployment("netshoot-web", _web(netshoot), _PORT),
        _netshoot_service("netshoot-web", 80, topology),
        _netshoot_service("netshoot-web2", _PORT, topology),
    ]


def _image(settings: Settings, name: str) -> str:
    """The image by its published digest, so that it is the same one on every node and in every mirror."""
    reference = settings.workload_images[name]
    digest = settings.image_digests.get(reference, "")
    return f"{reference}@{digest}" if digest else reference


def _deployment(app: str, container: dict[str, Any], port: int) -> dict[str, Any]:
    labels = {"app": app}
    pod = {
        "containers": [{**container, "ports": [{"containerPort": port}]}],
        "terminationGracePeriodSeconds": 0,
    }
    spec = {
        "replicas": _REPLICAS,
        "selector": {"matchLabels": labels},
        "template": {"metadata": {"labels": labels}, "spec": pod},
    }
    return made("apps/v1", "Deployment", app, "workloads", spec, namespace=_NAMESPACE, labels=labels)


def _spread(deployment: dict[str, Any], room: int) -> dict[str, Any]:
    """The Deployment with its pods on as many nodes, of which there are ``room``: each keeps away from its
    own kind.
    """
    spec = deployment["spec"]
    term = {"labelSelector": spec["selector"], "topologyKey": "kubernetes.io/hostname"}
    affinity = {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}
    template = {**spec["template"], "spec": {**spec["template"]["spec"], "affinity": affinity}}
    # With a pod on every node, a new one has room only where an old one has gone.
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 0, "maxUnavailable": 1}}
    replicas = min(spec["replicas"], room)
    return {
        **deployment,
        "spec": {**spec, "replicas": replicas, "template": template, "strategy": strategy},
    }


def _room(topology: Topology, settings: Settings) -> int:
    """How many nodes take pods; without any worker one pod is left to wait, which shows what is wrong."""
    if settings.schedule_on_control_plane:
        return len(topology.nodes)
    return max(1, sum(node.role == "worker" for node in topology.nodes))


def _web(image: str) -> dict[str, Any]:
    return {
        "name": "netshoot",
        "image": image,
        "command": ["sh", "-c", _ANSWER],
        "env": [
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
            {"name": "PORT", "value": str(_PORT)},
        ],
    }


def _webpod(topology: Topology) -> dict[str, Any]:
    """Reached from outside where there are pools, and inside the cluster in any case."""
    kind = "LoadBalancer" if topology.pools else "ClusterIP"
    return _service("webpod", "webpod", 80, 80, kind, topology)


def _netshoot_service(name: str, port: int, topology: Topology) -> dict[str, Any]:
    """Two services on one address: the last of the first pool, on different ports."""
    if not topology.pools:
        return _service(name, "netshoot-web", port, _PORT, "ClusterIP", topology)
    annotations = {
        "lbipam.cilium.io/ips": str(topology.pools[0].stop),
        "lbipam.cilium.io/sharing-key": _SHARING_KEY,
    }
    return _service(name, "netshoot-web", port, _PORT, "LoadBalancer", topology, annotations)


def _service(
    name: str,
    app: str,
    port: int,
    target: int,
    kind: str,
    topology: Topology,
    annotations: dict[str, str] | None = None,
) -> dict[str, Any]:
    segment = segment_labels(topology, topology.pools[0].segment) if topology.pools else {}
    return made(
        "v1",
        "Service",
        name,
        "workloads",
        {
            "type": kind,
            "selector": {"app": app},
            "ports": [{"name": "http", "protocol": "TCP", "port": port, "targetPort": target}],
        },
        namespace=_NAMESPACE,
        labels={"app": app, **segment},
        annotations=annotations,
    )


def _curl_pod(topology: Topology, image: str) -> dict[str, Any]:
    first, *_ = control_plane(topology)
    spec = {
        "nodeName": first.name,
        "containers": [{"name": "curl", "image": image, "command": ["sleep", "infinity"]}],
        "terminationGracePeriodSeconds": 0,
    }
    labels = {"app": "curl"}
    return made("v1", "Pod", "curl-pod", "workloads", spec, namespace=_NAMESPACE, labels=labels)
