"""From lab.yaml's sections to a Topology.

Each value is judged by itself while it is read; what it claims goes to the claims, which are compared
with one another when all is read. So one wrong value hides no other problem, and causes none.
"""

from __future__ import annotations

from typing import TypedDict, get_args

from netaddr import IPAddress

from ciliumlab.errors import DeclarationError
from ciliumlab.topology import addresses, names
from ciliumlab.topology.claims import Claims, Span
from ciliumlab.topology.document import Section
from ciliumlab.topology.model import (
    Dummy,
    Interface,
    Kubernetes,
    Node,
    Pool,
    Role,
    Router,
    Segment,
    Topology,
)
from ciliumlab.wording import instead, shown


class _Common(TypedDict):
    """What nodes and the router declare alike."""

    ssh_host: str
    ssh_port: int
    ssh_user: str
    ssh_key: str | None
    cpus: int
    memory_mib: int


class Reader:
    """Reads lab.yaml section by section; what cannot be read is reported, and None from then on."""

    def __init__(self, document: Section) -> None:
        self.document = document
        self.claims = Claims()
        # None for a segment whose declaration is wrong: what stands on it is not judged by it.
        self.segments: dict[str, Segment | None] = {}
        self.segments_known = False
        self.node_count = 0

    def topology(self) -> Topology:
        document = self.document
        document.expect(
            {
                "segments": "declare at least one, as in net10: {cidr: 192.168.10.0/24}",
                "router": "declare the machine that joins the segments",
                "nodes": "declare at least one, with role: control-plane",
                "kubernetes": "declare pod_cidr, pod_cidr_mask_size and service_cidr",
            },
            optional=("name", "load_balancer"),
        )
        name = document.parsed("name", names.label) or "cilium-lab"
        segments = self._segments()
        router = self._router()
        nodes = self._nodes()
        kubernetes = self._kubernetes()
        pools = self._pools()
        self.claims.compare(document.report)
        if document.report.problems or router is None or kubernetes is None:
            raise DeclarationError(document.report.problems)
        return Topology(name, segments, router, nodes, kubernetes, pools)

    def _segments(self) -> tuple[Segment, ...]:
        section = self.document.section("segments")
        if section is None:
            return ()
        if not list(section):
            self.document.refuse("segments", "is empty; declare at least one, with its cidr")
        # Where segments are not known, that is the problem, and not each machine's.
        self.segments_known = section.whole and bool(list(section))
        for name in section.names(names.segment):
            self.segments[name] = None
            entry = section.section(name)
            if entry is None:
                continue
            entry.expect({"cidr": "add the segment's network, as in 192.168.10.0/24"})
            cidr = entry.parsed("cidr", addresses.network)
            if cidr is not None:
                self.segments[name] = Segment(name, cidr)
                self.claims.networks.append(Span.of(entry.path("cidr"), cidr))
        return tuple(segment for segment in self.segments.values() if segment)

    def _router(self) -> Router | None:
        section = self.document.section("router")
        if section is None:
            return None
        _expect_machine(
            section,
            {
                "name": "add the router's host name",
                "interfaces": "add one on each segment, as in eth1: {segment: net10, address: 192.168.10.9}",
            },
            optional=("dummies", "summary"),
        )
        name = section.parsed("name", self._host_name)
        if name is not None:
            self.claims.machines.append((section.path("name"), name))
        interfaces = self._router_interfaces(section)
        dummies = self._dummies(section, {interface.name for interface in interfaces})
        summary = section.parsed("summary", addresses.network)
        if summary is not None:
            self.claims.summary = Span.of(section.path("summary"), summary)
        common = self._common(section, cpus=1, memory_mib=768)
        if name is None or common is None:
            return None
        return Router(name, interfaces, **common, dummies=dummies, summary=summary)

    def _router_interfaces(self, router: Section) -> tuple[Interface, ...]:
        section = router.section("interfaces")
        if section is None:
            return ()
        interfaces = []
        standing: dict[str, str] = {}
        unclear = not section.whole
        for name in section.names(names.interface):
            entry = section.section(name)
            if entry:
                entry.expect({"segment": "add the segment that it stands on", "address": "add its address"})
            segment = self._segment_name(entry) if entry else None
            interface = self._interface(entry, name, segment) if entry else None
            if segment is None:
                unclear = True
            elif segment in standing:
                section.refuse(name, f"stands on {segment}, as {standing[segment]} does; keep one of them")
            else:
                standing[segment] = name
            if interface:
                interfaces.append(interface)
        for segment in self.segments:
            # An interface that cannot be read has been reported; it may be the one.
            if segment not in standing and not unclear:
                router.refuse("interfaces", f"has none on the segment {segment}; add one, with its address")
        return tuple(interfaces)

    def _dummies(self, router: Section, taken: set[str]) -> tuple[Dummy, ...]:
        section = router.section("dummies")
        if section is None:
            return ()
        dummies = []
        for name in section.names(names.interface):
            if name in taken:
                section.refuse(name, "is an interface of the router already; choose another name")
            cidr = section.parsed(name, addresses.interface_address)
            if cidr is None:
                continue
            dummies.append(Dummy(name, cidr))
            self.claims.dummies.append(Span.of(section.path(name), cidr))
            section.passes(name, addresses.check_host_address, cidr.ip, cidr)
        return tuple(dummies)

    def _nodes(self) -> tuple[Node, ...]:
        section = self.document.section("nodes")
        if section is None:
            return ()
        nodes = []
        roles = []
        for name in section.names(self._host_name):
            self.node_count += 1
            self.claims.machines.append((section.path(name), name))
            entry = section.section(name)
            role = entry.parsed("role", _role) if entry else None
            roles.append(role)
            node = self._node(entry, name, role) if entry else None
            if node:
                nodes.append(node)
        # A node that cannot be read has been reported; it may be the one.
        if "control-plane" not in roles and None not in roles and section.whole:
            self.document.refuse("nodes", "has no node with role: control-plane; a cluster needs one or more")
        return tuple(nodes)

    def _node(self, section: Section, name: str, role: Role | None) -> Node | None:
        _expect_machine(
            section,
            {
                "role": "add control-plane or worker",
                "segment": "add the segment that it stands on",
                "address": "add its address on the segment",
            },
            optional=("interface",),
        )
        interface = self._interface(
            section, section.parsed("interface", names.interface) or "eth1", self._segment_name(section)
        )
        common = self._common(section, cpus=2, memory_mib=2560 if role == "control-plane" else 1536)
        if role is None or interface is None or common is None:
            return None
        return Node(name, (interface,), **common, role=role)

    def _segment_name(self, section: Section) -> str | None:
        """The declared segment that ``segment`` names."""
        name = section.text("segment")
        if name in self.segments:
            return name
        if name is not None and self.segments_known:
            section.refuse("segment", f"{shown(name)} is not a segment; {instead(name, self.segments)}")
        return None

    def _interface(self, section: Section, name: str, segment_name: str | None) -> Interface | None:
        """The interface ``name`` with the section's ``address`` on the segment."""
        address = section.parsed("address", addresses.address)
        segment = self.segments[segment_name] if segment_name else None
        if address is None:
            return None
        if segment and not section.passes("address", addresses.check_host_address, address, segment.cidr):
            return None
        self.claims.addresses.append((section.path("address"), address))
        return Interface(name, segment, address) if segment else None

    def _common(self, section: Section, *, cpus: int, memory_mib: int) -> _Common | None:
        """How the machine is reached, and its size; ``cpus`` and ``memory_mib`` are the defaults."""
        direct = "ssh_host" in section
        host = section.parsed("ssh_host", names.ssh_host) if direct else "127.0.0.1"
        port = section.whole_number("ssh_port", at_least=1, at_most=65535)
        if direct and "ssh_port" not in section:
            port = 22
        if host and port:
            key = section.path("ssh_port" if "ssh_port" in section else "ssh_host")
            self.claims.ssh.append((key, (host, port)))
        user = section.parsed("ssh_user", names.user) or "vagrant"
        ssh_key = section.text("ssh_key")
        cpus = section.whole_number("cpus", at_least=1) or cpus
        memory_mib = section.whole_number("memory_mib", at_least=256) or memory_mib
        if not host or not port:
            return None
        return _Common(
            ssh_host=host, ssh_port=port, ssh_user=user, ssh_key=ssh_key, cpus=cpus, memory_mib=memory_mib
        )

    def _kubernetes(self) -> Kubernetes | None:
        section = self.document.section("kubernetes")
        if section is None:
            return None
        section.expect(
            {
                "pod_cidr": "add the network of all pods, as in 172.20.0.0/16",
                "pod_cidr_mask_size": "add the prefix length of a node's share, as in 24",
                "service_cidr": "add the network of the services, as in 10.96.0.0/16",
            }
        )
        pod_cidr = section.parsed("pod_cidr", addresses.pod_network)
        service_cidr = section.parsed("service_cidr", addresses.service_network)
        mask_size = section.whole_number("pod_cidr_mask_size", at_least=1, at_most=32)
        for name, cidr in (("pod_cidr", pod_cidr), ("service_cidr", service_cidr)):
            if cidr is not None:
                self.claims.networks.append(Span.of(section.path(name), cidr))
        if pod_cidr is not None and mask_size is not None:
            section.passes("pod_cidr_mask_size", addresses.check_shares, pod_cidr, mask_size, self.node_count)
        if pod_cidr is None or service_cidr is None or mask_size is None:
            return None
        return Kubernetes(pod_cidr, mask_size, service_cidr)

    def _pools(self) -> tuple[Pool, ...]:
        outer = self.document.section("load_balancer")
        section = None
        if outer is not None:
            outer.expect({}, optional=("pools",))
            section = outer.section("pools")
        if section is None:
            return ()
        pools = []
        for name in section.names(names.subdomain):
            entry = section.section(name)
            if entry is None:
                continue
            entry.expect({"start": "add the pool's first address", "stop": "add the pool's last address"})
            start = entry.parsed("start", addresses.address)
            stop = entry.parsed("stop", addresses.address)
            if start is None or stop is None:
                continue
            if start > stop:
                section.refuse(name, f"start {start} comes after stop {stop}; swap them")
                continue
            self.claims.pools.append(Span(section.path(name), start.value, stop.value, f"{start} to {stop}"))
            segment = self._pool_segment(section, name, start, stop)
            if segment:
                pools.append(Pool(name, start, stop, segment))
        return tuple(pools)

    def _pool_segment(self, section: Section, name: str, start: IPAddress, stop: IPAddress) -> Segment | None:
        segments = [segment for segment in self.segments.values() if segment]
        for segment in segments:
            if start in segment.cidr and stop in segment.cidr:
                for address in (start, stop):
                    section.passes(name, addresses.check_host_address, address, segment.cidr)
                return segment
        # With a segment that cannot be read, the pool may be right.
        if self.segments_known and len(segments) == len(self.segments):
            section.refuse(
                name,
                f"{start} to {stop} is not inside one segment, where it would be announced; move it",
            )
        return None

    def _host_name(self, name: str) -> str:
        if name in names.GROUPS or name in self.segments:
            raise ValueError("is a group of the inventory already; choose another name")
        return names.label(name)


def _expect_machine(section: Section, required: dict[str, str], optional: tuple[str, ...]) -> None:
    if "ssh_host" not in section:
        port = "add the port of 127.0.0.1 that leads to it, or ssh_host if it is reached directly"
        required = required | {"ssh_port": port}
    section.expect(required, (*optional, "ssh_port", "ssh_host", "ssh_user", "ssh_key", "cpus", "memory_mib"))


def _role(text: str) -> Role:
    roles: tuple[Role, ...] = get_args(Role)
    for role in roles:
        if text == role:
            return role
    raise ValueError(f"is not a role; {instead(text, roles)}")
