"""What a host lacks for its part in the lab. Pure: what was found and what is wanted in, problems out."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypedDict
from urllib.parse import urlsplit

from ciliumlab import sources
from ciliumlab.errors import Problem
from ciliumlab.findings import Answer, Findings, Reached
from ciliumlab.versions import containerd_unfit, distribution_containerd, helm_doubt, needs_cgroup_v2, parsed
from ciliumlab.wording import listed

# docs.cilium.io, System Requirements of 1.18: "Linux kernel >= 5.10 or equivalent".
_KERNEL = (5, 10)

# ControlPlaneNumCPU and ControlPlaneMem of kubeadm, cmd/kubeadm/app/constants/constants.go, which checks them
# in `init` and in `join --control-plane`; of a worker's it asks nothing.
_CPUS = 2
_MEMORY = 1700

# The share of a disk below which kubelet evicts pods (imagefs.available): kubernetes.io/docs/concepts/
# scheduling-eviction/node-pressure-eviction, "Hard eviction thresholds". And MiB for packages on any machine.
_FREE_SHARE = 0.15
_FREE = 1024

# By which a host's clock may differ from the controller's.
CLOCK_SECONDS = 5.0

# In curl's words of a failed connection, which are the same of one server but for this.
_TIME = re.compile(r" after \d+ m(?:illi)?s(?:econds)?\b")

# What a server says that is there: also one that answers HEAD with 405, or a registry that wants a login.
_THERE = (401, 405)

# What an add-on comes from, by its setting: a host's data, and the name there.
_ADDONS = {
    "local_path_provisioner": ("pinned_manifests", "local-path-provisioner"),
    "metrics_server": ("helm_charts", "metrics-server"),
}

Part = Literal["runtime", "cluster"]

# An address with the placeholders of ciliumlab.sources, or one by architecture ("amd64", "arm64").
Source = str | Mapping[str, str]


class Wants(TypedDict):
    """What a machine is to be.

    ``cluster`` is "required" or "auto": whether a source that cannot be reached is a problem, or leaves out
    what needs it. ``sources`` are by what needs them; without the runtime there is no cluster either.
    """

    node: bool
    control_plane: bool
    cluster: str
    kubernetes_version: str
    containerd_package: str
    helm_version: str
    modules: Sequence[str]
    interfaces: Mapping[str, Mapping[str, Any]]
    sources: Mapping[Part, Sequence[Source]]


def problems(found: Findings, wants: Wants, asked: float, answered: float) -> list[Problem]:
    """Whatever must be mended before anything is done, but for sources that cannot be reached.

    ``asked`` and ``answered`` are the controller's own time, in Unix seconds, around the question.
    """
    return [
        *_system(found),
        *(_node(found, wants) if wants["node"] else ()),
        *(_size(found) if wants["control_plane"] else ()),
        *_disk(found, wants["node"]),
        *_clock(found, asked, answered),
        *_network(found, wants["interfaces"]),
    ]


def doubts(wants: Wants) -> list[Problem]:
    """What may do harm, and is no reason to stop."""
    doubt = helm_doubt(wants["helm_version"], wants["kubernetes_version"]) if wants["helm_version"] else ""
    if not doubt or not wants["control_plane"]:
        return []
    return [Problem("helm", f"{doubt}; it may work, and a version that fits is surer (archives)")]


def unreachable(found: Reached, wants: Wants) -> dict[Part, list[Problem]]:
    """Sources that cannot be had on the host, by what needs them; a line for all that one server lacks in
    the same way.
    """
    lost: dict[Part, list[Problem]] = {}
    for part, wanted in wants["sources"].items():
        missing: dict[tuple[str, str], list[str]] = {}
        for address in dict.fromkeys(_address(source, found) for source in wanted):
            if why := _refusal(found["answers"].get(address)):
                missing.setdefault((server(address), why), []).append(address)
        if lines := [_lost(there, why, addresses) for (there, why), addresses in missing.items()]:
            lost[part] = lines
    return lost


def wanted(data: Mapping[str, Any], groups: Sequence[str]) -> Wants:
    """What a host of these groups is to be, out of its data in the inventory."""
    return {
        "node": "nodes" in groups,
        "control_plane": "control_plane" in groups,
        "cluster": data["cluster"],
        "kubernetes_version": data["kubernetes_version"],
        "containerd_package": data["containerd_package"],
        "helm_version": data["release_archives"].get("helm", {}).get("version", ""),
        "modules": data["kernel_modules"],
        "interfaces": data["interfaces"],
        "sources": needed(data, groups),
    }


def needed(data: Mapping[str, Any], groups: Sequence[str]) -> dict[Part, list[Source]]:
    """What a host of these groups takes from where, out of its data in the inventory.

    Of an apt repository this is the key: small, and where the packages are. Images are the mirror's
    archives, or without a mirror whole registries, which say that they are there at /v2/
    (github.com/opencontainers/distribution-spec, "Determining Support").
    """
    if "nodes" not in groups:
        return {}
    repositories = data["repositories"]
    mirrored = [image["url"] for image in data["mirrored_images"]]
    registries = [f"https://{name.partition('/')[0]}/v2/" for name in data["images"]]
    cluster: list[Source] = [repositories["kubernetes"]["key"], *(mirrored or dict.fromkeys(registries))]
    if "control_plane" in groups:
        for archive in data["release_archives"].values():
            cluster.append({arch: archive[arch]["url"] for arch in sources.ARCHITECTURES})
        cluster.append(data["helm_charts"]["cilium"]["url"])
        cluster += [data[kind][name]["url"] for switch, (kind, name) in _ADDONS.items() if data[switch]]
    runtime = [repositories["docker"]["key"]] if data["containerd_package"] == "containerd.io" else []
    return {"runtime": runtime, "cluster": cluster}


def addresses(reached: Reached, wants: Wants) -> list[str]:
    """Where the host asks for its sources."""
    return [_address(source, reached) for part in wants["sources"].values() for source in part]


def _address(source: Source, found: Reached) -> str:
    return sources.filled(
        source if isinstance(source, str) else source.get(found["arch"], ""),
        distribution=found["distribution"].partition("-")[0],
        codename=found["codename"],
        arch=found["arch"],
    )


def _system(found: Findings) -> Iterator[Problem]:
    known = [f"{name} {codename}" for name, codename in sources.DISTRIBUTIONS]
    here = f"{found['distribution'].partition('-')[0]} {found['codename']}"
    if here not in known:
        yield Problem(here, f"is no distribution that is known here; install {listed(known, 'or')}")
    if parsed(found["kernel"]) < _KERNEL:
        what = f"Linux {found['kernel']} is older than Cilium's 5.10; install a newer one, and reboot"
        yield Problem("kernel", what)
    if not found["root"]:
        what = "cannot become root without a password; give the SSH user a NOPASSWD rule in /etc/sudoers.d"
        yield Problem("sudo", what)


def _node(found: Findings, wants: Wants) -> Iterator[Problem]:
    missing = [name for name in wants["modules"] if name.replace("-", "_") not in found["modules"]]
    # A container cannot tell what the kernel that it shares might load; its host must have loaded it.
    if missing and not found["container"]:
        what = (
            f"Linux {found['kernel']} has no {listed(missing)}; install the modules that belong to it, or"
            " reboot if the kernel was upgraded"
        )
        yield Problem("kernel modules", what)
    kubernetes = wants["kubernetes_version"]
    if found["kubelet"] not in ("", kubernetes):
        what = (
            f"{found['kubelet']} runs here, and {kubernetes} is wanted: a node moves by an upgrade alone;"
            " run tasks/upgrade.py, or want the version that runs"
        )
        yield Problem("kubelet", what)
    if found["cgroup"] != "cgroup2fs" and needs_cgroup_v2(kubernetes):
        what = (
            f"are version 1, which kubelet {kubernetes} refuses; boot with systemd.unified_cgroup_hierarchy=1"
        )
        yield Problem("control groups", what)
    version = distribution_containerd(found["distribution"])
    if wants["containerd_package"] == "containerd" and version:
        yield from containerd_unfit(f"containerd of {found['distribution']}", version, kubernetes)


def _size(found: Findings) -> Iterator[Problem]:
    if found["cpus"] < _CPUS:
        what = f"{found['cpus']}, kubeadm wants {_CPUS} on a control plane; give this machine more"
        yield Problem("processors", what)
    if found["memory"] < _MEMORY:
        what = f"{found['memory']} MiB, kubeadm wants {_MEMORY} on a control plane; give this machine more"
        yield Problem("memory", what)


def _disk(found: Findings, node: bool) -> Iterator[Problem]:
    size, free = found["disk"]["size"], found["disk"]["free"]
    if free < _FREE:
        yield Problem("disk", f"{free} MiB are free in /var/lib; make it {_FREE} or more")
    elif node and free < _FREE_SHARE * size:
        what = (
            f"{free} of {size} MiB are free in /var/lib, and kubelet evicts pods below {_FREE_SHARE:.0%};"
            " make room, or enlarge it"
        )
        yield Problem("disk", what)


def _clock(found: Findings, asked: float, answered: float) -> Iterator[Problem]:
    """However long the answer took, the host began it after the question and ended it before the answer."""
    ahead, behind = found["clock"]["ended"] - answered, asked - found["clock"]["began"]
    if max(ahead, behind) > CLOCK_SECONDS:
        way = f"{ahead:.0f} s ahead of" if ahead > behind else f"{behind:.0f} s behind"
        what = f"is {way} the controller's; set both right, as by `timedatectl set-ntp true`"
        yield Problem("clock", what)


def _network(found: Findings, interfaces: Mapping[str, Mapping[str, Any]]) -> Iterator[Problem]:
    cards = found["cards"]
    for name, wanted in interfaces.items():
        card = cards.get(name)
        for address in wanted["addresses"]:
            bare = address.partition("/")[0]
            holders = [other for other in cards if other != name and bare in _bare(cards[other]["addresses"])]
            if holders:
                what = f"{bare} is on {listed(holders)}; remove it there, or name that interface in lab.yaml"
                yield Problem(name, what)
        if card is None:
            # A dummy is made by the deploy, a card is not.
            if not wanted.get("dummy"):
                known = listed(other for other in cards if other != "lo")
                yield Problem(name, f"is no interface of this host, which has {known}; name it in lab.yaml")
        elif not set(wanted["addresses"]) <= set(card["addresses"]):
            if card["leased"]:
                what = f"has {listed(card['leased'])} by DHCP; name an interface in lab.yaml that is free"
                yield Problem(name, what)
            if card["master"]:
                what = f"is part of {card['master']}; name an interface in lab.yaml that is free"
                yield Problem(name, what)


def _bare(addresses: Iterable[str]) -> list[str]:
    return [address.partition("/")[0] for address in addresses]


def _refusal(answer: Answer | None) -> str:
    """Why an address cannot be had; empty when it can."""
    if answer is None:
        return "it could not be asked for, as there is neither curl nor python3"
    status = answer["status"]
    if not status:
        return _TIME.sub("", answer["trouble"]) or "no answer"
    return "" if 200 <= status < 400 or status in _THERE else f"HTTP status {status}"


def server(url: str) -> str:
    """The part of an address that a whole server has in common."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


def _lost(there: str, why: str, addresses: Sequence[str]) -> Problem:
    what = f"cannot be had: {why}; "
    if len(addresses) > 1:
        what = f"{len(addresses)} sources there, {urlsplit(addresses[0]).path} for one, {what}"
    if why.startswith("HTTP"):
        what += "check its version, or fill the mirror that it is to come from"
    else:
        what += "give this host a way there, or name a mirror by --data mirror=URL"
    return Problem(there if len(addresses) > 1 else addresses[0], what)
