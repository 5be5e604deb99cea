"""A chart of one DaemonSet, and what makes its pods: a controller for one node, in a thread."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

from .cluster import Client, Cluster

_SUBJECT = "/O=system:masters/CN=kubernetes-admin"

# An agent's chart: as in Cilium's, two of its pods may be missing, and Helm calls that ready. It waits in
# vain for an address from outside.
_TEMPLATE = """
apiVersion: v1
kind: ConfigMap
metadata: {name: agent-config}
data: {colour: {{ .Values.colour | quote }}, chart: {{ .Chart.Version | quote }}}
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  updateStrategy: {type: RollingUpdate, rollingUpdate: {maxUnavailable: 2}}
  template:
    metadata: {labels: {app: agent}, annotations: {colour: {{ .Values.colour | quote }}}}
    spec: {containers: [{name: agent, image: "agent:{{ .Values.image }}"}]}
{{- if eq .Values.colour "none" }}{{ fail "a colour is needed" }}{{ end }}
{{- if .Values.outside }}
---
apiVersion: v1
kind: Service
metadata: {name: agent}
spec: {type: LoadBalancer, selector: {app: agent}, ports: [{port: 80}]}
{{- end }}
"""


def package(helm: Client, folder: Path, version: str) -> Path:
    """The chart in a version, packaged."""
    source = folder / version / "agent"
    (source / "templates").mkdir(parents=True)
    (source / "Chart.yaml").write_text(f"apiVersion: v2\nname: agent\nversion: {version}\n")
    (source / "values.yaml").write_text("colour: red\nimage: good\noutside: false\n")
    (source / "templates/all.yaml").write_text(_TEMPLATE.lstrip())
    helm("package", str(source), "--destination", str(folder))
    return folder / f"agent-{version}.tgz"


class Kubelet(threading.Thread):
    """Keeps the status of all DaemonSets: as if each had one pod that runs, which crashes when its image is
    "broken". Helm calls that ready, as two may be missing.
    """

    def __init__(self, cluster: Cluster) -> None:
        super().__init__(daemon=True)
        self.cluster, self.ended = cluster, threading.Event()
        self.user = cluster.certificates.sign("admin", _SUBJECT)

    def run(self) -> None:
        while not self.ended.wait(0.1):
            for daemon_set in self._get("/apis/apps/v1/daemonsets")["items"]:
                self._keep(daemon_set)

    def stop(self) -> None:
        self.ended.set()
        self.join(10)

    def _get(self, path: str) -> Any:
        return json.loads(self.cluster.api.send("GET", path, user=self.user)[1])

    def _keep(self, daemon_set: Any) -> None:
        metadata, spec = daemon_set["metadata"], daemon_set["spec"]
        (container,) = spec["template"]["spec"]["containers"]
        image = container["image"].partition(":")[2]
        well = int(image != "broken")
        status = {
            "observedGeneration": metadata["generation"],
            "desiredNumberScheduled": 1,
            "updatedNumberScheduled": 1,
            "numberReady": well,
            "numberAvailable": well,
        }
        if all(daemon_set.get("status", {}).get(key) == value for key, value in status.items()):
            return
        path = f"/apis/apps/v1/namespaces/{metadata['namespace']}/daemonsets/{metadata['name']}/status"
        self._patch(path, {"status": status})
        pods = f"/api/v1/namespaces/{metadata['namespace']}/pods"
        pod = {
            "metadata": {
                "name": f"{metadata['name']}-x7k2p",
                "labels": spec["template"]["metadata"]["labels"],
            },
            "spec": {"nodeName": "k8s-w1", "containers": spec["template"]["spec"]["containers"]},
        }
        self.cluster.api.send("POST", pods, pod, user=self.user)
        said = {"exitCode": 1, "reason": "Error", "message": 'level=fatal msg="invalid daemon configuration"'}
        crashed = {
            "state": {"waiting": {"reason": "CrashLoopBackOff", "message": "back-off 10s restarting"}},
            "lastState": {"terminated": said},
        }
        one = {"name": "agent", "ready": bool(well), **({"state": {"running": {}}} if well else crashed)}
        ready = {"type": "Ready", "status": str(bool(well))}
        self._patch(
            f"{pods}/{metadata['name']}-x7k2p/status",
            {"status": {"containerStatuses": [one], "conditions": [ready]}},
        )

    def _patch(self, path: str, body: Any) -> None:
        self.cluster.api.send("PATCH", path, body, user=self.user, kind="application/merge-patch+json")
