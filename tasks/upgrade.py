"""The cluster moved to kubernetes_version: the control plane first, then the other nodes one at a time.

pyinfra inventory/lab.py tasks/upgrade.py --data kubernetes_version=1.33.3
"""

from pyinfra.context import host

from ciliumlab.operations import apt_repository, etcd, guards, images, kubernetes
from ciliumlab.operations.api import only_if

version = host.data.kubernetes_version
first, *others = host.data.control_plane
node = {"version": version, "node": host.name, "through": first}

if "nodes" in host.groups:
    kubernetes.upgradable(
        name="The cluster can move to this version",
        version=version,
        nodes=host.data.nodes,
        through=first,
    )

    kubernetes.offered(
        name="The package repository has this version",
        version=version,
        repository=host.data.repositories["kubernetes"]["url"],
    )

    guards.unbroken(name="No host has anything against it")

    if host.name == first:
        with only_if(lambda: kubernetes.moves(version, through=first)):
            etcd.saved(name="A snapshot of etcd is kept", label="before-an-upgrade")

    apt_repository.present(
        name="The package repository of this version is known",
        repository=host.data.repositories["kubernetes"],
        file="kubernetes",
    )

    images.imported(name="The mirror's images of this version are imported", images=host.data.mirrored_images)

    guards.unbroken(name="etcd is safe, and every host has what it needs")

    kubernetes.upgraded(
        name="An upgrade that was cut comes to its end first",
        cut=True,
        first=host.name == first,
        **node,
        _serial=True,
    )

    if host.name == first:
        kubernetes.upgraded(name="The first control-plane node is upgraded", first=True, **node)

    if host.name in others:
        kubernetes.upgraded(
            name="The other control-plane nodes are upgraded one at a time", **node, _serial=True
        )

    if "workers" in host.groups:
        kubernetes.upgraded(name="The workers are upgraded one at a time", **node, _serial=True)

    if host.name == first:
        kubernetes.without_kube_proxy(name="kube-proxy has not come back")
