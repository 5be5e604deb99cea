"""FRR on a node in the place of Cilium's agent, as the router's BGP peer: the doubles' agents speak none."""

from __future__ import annotations

from collections.abc import Iterable

from .running import RunningLab

# Seconds after which a session that has failed is tried again.
RECONNECT = 5

# With the timers and the graceful restart of the plan's peer. A node that comes back says, as GoBGP in the
# agent does, that packets were passed on all the while (the forwarding state bit of RFC 4724). What is kept
# of one that does not say so is dropped as soon as the session is there, and is back with its first update.
# Measured on FRR 10.3: without the bit the router had no route for 1.05 to 1.08 s, and pods no answer, at 12
# of 12 restarts; with it nothing happened to the route, at 11 of 11.
_CONFIGURATION = """\
frr defaults traditional
router bgp 65001
 bgp router-id {address}
 no bgp ebgp-requires-policy
 no bgp network import-check
 bgp graceful-restart
 bgp graceful-restart preserve-fw-state
 bgp graceful-restart restart-time 120
 neighbor {router} remote-as 65000
 neighbor {router} timers 3 9
 neighbor {router} timers connect {reconnect}
 address-family ipv4 unicast
{networks}
 exit-address-family
"""


def announce(lab: RunningLab, name: str, networks: Iterable[str]) -> None:
    """Have a node tell the router that these are reached through it."""
    node = lab.machines[name].interfaces[0]
    (router,) = [one for one in lab.machines["router"].interfaces if one.segment.name == node.segment.name]
    configuration = _CONFIGURATION.format(
        address=node.address,
        router=router.address,
        reconnect=RECONNECT,
        networks="\n".join(f"  network {network}" for network in networks),
    )
    lab.shell(
        name,
        "export DEBIAN_FRONTEND=noninteractive; apt-get -q update && apt-get -q -y install frr\n"
        "sed -i s/bgpd=no/bgpd=yes/ /etc/frr/daemons\n"
        f"cat > /etc/frr/frr.conf <<'END'\n{configuration}END\n"
        "systemctl restart frr",
    )
