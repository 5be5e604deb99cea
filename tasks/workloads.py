"""The lab's example workloads, with --data workloads=true; without it they are taken away again."""

from pyinfra.context import host

from ciliumlab.objects import of_part
from ciliumlab.operations import kubectl, load_balancer, preflight
from ciliumlab.operations.api import only_if

if host.name == host.data.control_plane[0]:
    with only_if(preflight.cluster_goes_ahead):
        kubectl.applied(
            name="The example workloads are there, or none of them",
            objects=of_part(host.data.kubernetes_objects, "workloads"),
            part="workloads",
            timeout=host.data.rollout_timeout,
        )

        load_balancer.served(name="Every LoadBalancer service has its address")
