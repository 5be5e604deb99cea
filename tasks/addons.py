"""What comes on top of Cilium, each by its own setting; one that is switched off is taken away again.

Hubble's web page is part of Cilium's release, and k9s of the control plane's tools.
"""

from pyinfra.context import host

from ciliumlab.operations import helm, kubectl, preflight
from ciliumlab.operations.api import only_if
from ciliumlab.plan.pages import NODE_PORTS

if host.name == host.data.control_plane[0]:
    with only_if(preflight.cluster_goes_ahead):
        kubectl.manifest(
            name="local-path-provisioner is the default storage class, or not there",
            source=host.data.pinned_manifests.get("local-path-provisioner"),
            part="local-path-provisioner",
            # kubernetes.io/docs/tasks/administer-cluster/change-default-storage-class
            changes=[
                {
                    "kind": "StorageClass",
                    "name": "local-path",
                    "merge": {
                        "metadata": {"annotations": {"storageclass.kubernetes.io/is-default-class": "true"}}
                    },
                },
            ],
            present=host.data.local_path_provisioner,
            timeout=host.data.rollout_timeout,
        )

        kubectl.manifest(
            name="Prometheus and Grafana are on node ports 30001 and 30002, or not there",
            source=host.data.pinned_manifests.get("monitoring"),
            part="monitoring",
            changes=[
                {
                    "kind": "Service",
                    "namespace": "cilium-monitoring",
                    "name": service,
                    "merge": {
                        "spec": {
                            "type": "NodePort",
                            "ports": [
                                {
                                    "name": "webui",
                                    "port": port,
                                    "targetPort": port,
                                    "nodePort": NODE_PORTS[service],
                                }
                            ],
                        }
                    },
                }
                for service, port in (("prometheus", 9090), ("grafana", 3000))
            ],
            present=host.data.monitoring,
            timeout=host.data.rollout_timeout,
        )

        if host.data.metrics_server:
            helm.release(
                name="metrics-server is rolled out",
                release="metrics-server",
                namespace="kube-system",
                chart=host.data.helm_charts["metrics-server"],
                # kubelets have certificates that they have signed themselves.
                values={"args": ["--kubelet-insecure-tls"]},
                timeout=host.data.rollout_timeout,
            )
        else:
            helm.absent(
                name="There is no metrics-server of this lab",
                release="metrics-server",
                namespace="kube-system",
                foreign=False,
            )
