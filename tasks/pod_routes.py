"""The router's routes to pods: none as in the reference lab, static ones, or what nodes announce by BGP."""

from pyinfra.context import host

from ciliumlab.objects import of_part
from ciliumlab.operations import apt, files, frr, guards, kubectl, pod_routes, preflight, systemd
from ciliumlab.operations.api import only_if

first = host.data.control_plane[0]
routing = host.data.pod_routing
by_bgp = host.data.pod_routes == "bgp"

with only_if(preflight.cluster_goes_ahead):
    # The router has few stages, and would be here long before there are pods.
    guards.unbroken(name="Cilium is there, which gives nodes their pods' addresses", hosts=[first])

    if "routers" in host.groups:
        pod_routes.static(
            name="Each node's pods have a static route on the router, or none",
            ways=routing["neighbours"] if host.data.pod_routes == "static" else [],
            through=first,
            file="62-ciliumlab-pods",
        )

    if "routers" in host.groups and by_bgp:
        apt.installed(name="FRR is installed", packages=["frr"])

        systemd.running(
            name="FRR listens to what nodes announce",
            units=[frr.UNIT],
            files={
                "/etc/frr/daemons": {"text": files.rendered("files/pod_routes/daemons")},
                "/etc/frr/frr.conf": {
                    "text": files.rendered("files/pod_routes/frr.conf.j2", **routing),
                    "mode": "640",
                    "owner": "frr:frr",
                },
            },
        )

    if "routers" in host.groups and not by_bgp:
        frr.absent(name="There is no BGP")

    if host.name == first:
        kubectl.applied(
            name="Nodes announce their pods to the router, or nothing",
            objects=of_part(host.data.kubernetes_objects, "bgp"),
            part="bgp",
        )

    if by_bgp and (host.name == first or "routers" in host.groups):
        guards.unbroken(
            name="The router and the nodes know of one another", hosts=[first, *host.data.routers]
        )

    if "routers" in host.groups and by_bgp:
        frr.learnt(
            name="Every node has announced its pods",
            peers=routing["neighbours"],
            through=first,
            timeout=host.data.rollout_timeout,
        )
