"""The manifests of the static pods: the same flags, labels and probes that kubeadm 1.33 writes."""

from __future__ import annotations

from typing import Any

import yaml
from common.documents import Document
from common.host import at, write
from kubeadm.configuration import COMPANIONS, Configuration, minor

FOLDER, PKI = "/etc/kubernetes/manifests", "/etc/kubernetes/pki"
CONTROL_PLANE = ["kube-apiserver", "kube-controller-manager", "kube-scheduler"]


def write_manifest(
    configuration: Configuration, component: str, folder: str = FOLDER, **options: Any
) -> None:
    text = yaml.safe_dump(manifest(configuration, component, **options), sort_keys=False)
    write(f"{folder}/{component}.yaml", text)


def manifest(configuration: Configuration, component: str, members: str = "") -> Document:
    """The static pod of a component; ``members`` is etcd's initial cluster when it joins one."""
    cluster, address = configuration.cluster, configuration.address
    port = configuration.endpoint["bindPort"]
    repository, release = cluster["imageRepository"], cluster["kubernetesVersion"]
    image = f"{repository}/{component}:{release}"
    if component == "etcd":
        tag = cluster["etcd"]["local"].get("imageTag") or COMPANIONS[minor(release)]["etcd"]
        image = f"{cluster['etcd']['local'].get('imageRepository') or repository}/etcd:{tag}"
        flags, extra = _etcd(configuration, members), cluster["etcd"]["local"]
        probe, annotation = (
            ("HTTP", "127.0.0.1", 2381, "/readyz"),
            ("etcd.advertise-client-urls", f"https://{address}:2379"),
        )
        mounts, cpu = {"etcd-data": cluster["etcd"]["local"]["dataDir"], "etcd-certs": f"{PKI}/etcd"}, "100m"
    elif component == "kube-apiserver":
        flags, extra = _apiserver(configuration), cluster["apiServer"]
        probe = ("HTTPS", address, port, "/livez")
        annotation = ("kube-apiserver.advertise-address.endpoint", f"{address}:{port}")
        mounts, cpu = {"ca-certs": "/etc/ssl/certs", "k8s-certs": PKI}, "250m"
    elif component == "kube-controller-manager":
        flags, extra = _controller_manager(configuration), cluster["controllerManager"]
        probe, annotation = ("HTTPS", "127.0.0.1", 10257, "/healthz"), ("", "")
        mounts = {
            "ca-certs": "/etc/ssl/certs",
            "k8s-certs": PKI,
            "kubeconfig": "/etc/kubernetes/controller-manager.conf",
        }
        cpu = "200m"
    else:
        flags, extra = _scheduler(), cluster["scheduler"]
        probe, annotation = ("HTTPS", "127.0.0.1", 10259, "/livez"), ("", "")
        mounts, cpu = {"kubeconfig": "/etc/kubernetes/scheduler.conf"}, "100m"
    flags = {**flags, **{entry["name"]: entry["value"] for entry in extra.get("extraArgs") or []}}
    key, value = annotation
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            **({"annotations": {f"kubeadm.kubernetes.io/{key}": value}} if key else {}),
            "labels": {"component": component, "tier": "control-plane"},
            "name": component,
            "namespace": "kube-system",
        },
        "spec": {
            "containers": [
                {
                    "command": [component, *(f"--{name}={flags[name]}" for name in sorted(flags))],
                    "image": image,
                    "imagePullPolicy": "IfNotPresent",
                    "livenessProbe": _probe(*probe),
                    "name": component,
                    "resources": {"requests": {"cpu": cpu}},
                    "startupProbe": _probe(*probe),
                    "volumeMounts": [{"mountPath": path, "name": name} for name, path in mounts.items()],
                    **({"env": extra["extraEnvs"]} if extra.get("extraEnvs") else {}),
                }
            ],
            "hostNetwork": True,
            "priority": 2000001000,
            "priorityClassName": "system-node-critical",
            "securityContext": {"seccompProfile": {"type": "RuntimeDefault"}},
            "volumes": [{"hostPath": {"path": path}, "name": name} for name, path in mounts.items()],
        },
        "status": {},
    }


def existing(component: str) -> Document | None:
    """The manifest that is in place."""
    path = at(f"{FOLDER}/{component}.yaml")
    return yaml.safe_load(path.read_text()) if path.exists() else None


def _probe(scheme: str, host: str, port: int, path: str) -> dict[str, Any]:
    get = {"host": host, "path": path, "port": port, "scheme": scheme}
    return {
        "failureThreshold": 8,
        "httpGet": get,
        "initialDelaySeconds": 10,
        "periodSeconds": 10,
        "timeoutSeconds": 15,
    }


def _apiserver(configuration: Configuration) -> dict[str, str]:
    networking = configuration.cluster["networking"]
    return {
        "advertise-address": configuration.address,
        "allow-privileged": "true",
        "authorization-mode": "Node,RBAC",
        "client-ca-file": f"{PKI}/ca.crt",
        "enable-admission-plugins": "NodeRestriction",
        "enable-bootstrap-token-auth": "true",
        "etcd-cafile": f"{PKI}/etcd/ca.crt",
        "etcd-certfile": f"{PKI}/apiserver-etcd-client.crt",
        "etcd-keyfile": f"{PKI}/apiserver-etcd-client.key",
        "etcd-servers": "https://127.0.0.1:2379",
        "kubelet-client-certificate": f"{PKI}/apiserver-kubelet-client.crt",
        "kubelet-client-key": f"{PKI}/apiserver-kubelet-client.key",
        "kubelet-preferred-address-types": "InternalIP,ExternalIP,Hostname",
        "proxy-client-cert-file": f"{PKI}/front-proxy-client.crt",
        "proxy-client-key-file": f"{PKI}/front-proxy-client.key",
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-client-ca-file": f"{PKI}/front-proxy-ca.crt",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-username-headers": "X-Remote-User",
        "secure-port": str(configuration.endpoint["bindPort"]),
        "service-account-issuer": f"https://kubernetes.default.svc.{networking['dnsDomain']}",
        "service-account-key-file": f"{PKI}/sa.pub",
        "service-account-signing-key-file": f"{PKI}/sa.key",
        "service-cluster-ip-range": networking["serviceSubnet"],
        "tls-cert-file": f"{PKI}/apiserver.crt",
        "tls-private-key-file": f"{PKI}/apiserver.key",
    }


def _controller_manager(configuration: Configuration) -> dict[str, str]:
    networking, own = configuration.cluster["networking"], "/etc/kubernetes/controller-manager.conf"
    flags = {
        "authentication-kubeconfig": own,
        "authorization-kubeconfig": own,
        "bind-address": "127.0.0.1",
        "client-ca-file": f"{PKI}/ca.crt",
        "cluster-name": configuration.cluster["clusterName"],
        "cluster-signing-cert-file": f"{PKI}/ca.crt",
        "cluster-signing-key-file": f"{PKI}/ca.key",
        "controllers": "*,bootstrapsigner,tokencleaner",
        "kubeconfig": own,
        "leader-elect": "true",
        "requestheader-client-ca-file": f"{PKI}/front-proxy-ca.crt",
        "root-ca-file": f"{PKI}/ca.crt",
        "service-account-private-key-file": f"{PKI}/sa.key",
        "use-service-account-credentials": "true",
    }
    if networking.get("podSubnet"):
        flags |= {
            "allocate-node-cidrs": "true",
            "cluster-cidr": networking["podSubnet"],
            "service-cluster-ip-range": networking["serviceSubnet"],
        }
    return flags


def _scheduler() -> dict[str, str]:
    own = "/etc/kubernetes/scheduler.conf"
    return {
        "authentication-kubeconfig": own,
        "authorization-kubeconfig": own,
        "bind-address": "127.0.0.1",
        "kubeconfig": own,
        "leader-elect": "true",
    }


def _etcd(configuration: Configuration, members: str) -> dict[str, str]:
    address, name, pki = configuration.address, configuration.name, f"{PKI}/etcd"
    flags = {
        "advertise-client-urls": f"https://{address}:2379",
        "cert-file": f"{pki}/server.crt",
        "client-cert-auth": "true",
        "data-dir": configuration.cluster["etcd"]["local"]["dataDir"],
        # etcd 3.6 has these two under other names; the distribution's etcd, which runs here, is older.
        "experimental-initial-corrupt-check": "true",
        "experimental-watch-progress-notify-interval": "5s",
        "initial-advertise-peer-urls": f"https://{address}:2380",
        "initial-cluster": members or f"{name}=https://{address}:2380",
        "key-file": f"{pki}/server.key",
        "listen-client-urls": f"https://127.0.0.1:2379,https://{address}:2379",
        "listen-metrics-urls": "http://127.0.0.1:2381",
        "listen-peer-urls": f"https://{address}:2380",
        "name": name,
        "peer-cert-file": f"{pki}/peer.crt",
        "peer-client-cert-auth": "true",
        "peer-key-file": f"{pki}/peer.key",
        "peer-trusted-ca-file": f"{pki}/ca.crt",
        "snapshot-count": "10000",
        "trusted-ca-file": f"{pki}/ca.crt",
    }
    return flags | ({"initial-cluster-state": "existing"} if members else {})
