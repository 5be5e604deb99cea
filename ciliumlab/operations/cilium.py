"""Cilium's agents: that they run what was declared, and what they leave behind."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from typing import Any, TypedDict

from pyinfra.context import host, state

from ciliumlab.facts.cilium import HOST_DEVICE, Agent, AgentState, HostRoute, PodCidrs
from ciliumlab.operations.api import Commands, Refused, operation, preparing, read, read_on
from ciliumlab.operations.steps import Shell
from ciliumlab.operations.waits import Until
from ciliumlab.versions import parsed

# cilium/cilium#41811: these look for such a route with the MTU of the mode that they run in, and so find no
# route that was made in the other one. #41819 mends it.
_LEAVING_ROUTES = ((1, 18, 0), (1, 18, 2))

Values = Mapping[str, Any]


class Wanted(TypedDict):
    """What an agent runs with these values: as facts.cilium.AgentState. An empty ``version``, and empty
    ``devices``, are any.
    """

    version: str
    mode: str
    kube_proxy_replacement: bool
    masquerading: str
    l2_announcements: bool
    bgp: bool
    devices: list[str]


@operation
def running(values: Values, nodes: Collection[str] = (), version: str = "", timeout: int = 600) -> Commands:
    """
    Have the agent on this node run what the chart's values say.

    + values: of the release, complete; what they leave out is the chart's default
    + nodes: names of all nodes, to tell which of them runs what when this one runs something else
    + version: of Cilium, "1.18.0"; any by default
    + timeout: seconds in which the agent must have come to it

    Not what it was told counts, but what it runs: an agent that was not restarted runs what it did before,
    and nodes in mixed modes drop each other's packets (cilium/cilium#9680).
    """
    wanted = _wanted(values, version)
    found = read(Agent)
    against = list(_against(found, wanted))
    if not against:
        host.noop(f"the agent runs {wanted['mode']}, and all else as declared")
        return
    if preparing() and state.config.DIFF:
        for line in against:
            host.log(f"Will be waited for: {line}")
    yield Until(
        f"the agent on {host.name} runs what is declared",
        lambda: list(_against(read(Agent), wanted)),
        seconds=timeout,
        besides=lambda: list(_mixed(nodes)),
    )


@operation
def without_stale_routes(node: str, through: str) -> Commands:
    """
    Have no route on this node that the agent left behind when it was switched from a tunnel to native mode.

    + node: this node's name in the cluster
    + through: a host of the control plane, where the nodes' pod CIDRs are asked for

    Agents 1.18.0 to 1.18.2 leave those that lead to other nodes' pods, by cilium_host, where no tunnel is
    any more. Others remove them, and are left to it.
    """
    found = read(Agent)
    if found["trouble"]:
        if not preparing():
            raise Refused(f"the agent on {node} does not answer ({found['trouble']}); nothing was changed")
        host.noop("to be seen once the agent runs")
        return
    if not _leaves_routes(found):
        host.noop(f"an agent {found['version']} that runs {_mode(found)} leaves none")
        return
    stale = list(_stale(found, node, through))
    for route in stale:
        via = f" via {route['via']}" if route["via"] else ""
        yield Shell(f"ip -4 route delete {route['to']}{via} dev {HOST_DEVICE}")
    if not stale:
        host.noop(f"no route of {HOST_DEVICE} leads to pods of other nodes")


def _leaves_routes(found: AgentState) -> bool:
    oldest, newest = _LEAVING_ROUTES
    return (
        found["routing"] == "native"
        and bool(found["version"])
        and oldest <= parsed(found["version"]) <= newest
    )


def _stale(found: AgentState, node: str, through: str) -> Iterator[HostRoute]:
    pods = read_on(through, PodCidrs)
    if pods["trouble"]:
        raise Refused(f"the nodes' pod CIDRs cannot be read ({pods['trouble']}); nothing was changed")
    others = {cidr for name, its in pods["nodes"].items() if name != node for cidr in its["cidrs"]}
    yield from (route for route in found["routes"] if route["to"] in others)


def _wanted(values: Values, version: str) -> Wanted:
    """What the agent makes of the chart's values and their defaults, values.yaml of the chart 1.18.0."""
    mode = _at(values, "routingMode") or "tunnel"
    tunnel = _at(values, "tunnelProtocol") or "vxlan"
    masquerades = _at(values, "enableIPv4Masquerade")
    by_bpf = _true(_at(values, "bpf", "masquerade"))
    return Wanted(
        version=version,
        mode="native" if mode == "native" else f"{mode} ({tunnel})",
        kube_proxy_replacement=_true(_at(values, "kubeProxyReplacement")),
        masquerading="off"
        if masquerades is not None and not _true(masquerades)
        else ("bpf" if by_bpf else "iptables"),
        l2_announcements=_true(_at(values, "l2announcements", "enabled")),
        bgp=_true(_at(values, "bgpControlPlane", "enabled")),
        devices=_devices(_at(values, "devices")),
    )


def _against(found: AgentState, wanted: Wanted) -> Iterator[str]:
    """In what the agent differs, a line each."""
    if found["trouble"]:
        yield f"the agent on {host.name} does not answer: {found['trouble']}"
        return
    if found["state"] != "Ok":
        yield f"the agent on {host.name} is not well: {found['state']} {found['message']}".rstrip()
    pairs: dict[str, tuple[str | bool | None, str | bool]] = {
        "version": (found["version"], wanted["version"] or found["version"]),
        "routing mode": (_mode(found), wanted["mode"]),
        "kube-proxy replacement": (found["kube_proxy_replacement"], wanted["kube_proxy_replacement"]),
        "masquerading": (found["masquerading"], wanted["masquerading"]),
        "L2 announcements": (found["l2_announcements"], wanted["l2_announcements"]),
        "BGP control plane": (found["bgp"], wanted["bgp"]),
    }
    for what, (runs, wants) in pairs.items():
        if runs is not None and runs != wants:
            yield f"the agent on {host.name} runs with {what} {_word(runs)}, and {_word(wants)} is wanted"
    if not _serves(found["devices"], wanted["devices"]):
        runs, wants = (" ".join(names) or "none" for names in (found["devices"], wanted["devices"]))
        yield f"the agent on {host.name} runs with devices {runs}, and {wants} is wanted"


def _mixed(nodes: Collection[str]) -> Iterator[str]:
    """That nodes run different modes, if so. One that cannot be asked runs none."""
    modes = {}
    for name in nodes:
        with suppress(Refused):
            if mode := _mode(read_on(name, Agent)):
                modes[name] = mode
    if len({*modes.values()}) > 1:
        each = ", ".join(f"{name} {mode}" for name, mode in modes.items())
        yield f"nodes in mixed modes drop each other's packets: {each}"


def _mode(found: AgentState) -> str:
    return f"tunnel ({found['tunnel']})" if found["routing"] == "tunnel" else found["routing"]


def _word(value: str | bool) -> str:
    return ("on" if value else "off") if isinstance(value, bool) else value or "unknown"


def _at(values: Any, *path: str) -> Any:
    for key in path:
        values = values.get(key) if isinstance(values, Mapping) else None
    return values


def _true(value: object) -> bool:
    """Whether a value is true; the chart takes true and "true" for the same."""
    return str(value).lower() == "true"


def _devices(value: object) -> list[str]:
    if isinstance(value, str):
        return value.replace(",", " ").split()
    return [str(name) for name in value] if isinstance(value, list | tuple) else []


def _serves(found: Collection[str], wanted: Collection[str]) -> bool:
    """Whether the devices are some of those that were asked for: a name, a beginning ("eth+"), or one or the
    other that shall not be ("!eth0"), as in the agent's --devices. Names that a node does not have are none.
    """
    without = [name.removeprefix("!") for name in wanted if name.startswith("!")]
    names = [name for name in wanted if not name.startswith("!")]
    return (
        (bool(found) or not wanted)
        and all(not names or any(_matches(one, name) for name in names) for one in found)
        and not any(_matches(one, name) for one in found for name in without)
    )


def _matches(device: str, pattern: str) -> bool:
    return device.startswith(pattern[:-1]) if pattern.endswith("+") else device == pattern
