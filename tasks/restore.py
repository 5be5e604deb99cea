"""The cluster brought back to a snapshot of etcd that tasks/backup.py or an upgrade has kept.

    pyinfra inventory/lab.py tasks/restore.py --data snapshot=NAME.db --data confirm=cilium-lab

Other control-plane nodes are reset, as their etcd knows another past: the next deploy joins them again.
"""

from pyinfra.context import host

from ciliumlab.operations import etcd, guards, kubeadm

first, *others = host.data.control_plane

guards.confirmed(
    name="The lab's name was repeated",
    answer=host.data.confirm,
    wanted=host.data.lab,
    what="takes the cluster back to the snapshot, and what came after it is gone",
)

if host.name == first:
    etcd.restored(name="etcd is as the snapshot has it", snapshot=host.data.snapshot)

guards.unbroken(name="The snapshot is in force")

if host.name in others:
    kubeadm.reset(name="The control plane's other nodes are reset")
