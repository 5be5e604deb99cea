"""Services by iptables(8), where the real agent has its eBPF: a new connection goes to a random ready pod."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cilium.cluster import log, selects
from cilium.kernel import NET
from common.api import Object

FORWARD, BACK = "CILIUM-DOUBLE", "CILIUM-DOUBLE-BACK"
HOOKS = (
    ("nat", "PREROUTING", FORWARD),
    ("nat", "OUTPUT", FORWARD),
    ("nat", "POSTROUTING", BACK),
    ("raw", "PREROUTING", FORWARD),
)
# A mark of connections from outside, whose answers have to come back this way.
MARK = "0x4000/0x4000"


@dataclass(frozen=True)
class Frontend:
    """Where a service is reached, and the pods behind it; without an address a port of the node itself."""

    address: str
    protocol: str
    port: int
    backends: tuple[tuple[str, int], ...]


def frontends(services: Iterable[Object], pods: Sequence[Object]) -> list[Frontend]:
    found = []
    for service in services:
        spec, meta = service["spec"], service["metadata"]
        if not spec.get("selector") or spec.get("clusterIP") in (None, "", "None"):
            continue
        chosen = [
            pod
            for pod in pods
            if pod["metadata"]["namespace"] == meta["namespace"]
            and selects({"matchLabels": spec["selector"]}, pod["metadata"].get("labels") or {})
            and ready(pod)
        ]
        ingress = (service.get("status") or {}).get("loadBalancer", {}).get("ingress") or []
        outside = [each["ip"] for each in ingress if each.get("ip")] + (spec.get("externalIPs") or [])
        for port in spec.get("ports") or []:
            protocol = port.get("protocol", "TCP").lower()
            behind = tuple(
                (pod["status"]["podIP"], number)
                for pod in sorted(chosen, key=lambda pod: str(pod["metadata"]["name"]))
                if (number := _target(pod, port))
            )
            for address in [spec["clusterIP"], *outside]:
                found.append(Frontend(address, protocol, port["port"], behind))
            if port.get("nodePort"):
                found.append(Frontend("", protocol, port["nodePort"], behind))
    return sorted(found, key=lambda each: (each.address, each.port, each.protocol))


def ready(pod: Object) -> bool:
    """Whether a pod takes connections: ready, with an address, and not about to go."""
    status = pod.get("status") or {}
    conditions = {each["type"]: each["status"] for each in status.get("conditions") or []}
    return bool(
        status.get("podIP")
        and conditions.get("Ready") == "True"
        and not pod["metadata"].get("deletionTimestamp")
    )


def _target(pod: Object, port: Object) -> int:
    target = port.get("targetPort") or port["port"]
    if isinstance(target, int):
        return target
    for container in pod["spec"]["containers"]:
        for each in container.get("ports") or []:
            if each.get("name") == target:
                return int(each["containerPort"])
    return int(target) if str(target).isdigit() else 0


def rules(found: Sequence[Frontend], unrouted: Sequence[str], masquerade: bool = True) -> str:
    """For iptables-restore --noflush: our two chains, whole.

    ``unrouted`` are the networks of pods, among which nothing is masqueraded; what leaves them may be.
    """
    lines = ["*nat", f":{FORWARD} - [0:0]", f":{BACK} - [0:0]"]
    for each in found:
        lines += _forward(each, unrouted)
    lines.append(f"-A {BACK} -m mark --mark {MARK} -j MASQUERADE")
    # A pod that reaches itself through a service would see no answer from its own address.
    for address in sorted({address for each in found for address, _ in each.backends}):
        lines.append(f"-A {BACK} -s {address}/32 -d {address}/32 -j MASQUERADE")
    for network in unrouted:
        lines.append(f"-A {BACK} -d {network} -j RETURN")
    lines.append(f"-A {BACK} -d 224.0.0.0/4 -j RETURN")
    for network in unrouted if masquerade else ():
        lines.append(f"-A {BACK} -s {network} -j MASQUERADE")
    # What has gone through cilium_host comes in a second time, with its addresses translated already.
    once = ["*raw", f":{FORWARD} - [0:0]", f"-A {FORWARD} -i {NET} -j CT --notrack", "COMMIT"]
    return "\n".join([*lines, "COMMIT", *once, ""])


def _forward(frontend: Frontend, unrouted: Sequence[str]) -> Iterator[str]:
    place = f"-d {frontend.address}/32" if frontend.address else "-m addrtype --dst-type LOCAL"
    match = f"-A {FORWARD} {place} -p {frontend.protocol} -m {frontend.protocol} --dport {frontend.port}"
    if frontend.backends:
        pods = "".join(f" ! -s {network}" for network in unrouted[:1])
        yield f"{match}{pods} -j MARK --set-xmark {MARK}"
    for number, (address, port) in enumerate(frontend.backends):
        left = len(frontend.backends) - number
        chance = f" -m statistic --mode random --probability {1 / left:.10f}" if left > 1 else ""
        yield f"{match}{chance} -j DNAT --to-destination {address}:{port}"


class Forwarding:
    """The rules in the kernel; without iptables on the host, none."""

    def __init__(self) -> None:
        self.present = shutil.which("iptables-restore") is not None
        self._last = ""
        if not self.present:
            log("warn", "No iptables on this host: services are not forwarded")

    def bring(self, text: str) -> None:
        """Make the rules what ``text`` says, if they are not."""
        if not self.present or text == self._last:
            return
        restore = ["iptables-restore", "--noflush", "--wait"]
        done = subprocess.run(restore, input=text, text=True, capture_output=True, check=False)
        if done.returncode:
            log("warn", "Cannot forward services", error=done.stderr.strip())
            return
        for table, chain, own in HOOKS:
            if not _iptables(table, "-C", chain, own):
                _iptables(table, "-I", chain, own)
        self._last = text


def _iptables(table: str, verb: str, chain: str, target: str) -> bool:
    command = ["iptables", "--wait", "-t", table, verb, chain, "-j", target]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0
