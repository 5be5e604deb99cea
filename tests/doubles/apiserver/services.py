"""Cluster IPs and node ports."""

from __future__ import annotations

import ipaddress
import json
import threading

from apiserver.defaults import Object
from apiserver.errors import invalid
from apiserver.etcd import Etcd
from apiserver.resources import built_in

_allocating = threading.Lock()


class Services:
    """Gives services their cluster IPs and node ports."""

    def __init__(self, etcd: Etcd, cluster_range: str, node_ports: str) -> None:
        self._etcd = etcd
        self._network = ipaddress.ip_network(cluster_range.split(",")[0])
        first, _, last = node_ports.partition("-")
        self._ports = range(int(first), int(last) + 1)
        # The lower ports are left to those who ask for one by its number, until the others are used up:
        # kubernetes.io/docs/concepts/services-networking/service, "Avoid nodePort collisions".
        static = min(max(16, len(self._ports) // 32), 128)
        self._dynamic = [*self._ports[static:], *self._ports[:static]]

    @property
    def api_address(self) -> str:
        """The cluster IP of the service kubernetes."""
        return str(self._network[1])

    def allocate(self, service: Object, old: Object | None) -> None:
        """Fill in addresses and ports, as they were where not said; 422 for a node port that is taken."""
        spec, was = service.setdefault("spec", {}), (old or {}).get("spec", {})
        spec.setdefault("type", "ClusterIP")
        if spec["type"] == "ExternalName":
            return
        defaults = {
            "sessionAffinity": "None",
            "internalTrafficPolicy": "Cluster",
            "ipFamilies": ["IPv4"],
            "ipFamilyPolicy": "SingleStack",
        }
        for name, value in defaults.items():
            spec.setdefault(name, value)
        if was.get("clusterIP") and not spec.get("clusterIP"):
            spec["clusterIP"] = was["clusterIP"]
        for port in spec.get("ports") or []:
            port.setdefault("protocol", "TCP")
            port.setdefault("targetPort", port.get("port"))
        with _allocating:
            others = [
                other
                for other in (
                    json.loads(each.value) for each in self._etcd.list(built_in("services").prefix)[0]
                )
                if other["metadata"]["uid"] != service["metadata"].get("uid")
            ]
            if not spec.get("clusterIP"):
                used = {other["spec"].get("clusterIP") for other in others} | {self.api_address}
                spec["clusterIP"] = next(str(ip) for ip in self._network.hosts() if str(ip) not in used)
            spec["clusterIPs"] = [spec["clusterIP"]]
            if spec["type"] in ("NodePort", "LoadBalancer"):
                self._node_ports(service, was, others)

    def _node_ports(self, service: Object, was: Object, others: list[Object]) -> None:
        spec = service["spec"]
        spec.setdefault("externalTrafficPolicy", "Cluster")
        used = {port.get("nodePort") for other in others for port in other["spec"].get("ports") or []}
        before = {(port["port"], port["protocol"]): port.get("nodePort") for port in was.get("ports") or []}
        for index, port in enumerate(spec.get("ports") or []):
            wanted = port.get("nodePort") or before.get((port["port"], port["protocol"]))
            if wanted and wanted in used:
                problem = f"Invalid value: {wanted}: provided port is already allocated"
                name = service["metadata"]["name"]
                raise invalid("Service", "", name, (f"spec.ports[{index}].nodePort", problem))
            port["nodePort"] = wanted or next(each for each in self._dynamic if each not in used)
            used.add(port["nodePort"])
