"""Nodes with kubelets over an API server, and the controllers that keep them busy."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from base64 import b64encode
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from .cluster import DOUBLES, Cluster, free_port

_CONTROLLERS = (
    ("manager", "kube-controller-manager", ["--allocate-node-cidrs=true", "--cluster-cidr=10.244.0.0/16"]),
    ("scheduler", "kube-scheduler", []),
)


class Machines(ExitStack):
    """``root`` holds the files of all of them: faults and a CNI configuration are common to all nodes."""

    def __init__(self, cluster: Cluster, root: Path) -> None:
        super().__init__()
        self.cluster, self.root = cluster, root
        (root / "etc/cni/net.d").mkdir(parents=True)
        self.faults = root / "etc/kubernetes-double/faults"
        self.faults.mkdir(parents=True)
        self.kubelets: dict[str, tuple[Any, threading.Event, threading.Thread]] = {}
        self.kubectl = cluster.client("kubectl")

    def connect_network(self) -> None:
        (self.root / "etc/cni/net.d/05-test.conflist").write_text("{}")

    def disconnect_network(self) -> None:
        (self.root / "etc/cni/net.d/05-test.conflist").unlink()

    def forget_memory(self) -> None:
        """What lies in memory is gone, as after a boot."""
        shutil.rmtree(self.root / "run")

    def control(self) -> None:
        """Start the controllers as programs of their own."""
        for module, name, flags in _CONTROLLERS:
            config = self._kubeconfig(name, f"/CN=system:{name}")
            command = [
                sys.executable, "-m", f"controllers.{module}", f"--kubeconfig=/{config}",
                f"--secure-port={free_port()}", *flags,
            ]  # fmt: skip
            environment = {
                **os.environ,
                "PYTHONPATH": str(DOUBLES),
                "KUBERNETES_DOUBLE_ROOT": str(self.root),
            }
            with (self.root / f"{module}.log").open("ab") as log:
                process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
            self.callback(process.wait)
            self.callback(process.terminate)

    def node(self, name: str, **labels: str) -> None:
        """Register a node that is ready and stays so, and start its kubelet."""
        node = {
            "apiVersion": "v1",
            "kind": "Node",
            "metadata": {
                "name": name,
                "labels": {"kubernetes.io/os": "linux", "kubernetes.io/hostname": name, **labels},
            },
            "status": {"conditions": [{"type": "Ready", "status": "True"}]},
        }
        lease = {
            "apiVersion": "coordination.k8s.io/v1",
            "kind": "Lease",
            "metadata": {"name": name, "namespace": "kube-node-lease"},
            "spec": {"holderIdentity": name, "renewTime": "2999-01-01T00:00:00.000000Z"},
        }
        for obj in (lease, node):
            self.kubectl("create", "-f", "-", stdin=json.dumps(obj))
        self.start_kubelet(name)

    def start_kubelet(self, name: str) -> None:
        from common.api import Api
        from kubelet.node import network_is_ready
        from kubelet.pod import Surroundings
        from kubelet.pods import Pods, kubeconfigs

        config = self._kubeconfig(name, f"/O=system:nodes/CN=system:node:{name}")
        address = f"192.0.2.{10 + len(self.kubelets)}"
        server = {"server": self.cluster.api.url, "ca": self.cluster.certificates.ca.read_text()}
        around = Surroundings(name, address, network_is_ready, kubeconfigs(lambda: server))
        pods, stopping = Pods(lambda: Api.of(f"/{config}"), around), threading.Event()
        thread = threading.Thread(target=pods.keep, args=[stopping], daemon=True)
        thread.start()
        self.kubelets[name] = pods, stopping, thread
        self.callback(self.stop_kubelet, name)

    def stop_kubelet(self, name: str) -> None:
        if name in self.kubelets:
            pods, stopping, thread = self.kubelets.pop(name)
            stopping.set()
            thread.join(10)
            pods.stop()

    def fault(self, name: str, said: str = "") -> None:
        (self.faults / name).write_text(said)

    def heal(self) -> None:
        for path in self.faults.iterdir():
            path.unlink()

    def _kubeconfig(self, name: str, subject: str) -> str:
        """A kubeconfig below the root that holds all it needs; its path there."""
        certificate, key = self.cluster.certificates.sign(name, subject)
        user = {
            "client-certificate-data": b64encode(certificate.read_bytes()).decode(),
            "client-key-data": b64encode(key.read_bytes()).decode(),
        }
        ca = b64encode(self.cluster.certificates.ca.read_bytes()).decode()
        config = {
            "current-context": "test",
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "test"}}],
            "clusters": [
                {
                    "name": "test",
                    "cluster": {"server": self.cluster.api.url, "certificate-authority-data": ca},
                }
            ],
            "users": [{"name": "test", "user": user}],
        }
        (self.root / f"{name}.conf").write_text(json.dumps(config))
        return f"{name}.conf"
