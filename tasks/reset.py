"""The whole cluster undone, on every node: what etcd holds is gone.

pyinfra inventory/lab.py tasks/reset.py --data confirm=cilium-lab
"""

from pyinfra.context import host

from ciliumlab.operations import cilium, guards, kubeadm, kubeconfig

guards.confirmed(
    name="The lab's name was repeated",
    answer=host.data.confirm,
    wanted=host.data.lab,
    what="deletes the cluster with all that it holds",
)

if "workers" in host.groups:
    kubeadm.reset(name="The workers are reset")

if "control_plane" in host.groups:
    kubeadm.reset(name="The control plane is reset")

    kubeconfig.absent(name="root's kubeconfig has the cluster no more", context="HomeLab")

if "nodes" in host.groups:
    cilium.absent(name="Nothing of Cilium is left")
