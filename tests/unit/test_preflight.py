"""What stands against a host: one thing changed on a host that is fit, and the line that says it."""

from __future__ import annotations

from typing import Any

import pytest

from ciliumlab import preflight

ASKED, ANSWERED = 1000.0, 1020.0

FIT: dict[str, Any] = {
    "distribution": "debian-13",
    "codename": "trixie",
    "arch": "amd64",
    "kernel": "6.12.41+deb13-cloud-amd64",
    "container": False,
    "modules": ["overlay", "br_netfilter"],
    "cgroup": "cgroup2fs",
    "kubelet": "",
    "cpus": 2,
    "memory": 2519,
    "disk": {"size": 9955, "free": 8012},
    "root": True,
    "cards": {
        "lo": {"addresses": [], "leased": [], "master": ""},
        "eth0": {"addresses": ["10.0.2.15/24"], "leased": ["10.0.2.15/24"], "master": ""},
        "eth1": {"addresses": [], "leased": [], "master": ""},
    },
    "answers": {},
    "clock": {"began": 1001.0, "ended": 1019.0},
}

CONTROL_PLANE: dict[str, Any] = {
    "node": True,
    "control_plane": True,
    "cluster": "required",
    "kubernetes_version": "1.33.2",
    "containerd_package": "containerd.io",
    "helm_version": "3.21.4",
    "modules": ["overlay", "br-netfilter"],
    "interfaces": {"eth1": {"addresses": ["192.168.10.100/24"], "routes": []}},
    "sources": {},
}


def problems(wants: dict[str, Any] | None = None, **found: Any) -> list[str]:
    answer: Any = FIT | found
    wanted: Any = CONTROL_PLANE | (wants or {})
    return [str(problem) for problem in preflight.problems(answer, wanted, ASKED, ANSWERED)]


def card(*addresses: str, leased: bool = False, master: str = "") -> dict[str, Any]:
    return {"addresses": [*addresses], "leased": [*addresses] if leased else [], "master": master}


@pytest.mark.parametrize(
    ("wants", "found"),
    [
        pytest.param({}, {}, id="a fresh guest"),
        pytest.param({}, {"cards": FIT["cards"] | {"eth1": card("192.168.10.100/24")}}, id="a second run"),
        pytest.param({}, {"cards": FIT["cards"] | {"eth1": card("192.168.10.9/24")}}, id="an old address"),
        pytest.param({}, {"container": True, "modules": []}, id="a container, whose kernel is another's"),
        pytest.param({}, {"cgroup": "tmpfs"}, id="cgroup v1 before 1.35"),
        pytest.param({}, {"kernel": "5.10.0-8-amd64"}, id="the oldest kernel"),
        pytest.param({}, {"memory": 1700}, id="just enough memory"),
        pytest.param({}, {"clock": {"began": 995.5, "ended": 1024.5}}, id="a clock that is a little off"),
        pytest.param({"control_plane": False}, {"cpus": 1, "memory": 900}, id="a small worker"),
        pytest.param({"containerd_package": "containerd"}, {}, id="the distribution's containerd"),
        pytest.param(
            {
                "node": False,
                "control_plane": False,
                "modules": [],
                "interfaces": {"loop1": {"addresses": ["10.10.1.200/24"], "routes": [], "dummy": True}},
            },
            {"modules": [], "disk": {"size": 99999, "free": 2000}},
            id="a router, its dummies to be made",
        ),
    ],
)
def test_fit(wants: dict[str, Any], found: dict[str, Any]) -> None:
    assert problems(wants, **found) == []


@pytest.mark.parametrize(
    ("wants", "found", "line"),
    [
        (
            {},
            {"distribution": "debian-11", "codename": "bullseye"},
            "debian bullseye: is no distribution that is known here; install debian bookworm, debian trixie"
            " or ubuntu noble",
        ),
        (
            {},
            {"kernel": "5.4.0-150-generic"},
            "kernel: Linux 5.4.0-150-generic is older than Cilium's 5.10; install a newer one, and reboot",
        ),
        (
            {},
            {"root": False},
            "sudo: cannot become root without a password; give the SSH user a NOPASSWD rule in"
            " /etc/sudoers.d",
        ),
        (
            {},
            {"modules": ["overlay"]},
            "kernel modules: Linux 6.12.41+deb13-cloud-amd64 has no br-netfilter; install the modules that"
            " belong to it, or reboot if the kernel was upgraded",
        ),
        (
            {"kubernetes_version": "1.33.3"},
            {"kubelet": "1.33.2"},
            "kubelet: 1.33.2 runs here, and 1.33.3 is wanted: a node moves by an upgrade alone; run"
            " tasks/upgrade.py, or want the version that runs",
        ),
        (
            {"kubernetes_version": "1.35.0"},
            {"cgroup": "tmpfs"},
            "control groups: are version 1, which kubelet 1.35.0 refuses; boot with"
            " systemd.unified_cgroup_hierarchy=1",
        ),
        (
            {"kubernetes_version": "1.36.0", "containerd_package": "containerd"},
            {},
            "containerd of debian-13: containerd 1.7.24 does not do for Kubernetes 1.36.0, which needs 2.0 or"
            " newer; set containerd_package to containerd.io and containerd_version to 2.0 or newer",
        ),
        ({}, {"cpus": 1}, "processors: 1, kubeadm wants 2 on a control plane; give this machine more"),
        (
            {},
            {"memory": 1699},
            "memory: 1699 MiB, kubeadm wants 1700 on a control plane; give this machine more",
        ),
        (
            {},
            {"disk": {"size": 9955, "free": 1400}},
            "disk: 1400 of 9955 MiB are free in /var/lib, and kubelet evicts pods below 15%; make room, or"
            " enlarge it",
        ),
        (
            {"node": False, "control_plane": False},
            {"disk": {"size": 2000, "free": 900}},
            "disk: 900 MiB are free in /var/lib; make it 1024 or more",
        ),
        (
            {},
            {"clock": {"began": 4600.0, "ended": 4619.0}},
            "clock: is 3599 s ahead of the controller's; set both right, as by `timedatectl set-ntp true`",
        ),
        (
            {},
            {"clock": {"began": 990.0, "ended": 1008.0}},
            "clock: is 10 s behind the controller's; set both right, as by `timedatectl set-ntp true`",
        ),
        (
            {},
            {"cards": {"lo": card(), "eth0": card("10.0.2.15/24", leased=True)}},
            "eth1: is no interface of this host, which has eth0; name it in lab.yaml",
        ),
        (
            {},
            {"cards": FIT["cards"] | {"eth2": card("192.168.10.100/16")}},
            "eth1: 192.168.10.100 is on eth2; remove it there, or name that interface in lab.yaml",
        ),
        (
            {"interfaces": {"eth0": {"addresses": ["192.168.10.100/24"], "routes": []}}},
            {},
            "eth0: has 10.0.2.15/24 by DHCP; name an interface in lab.yaml that is free",
        ),
        (
            {},
            {"cards": FIT["cards"] | {"eth1": card(master="br0")}},
            "eth1: is part of br0; name an interface in lab.yaml that is free",
        ),
    ],
)
def test_unfit(wants: dict[str, Any], found: dict[str, Any], line: str) -> None:
    assert problems(wants, **found) == [line]


def test_all_of_it_is_said_at_once() -> None:
    assert len(problems(kernel="4.19.0", root=False, cpus=1, memory=512, modules=[])) == 5


@pytest.mark.parametrize("answered", [1001.0, 1300.0])
def test_a_slow_host_is_not_a_wrong_clock(answered: float) -> None:
    """However long it took to get there and back, the clock cannot be seen to be off."""
    found: Any = FIT | {"clock": {"began": 1000.5, "ended": 1000.6}}
    wants: Any = CONTROL_PLANE
    assert list(preflight.problems(found, wants, 1000.0, answered)) == []


def lost(answers: dict[str, Any], sources: dict[str, Any]) -> dict[str, list[str]]:
    found: Any = FIT | {"answers": answers}
    wants: Any = CONTROL_PLANE | {"sources": sources}
    return {part: [str(one) for one in lines] for part, lines in preflight.unreachable(found, wants).items()}


@pytest.mark.parametrize("status", [200, 204, 302, 401, 405])
def test_sources_that_are_there(status: int) -> None:
    answers = {"http://a/debian/trixie/amd64": {"status": status, "trouble": ""}}
    assert lost(answers, {"cluster": ["http://a/{distribution}/{codename}/{arch}"]}) == {}


@pytest.mark.parametrize("time", ["{} ms", "{} milliseconds"])
def test_the_time_that_a_connection_took_to_fail_is_no_other_cause(time: str) -> None:
    said = "Failed to connect to 10.0.2.2 port 9 after {}: Could not connect to server"
    urls = ["http://10.0.2.2:9/a", "http://10.0.2.2:9/b"]
    answers = {
        url: {"status": 0, "trouble": said.format(time.format(number))} for number, url in enumerate(urls)
    }
    assert lost(answers, {"cluster": urls}) == {
        "cluster": [
            "http://10.0.2.2:9: 2 sources there, /a for one, cannot be had: Failed to connect to 10.0.2.2"
            " port 9: Could not connect to server; give this host a way there, or name a mirror by --data"
            " mirror=URL"
        ]
    }


def test_sources_that_are_not_are_told_by_server_and_cause() -> None:
    unresolved = {"status": 0, "trouble": "Could not resolve host: get.helm.sh"}
    answers = {
        "https://get.helm.sh/a": unresolved,
        "https://get.helm.sh/amd64": unresolved,
        "http://mirror/keys/docker.asc": {"status": 404, "trouble": ""},
    }
    sources = {
        "runtime": ["http://mirror/keys/docker.asc"],
        "cluster": [
            "https://get.helm.sh/a",
            {"amd64": "https://get.helm.sh/amd64", "arm64": "x"},
            "http://b/",
        ],
    }
    assert lost(answers, sources) == {
        "runtime": [
            "http://mirror/keys/docker.asc: cannot be had: HTTP status 404; check its version, or fill the"
            " mirror that it is to come from"
        ],
        "cluster": [
            "https://get.helm.sh: 2 sources there, /a for one, cannot be had: Could not resolve host:"
            " get.helm.sh; give this host a way there, or name a mirror by --data mirror=URL",
            "http://b/: cannot be had: it could not be asked for, as there is neither curl nor python3; give"
            " this host a way there, or name a mirror by --data mirror=URL",
        ],
    }


DATA: dict[str, Any] = {
    "repositories": {"kubernetes": {"key": "http://k8s/key"}, "docker": {"key": "http://docker/key"}},
    "release_archives": {"helm": {"amd64": {"url": "http://helm/1"}, "arm64": {"url": "http://helm/2"}}},
    "mirrored_images": [],
    "images": ["registry.k8s.io/pause:3.10", "registry.k8s.io/etcd:3.5", "quay.io/cilium/cilium:v1.18.0"],
    "containerd_package": "containerd.io",
    "helm_charts": {"cilium": {"url": "http://cilium"}, "metrics-server": {"url": "http://metrics"}},
    "pinned_manifests": {"local-path-provisioner": {"url": "http://local-path"}},
    "local_path_provisioner": False,
    "metrics_server": False,
}


def test_each_host_is_asked_for_what_it_takes() -> None:
    worker = preflight.needed(DATA, ["workers", "nodes"])
    registries = ["https://registry.k8s.io/v2/", "https://quay.io/v2/"]
    assert worker == {"runtime": ["http://docker/key"], "cluster": ["http://k8s/key", *registries]}
    control_plane = preflight.needed(DATA, ["control_plane", "nodes"])
    assert control_plane["cluster"][-2:] == [
        {"amd64": "http://helm/1", "arm64": "http://helm/2"},
        "http://cilium",
    ]
    assert preflight.needed(DATA, ["routers"]) == {}


def test_add_ons_that_are_wanted_are_asked_for() -> None:
    wanted = DATA | {"local_path_provisioner": True, "metrics_server": True}
    for groups, addresses in (
        (["control_plane", "nodes"], ["http://local-path", "http://metrics"]),
        (["workers", "nodes"], []),
    ):
        more = preflight.needed(wanted, groups)["cluster"]
        assert more == preflight.needed(DATA, groups)["cluster"] + addresses


def test_a_mirror_has_the_images_and_the_distribution_its_containerd() -> None:
    data = DATA | {"mirrored_images": [{"url": "http://m/pause.tar"}], "containerd_package": "containerd"}
    needed = preflight.needed(data, ["workers", "nodes"])
    assert needed == {"runtime": [], "cluster": ["http://k8s/key", "http://m/pause.tar"]}
