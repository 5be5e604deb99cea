"""An inventory: the lab's, on pyinfra's @fake connector, with hosts that nothing was done to yet."""

import json
import runpy
from pathlib import Path

from ciliumlab import preflight, sources

_ROOT = Path(__file__).parents[3]
_SETTINGS = runpy.run_path(str(_ROOT / "group_data" / "all.py"))


def _units(*names, state):
    load, active, *file = state.split()
    block = [f"LoadState={load}", f"ActiveState={active}", f"UnitFileState={''.join(file)}"]
    blocks = [line for _ in names for line in (*block, "")][:-1]
    return ["units", *blocks, "names", *names, "restarts"]


def _parts(*answers):
    """The answer to what is asked for as several facts."""
    return [line for answer in answers for line in ("begins", *answer, "ends with 0")]


def _offered(*names):
    return [f"{name}={_SETTINGS['kubernetes_version']}-1.1" for name in names]


# What hosts answer, by a piece of the command that asks; the first piece that is in it counts.
_ANSWERS = {
    "containerd --version": ["files", "said", "", "command", "serving", "containers"],
    "/var/lib/ciliumlab/kubeadm-started": ["files", "started", "endpoint", "health"],
    "helm version": [
        *("release", "kube-system/cilium", "helm", "busy", "history", "sh: 1: helm: not found"),
        *("values", "workloads"),
    ],
    "--show-managed-fields": ["recorded", "sh: 1: kubectl: not found", "answered", "127", "objects"],
    "ciliumloadbalancerippools": ["pools", "sh: 1: kubectl: not found", "services"],
    "cilium.sock": ["health", "no agent", "config", "no agent", "routes"],
    "/sys/class/net": ["devices", "files"],
    "get ciliumnodes": ["nodes", "sh: 1: kubectl: not found"],
    "vtysh": ["summary", "sh: 1: vtysh: not found", "routes", "configuration"],
    "frr.service": _units("frr.service", state="not-found inactive"),
    "get nodes -o json": ["ca", "version", "nodes", "sh: 1: kubectl: not found", "proxy"],
    "get-contexts": ["merged", "current", "mode", "contexts"],
    "/var/backups/etcd": ["flags", "snapshots"],
    "apt-helper": ["offered", *_offered("kubeadm", "kubectl", "kubelet")],
    "images check": ["images"],
    "/usr/local/bin": ["architecture", "amd64", "notes", "programs"],
    "VERSION_CODENAME": _parts(["system", "debian", "trixie", "architecture", "amd64"], ["files"]),
    "dpkg-query": ["distribution", "debian-13", "packages", "ii |netplan.io|1.1.2", "journal"],
    "list-unit-files": ["container", "used", "units", "swap.target static -"],
    "/proc/modules": ["container", "loaded", "builtin"],
    "/proc/sys/": ["container", "values", "/proc/sys/net/ipv4/ip_forward:0"],
    "ufw.service": _units("ufw.service", "apparmor.service", state="not-found inactive"),
    "systemd-networkd.service": _units("systemd-networkd.service", state="loaded active enabled"),
    "apache2.service": _units("apache2.service", state="not-found inactive"),
    "containerd.service": _units("containerd.service", state="not-found inactive"),
    "haproxy.service": _units("haproxy.service", state="not-found inactive"),
    "kubelet.service": _units("kubelet.service", state="not-found inactive"),
    "systemd-resolved.service": _units("systemd-resolved.service", state="not-found inactive"),
    "readlink": ["localtime", "/usr/share/zoneinfo/Etc/UTC", "timezone"],
    "ip -json": _parts(["files"], ["links", "[]", "routes", "[]"]),
    "cat-config -- ": ["configuration"],
    "mktemp": ["answer", "yes"],
    "sha256sum -- ": ["files"],
    "base64 -w0": ["files"],
}
_SECTIONS = {
    *("begins", "ends with 0"),
    *("distribution", "packages", "journal", "container", "used", "units", "loaded", "builtin"),
    *("files", "values", "names", "restarts", "localtime", "timezone", "links"),
    *("routes", "answer", "version", "said", "command", "started", "serving", "containers"),
    *("started", "endpoint", "health", "ca", "nodes", "proxy", "merged", "current", "mode", "contexts"),
    *("service", "recorded", "answered", "objects", "pools", "services", "devices"),
    *("config", "summary", "configuration", "release", "helm", "busy", "history", "workloads"),
    *("flags", "snapshots", "offered", "images", "architecture", "source", "key", "notes", "programs"),
    *(
        "began",
        "system",
        "modules",
        "cgroup",
        "kubelet",
        "cpus",
        "memory",
        "disk",
        "root",
        "cards",
        "answers",
        "ended",
    ),
}


def _fit(data):
    """The answer of a host that is fit for its part and reaches all of its sources."""
    needed = [source for part in preflight.needed(data, data["groups"]).values() for source in part]
    places = {"distribution": "debian", "codename": "trixie", "arch": "amd64"}
    urls = [sources.filled(url if isinstance(url, str) else url["amd64"], **places) for url in needed]
    names = ["eth0", *(name for name, one in data["interfaces"].items() if not one.get("dummy"))]
    cards = [{"ifname": name, "addr_info": []} for name in names]
    # Whenever it answers, nothing can be said against its clock.
    return [
        *("began", "inf", "system", "debian-13", "trixie", "amd64", "6.12.41+deb13-cloud-amd64", "container"),
        *("modules", *data["kernel_modules"], "cgroup", "cgroup2fs", "kubelet", "cpus", "2"),
        *("memory", "MemTotal: 2580476 kB", "disk", "9955 8012", "root", "yes", "cards", json.dumps(cards)),
        *("answers", *(f"|200|{url}|" for url in urls), "ended", "-inf"),
    ]


def _answer(lines):
    return [f"==ciliumlab== {line}" if line in _SECTIONS else line for line in lines]


def _fake_host(data):
    """The host's data, and what it answers: what it is fit for before all that is in that question too."""
    answers = {"MemTotal": _fit(_SETTINGS | data), **_ANSWERS}
    responses = {piece: _answer(lines) for piece, lines in answers.items()}
    # Hosts have the connector in their names here, and so what names them has it too.
    named = {key: [f"@fake/{name}" for name in data[key]] for key in ("nodes", "control_plane", "routers")}
    return {**data, **named, "fake_delay": 0, "fake_delay_jitter": 0, "fake_responses": responses}


def _fake(groups):
    return {
        name: [(f"@fake/{host}", _fake_host(data)) for host, data in hosts]
        for name, hosts in groups.items()
        if not name.startswith("_") and isinstance(hosts, list)
    }


globals().update(_fake(runpy.run_path(str(_ROOT / "inventory" / "lab.py"))))
