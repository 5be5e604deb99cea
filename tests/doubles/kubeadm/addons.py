"""CoreDNS and kube-proxy, as objects: their pods are placed as the real ones, and do nothing."""

from __future__ import annotations

import json

from common.api import Api, Object
from common.documents import Document
from kubeadm.cluster import CONFIG_MAPS, config_map
from kubeadm.configuration import dns_image
from kubeadm.phases import say


def dns_addon(api: Api, cluster: Document) -> None:
    if (cluster.get("dns") or {}).get("disabled"):
        return
    image = dns_image(cluster)
    domain = cluster["networking"]["dnsDomain"]
    plugins = [
        "errors",
        "health",
        "ready",
        f"kubernetes {domain} in-addr.arpa ip6.arpa",
        "forward . /etc/resolv.conf",
    ]
    corefile = "\n    ".join([".:53 {", *plugins, "cache 30"]) + "\n}\n"
    api.put(CONFIG_MAPS.format("kube-system"), config_map("coredns", "kube-system", {"Corefile": corefile}))
    api.put(
        "/apis/apps/v1/namespaces/kube-system/deployments",
        _deployment("coredns", "kube-dns", image, 2),
    )
    say("[addons] Applied essential addon: CoreDNS")


def proxy_addon(api: Api, cluster: Document) -> None:
    if (cluster.get("proxy") or {}).get("disabled"):
        return
    image = f"{cluster['imageRepository']}/kube-proxy:{cluster['kubernetesVersion']}"
    data = {
        "config.conf": json.dumps(
            {"apiVersion": "kubeproxy.config.k8s.io/v1alpha1", "kind": "KubeProxyConfiguration"}
        )
    }
    api.put(
        CONFIG_MAPS.format("kube-system"), config_map("kube-proxy", "kube-system", data, app="kube-proxy")
    )
    api.put(
        "/apis/apps/v1/namespaces/kube-system/daemonsets",
        _daemon_set("kube-proxy", "kube-proxy", image),
    )
    say("[addons] Applied essential addon: kube-proxy")


def _deployment(name: str, app: str, image: str, replicas: int) -> Object:
    tolerated = [
        {"key": "CriticalAddonsOnly", "operator": "Exists"},
        {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"},
    ]
    pod = {"priorityClassName": "system-cluster-critical", "tolerations": tolerated}
    strategy = {"type": "RollingUpdate", "rollingUpdate": {"maxUnavailable": 1}}
    return _workload("Deployment", name, app, image, pod, replicas=replicas, strategy=strategy)


def _daemon_set(name: str, app: str, image: str) -> Object:
    everywhere = {"hostNetwork": True, "tolerations": [{"operator": "Exists"}]}
    pod = {"priorityClassName": "system-node-critical", **everywhere}
    return _workload("DaemonSet", name, app, image, pod, updateStrategy={"type": "RollingUpdate"})


def _workload(kind: str, name: str, app: str, image: str, pod: Object, **spec: object) -> Object:
    labels = {"k8s-app": app}
    containers = [{"name": name, "image": image}]
    return {
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name, "namespace": "kube-system", "labels": labels},
        "spec": {
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": containers, "nodeSelector": {"kubernetes.io/os": "linux"}, **pod},
            },
            **spec,
        },
    }
