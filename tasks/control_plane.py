"""The control plane: one node initialised by kubeadm, or several behind the router; and root's way to it."""

from pyinfra.context import host

from ciliumlab.operations import (
    apt,
    archives,
    files,
    guards,
    kubeadm,
    kubeconfig,
    kubernetes,
    preflight,
    systemd,
)
from ciliumlab.operations.api import only_if

first, *others = host.data.control_plane

with only_if(preflight.cluster_goes_ahead):
    if others and "routers" in host.groups:
        apt.installed(name="HAProxy is installed", packages=["haproxy"])

        systemd.running(
            name="HAProxy passes on to the API servers that are well",
            units=["haproxy.service"],
            files={
                "/etc/haproxy/haproxy.cfg": {
                    "text": files.rendered(
                        "files/control_plane/haproxy.cfg.j2",
                        endpoint=host.data.endpoint,
                        servers=host.data.api_servers,
                    ),
                },
            },
        )

    if others and not {"routers", "control_plane"}.isdisjoint(host.groups):
        guards.unbroken(name="The way to the API servers is there", hosts=host.data.routers)

    if host.name == first:
        kubeadm.initialised(name="The control plane is initialised", documents=host.data.kubeadm)

    if others and "control_plane" in host.groups:
        guards.unbroken(name="The control plane's first node is there", hosts=[first])

    if host.name in others:
        kubeadm.joined(
            name="The control plane's other nodes have joined, one after the other",
            documents=host.data.kubeadm,
            through=first,
            _serial=True,
        )

    if "control_plane" in host.groups:
        kubeconfig.present(name="root has the cluster in its kubeconfig", context="HomeLab")

        archives.installed(
            name="Helm and the lab's other tools are installed", archives=host.data.release_archives
        )

        files.present(
            name="A login knows kubectl's completion, aliases and prompt",
            files={
                "/etc/profile.d/ciliumlab-kubernetes.sh": {
                    "text": files.rendered("files/control_plane/kubernetes.sh.j2"),
                },
            },
        )

    if host.name == first:
        kubernetes.scheduled(
            name="Workloads run on the control plane, or are kept away",
            nodes=host.data.control_plane,
            workloads=host.data.schedule_on_control_plane,
        )

        kubernetes.without_kube_proxy(name="There is no kube-proxy, which Cilium replaces")
