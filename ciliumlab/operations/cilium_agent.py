"""What the values of Cilium's chart make of an agent, compared with what it runs. Pure functions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypedDict

from ciliumlab.facts.cilium import AgentState

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


def wanted_by(values: Values, version: str) -> Wanted:
    """What the agent makes of the chart's values and their defaults, values.yaml of the chart 1.18.0."""
    mode = _at(values, "routingMode") or "tunnel"
    tunnel = _at(values, "tunnelProtocol") or "vxlan"
    masquerades = _at(values, "enableIPv4Masquerade")
    by_bpf = _true(_at(values, "bpf", "masquerade"))
    own_image = _at(values, "image", "tag") or _at(values, "image", "override")
    return Wanted(
        version="" if own_image else version,
        mode="native" if mode == "native" else f"{mode} ({tunnel})",
        kube_proxy_replacement=_true(_at(values, "kubeProxyReplacement")),
        masquerading="off"
        if masquerades is not None and not _true(masquerades)
        else ("bpf" if by_bpf else "iptables"),
        l2_announcements=_true(_at(values, "l2announcements", "enabled")),
        bgp=_true(_at(values, "bgpControlPlane", "enabled")),
        devices=_devices(_at(values, "devices")),
    )


def against(name: str, found: AgentState, wanted: Wanted) -> Iterator[str]:
    """In what the agent on the node ``name`` differs, a line each."""
    if found["trouble"]:
        yield f"the agent on {name} does not answer: {found['trouble']}"
        return
    if found["state"] != "Ok":
        yield f"the agent on {name} is not well: {found['state']} {found['message']}".rstrip()
    pairs: dict[str, tuple[str | bool | None, str | bool]] = {
        "version": (found["version"], wanted["version"] or found["version"]),
        "routing mode": (mode_of(found), wanted["mode"]),
        "kube-proxy replacement": (found["kube_proxy_replacement"], wanted["kube_proxy_replacement"]),
        "masquerading": (found["masquerading"], wanted["masquerading"]),
        "L2 announcements": (found["l2_announcements"], wanted["l2_announcements"]),
        "BGP control plane": (found["bgp"], wanted["bgp"]),
    }
    for what, (runs, wants) in pairs.items():
        if runs is not None and runs != wants:
            yield f"the agent on {name} runs with {what} {_word(runs)}, and {_word(wants)} is wanted"
    if not _serves(found["devices"], wanted["devices"]):
        runs, wants = (" ".join(names) or "none" for names in (found["devices"], wanted["devices"]))
        yield f"the agent on {name} runs with devices {runs}, and {wants} is wanted"


def mode_of(found: AgentState) -> str:
    """Its routing mode: "native", "tunnel (vxlan)"; empty where it is not known."""
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
