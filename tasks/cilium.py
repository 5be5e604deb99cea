"""Cilium by Helm, in the datapath that is set, and seen to run so on every node.

pyinfra inventory/lab.py tasks/cilium.py --data datapath=geneve
"""

from pyinfra.context import host

from ciliumlab.operations import cilium, guards, helm, modules, preflight
from ciliumlab.operations.api import only_if

first = host.data.control_plane[0]
chart = host.data.helm_charts["cilium"]
release = {
    "release": "cilium",
    "namespace": "kube-system",
    "chart": chart,
    "values": host.data.helm_values,
    "timeout": host.data.rollout_timeout,
}

if "nodes" in host.groups:
    with only_if(preflight.cluster_goes_ahead):
        modules.loaded(
            name="The kernel modules of the datapath are loaded",
            modules=host.data.kernel_modules,
            file="ciliumlab",
        )

        guards.unbroken(name="Every node is ready for Cilium", hosts=host.data.nodes)

        if host.name == first:
            cilium.preflighted(name="The next minor version was tried before", **release)

            # A release keeps its first minor, by which the chart keeps what would break connections.
            helm.release(name="Cilium is rolled out", keep=["upgradeCompatibility"], **release)

        guards.unbroken(name="Cilium has been rolled out", hosts=[first])

        cilium.running(
            name="Every agent runs what is declared",
            values=host.data.helm_values,
            nodes=host.data.nodes,
            version=chart["version"],
            timeout=host.data.rollout_timeout,
        )

        cilium.without_stale_routes(
            name="No agent has left routes of a tunnel behind", node=host.name, through=first
        )
