"""LoadBalancer addresses: the pools of lab.yaml, and who answers for them on their segments."""

from pyinfra.context import host

from ciliumlab.objects import of_part
from ciliumlab.operations import kubectl, load_balancer, preflight
from ciliumlab.operations.api import only_if

if host.name == host.data.control_plane[0]:
    with only_if(preflight.cluster_goes_ahead):
        kubectl.applied(
            name="Pools of addresses, and who answers for them, are as declared",
            objects=of_part(host.data.kubernetes_objects, "load-balancer"),
            part="load-balancer",
        )

        load_balancer.served(name="Every LoadBalancer service has its address")
