"""kubelet, kubeadm and kubectl on every node, in a version that nothing but an upgrade moves."""

from pyinfra.context import host

from ciliumlab.operations import apt, apt_repository, images, kubelet, kubernetes, preflight, systemd
from ciliumlab.operations.api import only_if
from ciliumlab.plan.kubeadm import PATCHES

if "nodes" in host.groups:
    with only_if(preflight.cluster_goes_ahead):
        kubernetes.unmoved(
            name="Kubernetes' packages move by an upgrade alone",
            version=host.data.kubernetes_version,
        )

        kubernetes.offered(
            name="Kubernetes' package repository has this version",
            version=host.data.kubernetes_version,
            repository=host.data.repositories["kubernetes"]["url"],
        )

        apt_repository.present(
            name="Kubernetes' package repository is known",
            repository=host.data.repositories["kubernetes"],
            file="kubernetes",
        )

        apt.installed(
            name="kubelet, kubeadm and kubectl are installed",
            packages=kubernetes.packages(host.data.kubernetes_version),
        )

        apt.held(name="kubelet, kubeadm and kubectl are held at their version", packages=kubernetes.PACKAGES)

        systemd.running(name="kubelet runs, and waits for kubeadm", units=["kubelet.service"])

        kubelet.resolver(name="kubelet is told where the host's name servers are", folder=PATCHES)

        images.imported(name="The mirror's images are imported", images=host.data.mirrored_images)
