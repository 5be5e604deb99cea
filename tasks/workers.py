"""The workers: all at once, once their routes exist."""

from pyinfra.context import host

from ciliumlab.operations import guards, kubeadm, preflight
from ciliumlab.operations.api import only_if

if "nodes" in host.groups:
    with only_if(preflight.cluster_goes_ahead):
        guards.unbroken(name="The control plane is there to join", hosts=host.data.control_plane)

        if "workers" in host.groups:
            kubeadm.joined(
                name="The workers have joined",
                documents=host.data.kubeadm,
                through=host.data.control_plane[0],
            )
