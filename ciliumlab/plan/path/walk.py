"""One packet from machine to machine.

What Cilium's programs do on a node (encapsulation, masquerading, the choice of a service's pod) is that of
cilium/cilium 1.18, bpf/lib/nat.h and bpf/lib/nodeport.h.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from netaddr import IPAddress, IPNetwork

from ciliumlab.plan.cilium.chart import Values
from ciliumlab.plan.cilium.wrong import protocol, tunnelled
from ciliumlab.plan.path.endpoints import Address, is_node, literal, owner, pod_of, pool_of
from ciliumlab.plan.path.types import Header, Hop, Outer
from ciliumlab.plan.routes import AGENT_DEVICE, EVERYWHERE, PodsOf, Route, mtu, pod_mtu, tables
from ciliumlab.settings import Settings
from ciliumlab.topology import Topology

# The chart's tunnelPort where that is 0.
_PORTS = {"vxlan": 8472, "geneve": 6081}

# More than any way in a lab with one router has.
_MOST_HOPS = 16

_Translations = Mapping[tuple[str, Header], Header]


class Walk:
    """A packet that stands at the machine ``at``, with the headers ``inner``; ``hops`` are behind it.

    ``translated`` has what machines put into headers, as an answer meets it: at which machine and with which
    header, and what that becomes there. An answer is given what its question has met.
    """

    def __init__(
        self,
        topology: Topology,
        settings: Settings,
        chart: Values,
        at: str,
        header: Header,
        answered: _Translations | None = None,
    ) -> None:
        self._topology, self._settings, self._chart = topology, settings, chart
        self._tables = tables(topology, settings)
        self._source, self._answered = at, answered
        self._mtu = mtu(chart)
        self._outer: Outer | None = None
        self._notes: list[str] = []
        self.at, self.inner = at, header
        self.hops: list[Hop] = []
        self.translated: dict[tuple[str, Header], Header] = {}

    def go(self, *, pod: bool, backend: str | None = None) -> str:
        """To the end of the way; gives the reason for which that is not the target, or "".

        ``pod`` says whether it begins at a pod of ``at``, ``backend`` where a service's pod is to be: by
        default where the packet is when one is chosen.
        """
        if pod:
            self._mtu = pod_mtu(self._chart)
            # A pod's own socket is where its packets' service is translated.
            self._choose_pod(backend)
            self._hop("sends it to its node", "eth0", self.at, at=f"{self.at}:pod")
        for _ in range(_MOST_HOPS):
            if self._outer and self._outer.header.target.ip == self._own(self.at):
                self._outer = None
                self._notes.append("takes the tunnel's headers off")
            if self._answered and (self.at, self.inner) in self._answered:
                self.inner = self._answered[self.at, self.inner]
                self._notes.append("puts the addresses back that it had replaced")
            self._choose_pod(backend)
            if self._arrived():
                return ""
            if why := self._forward():
                return why
        raise AssertionError(f"the way of {self.inner} has no end")

    def _arrived(self) -> bool:
        target = self.inner.target
        if target == pod_of(self.at):
            self._hop("hands it to the pod", "lxc", f"{self.at}:pod")
            self._hop("has it", "", "", at=f"{self.at}:pod")
        elif target.node == self.at or owner(target.ip, self._topology) == self.at:
            self._hop("has it", "", "")
        else:
            return False
        return True

    # From machine to machine --------------------------------------------------------------------------

    def _forward(self) -> str:
        """Sends the packet to the next machine, or says why that cannot be."""
        target = self._outer.header.target if self._outer else self.inner.target
        route = self._route(target)
        if route and route.device == AGENT_DEVICE and isinstance(route.to, PodsOf):
            target = self._encapsulate(route.to.node)
            route = self._route(target)
        if route is None or route.to == EVERYWHERE:
            return self._no_route(route)
        self._masquerade()
        to = owner(route.via or target.ip, self._topology)
        if to:
            self._hop(f"has the route {route}", route.device, to)
        elif to := self._leader(target.ip):
            self._hop(f"asks on {route.device} who has {target}, which {to} answers for", route.device, to)
        else:
            self._hop(f"asks on {route.device} who has {target}, and nobody answers", route.device, "")
            return self._nobody()
        self.at = to
        return ""

    def _route(self, target: Address) -> Route | None:
        """The one of this machine's that fits best, as a kernel chooses it."""
        fitting = [route for route in self._tables[self.at] if self._fits(route, target)]
        fitting += self._announced(target)
        return max(fitting, key=_length, default=None)

    def _fits(self, route: Route, target: Address) -> bool:
        if isinstance(route.to, PodsOf):
            return route.to.node == target.node
        return (self._topology.kubernetes.pod_cidr if target.ip is None else target.ip) in route.to

    def _announced(self, target: Address) -> list[Route]:
        """The router's route to a service's address that nodes announce by BGP: one of many, the first."""
        settings, at_router = self._settings, self.at == self._topology.router.name
        by_bgp = settings.pod_routes == "bgp" and settings.bgp_load_balancer_ips
        if not at_router or not by_bgp or pool_of(target.ip, self._topology) is None:
            return []
        ways = [route for route in self._tables[self.at] if isinstance(route.to, PodsOf)]
        return [replace(ways[0], to=IPNetwork(target.ip))]

    def _no_route(self, route: Route | None) -> str:
        if route is None:
            told, gone = "has no route to it in lab.yaml", "it goes where no pod is known"
        else:
            told, gone = (
                f"has only the route {route}",
                f"it goes out of {route.device}, where no pod is known",
            )
        self._hop(told, route.device if route else "", "")
        fix = "pod_routes=static or bgp gives it some"
        if not tunnelled(self._chart) and is_node(self._source, self._topology):
            fix += ", and in a tunnel (datapath=vxlan or geneve) none is needed"
        return f"{self.at} has no route to the pods of {self.inner.target.node}, and {gone}; {fix}"

    def _leader(self, ip: IPAddress | None) -> str | None:
        """The node that answers for a service's address: one of its segment's, the first for all of them."""
        pool = pool_of(ip, self._topology)
        if pool is None or not self._settings.l2_announcements:
            return None
        return next((node.name for node in self._topology.nodes_on(pool.segment)), None)

    def _nobody(self) -> str:
        why = f"{self.inner.target} is no machine's, and no node answers for it"
        if self._settings.l2_announcements:
            return f"{why}, as none stands on its segment; add one, or move the pool"
        return f"{why}; l2_announcements=true has one answer"

    # What Cilium does ---------------------------------------------------------------------------------

    def _choose_pod(self, backend: str | None) -> None:
        """A node that has a packet for a service's address puts the address of one of its pods there."""
        target = self.inner.target
        if not is_node(self.at, self._topology) or pool_of(target.ip, self._topology) is None:
            return
        if owner(target.ip, self._topology) is not None:
            return
        node = backend or self.at
        source = self.inner.source
        self._notes.append(f"chooses a pod of the service, on {node}")
        if self.at != self._source and node != self.at:
            # The answer has to come back to where the translation is known.
            source = self._agent() if tunnelled(self._chart) else literal(self._own(self.at))
            self._notes.append("puts itself in the sender's place (SNAT)")
        if self.at == self._source:
            # By the socket itself, which the answer comes back to under its own address.
            self.inner = Header(source, pod_of(node))
        else:
            self._translate(Header(source, pod_of(node)))

    def _encapsulate(self, node: str) -> Address:
        """Gives the address that the packet then goes to."""
        own, its = literal(self._own(self.at)), literal(self._own(node))
        if self.inner.source == own:
            # By the agent's route, which says whose address packets of the node itself have.
            self.inner = replace(self.inner, source=self._agent())
        name = protocol(self._chart)
        port = int(self._chart.get("tunnelPort", 0)) or _PORTS[name]
        self._mtu = min(self._mtu, pod_mtu(self._chart))
        self._outer = Outer(Header(own, its), name, port)
        self._notes.append(f"puts it into {name} to {node}")
        return its

    def _masquerade(self) -> None:
        """A pod's packet to what is no pod leaves with its node's address, but to nodes in native mode."""
        source, target = self.inner.source, self.inner.target
        if self._answered is not None or source != pod_of(self.at) or target.ip is None:
            return
        spared = is_node(owner(target.ip, self._topology), self._topology) and not tunnelled(self._chart)
        if self._chart.on("enableIPv4Masquerade", True) and not spared:
            self._notes.append("puts its own address in the pod's place (masquerading)")
            self._translate(replace(self.inner, source=literal(self._own(self.at))))

    # Small things -------------------------------------------------------------------------------------

    def _translate(self, header: Header) -> None:
        self.translated[self.at, header.turned] = self.inner.turned
        self.inner = header

    def _hop(self, does: str, device: str, to: str, *, at: str = "") -> None:
        told = "; ".join([*self._notes, does])
        self._notes = []
        self.hops.append(Hop(at or self.at, told, device, to, self.inner, self._outer, self._mtu))

    def _own(self, name: str) -> IPAddress:
        return next(one for one in self._topology.machines if one.name == name).interfaces[0].address

    def _agent(self) -> Address:
        return Address(f"{AGENT_DEVICE} of {self.at}", node=self.at)


def _length(route: Route) -> int:
    """How exact a route is, in bits; a node's share of the pods lies within every network of them."""
    return 32 if isinstance(route.to, PodsOf) else int(route.to.prefixlen)
