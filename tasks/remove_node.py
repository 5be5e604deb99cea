"""A node taken out of the cluster: drained, reset on the host, deleted.

    pyinfra inventory/lab.py tasks/remove_node.py --data node=k8s-w1

It stays a machine of the lab, and the next deploy joins it again unless lab.yaml has it no more.
"""

from pyinfra.context import host

from ciliumlab.operations import cilium, guards, kubeadm, kubernetes

first = host.data.control_plane[0]
node = host.data.node

if host.name == first:
    kubernetes.removable(name="The node can be removed", node=node, first=first)

    kubernetes.drained(name="The node is drained", node=node, through=first)

guards.unbroken(name="The node can go")

if host.name == node:
    kubeadm.reset(name="What kubeadm has made on the node is undone")

    cilium.absent(name="Nothing of Cilium is left on the node")

if host.name == first:
    kubernetes.removed(name="The cluster has the node no more", node=node, through=first)
