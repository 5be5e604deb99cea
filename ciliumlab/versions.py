"""Which versions go together, and what goes with a version. Pure; each rule carries its source."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Protocol, TypeVar

from ciliumlab.errors import Problem

T = TypeVar("T")
Version = tuple[int, ...]
Table = Mapping[Version, T]


class Versions(Protocol):
    """The settings that versions depend on."""

    @property
    def kubernetes_version(self) -> str: ...
    @property
    def containerd_package(self) -> str: ...
    @property
    def containerd_version(self) -> str: ...


# kubeadm's PauseVersion (cmd/kubeadm/app/constants/constants.go) by the first minor that has it: 3.10.1 came
# by kubernetes/kubernetes#130713; that 1.36 wants 3.10.2 is said in kubeclipper/kubeclipper#947.
_PAUSE: Table[str] = {(1, 31): "3.10", (1, 34): "3.10.1", (1, 36): "3.10.2"}

# kubeadm reads kubeadm.k8s.io/v1beta4 from 1.31 on: CHANGELOG-1.31.md of Kubernetes.
_OLDEST_KUBERNETES = (1, 31)

# The oldest containerd by the first minor of Kubernetes: RELEASES.md of containerd, "Kubernetes Support". A
# kubelet of today speaks CRI v1 only, which 1.6 brought, and 1.36 is the first minor without any 1.x.
_OLDEST_CONTAINERD: Table[Version] = {(1, 31): (1, 6), (1, 36): (2, 0)}

# The first whose kubelet does not start on cgroup v1 by default: kubernetes/kubernetes#134298.
_CGROUP_V2_ONLY = (1, 35)

# The distributions' package "containerd" as they were released: `apt-cache policy` with bookworm/main and
# trixie/main, and packages.ubuntu.com/noble. Updates only raise it.
_DISTRIBUTION_CONTAINERD = {"debian-12": "1.6.20", "debian-13": "1.7.24", "ubuntu-24.04": "1.7.12"}


def unfit(settings: Versions) -> list[Problem]:
    """What cannot work together in the settings, as far as it can be told without asking a host."""
    problems = []
    kubernetes = settings.kubernetes_version
    if parsed(kubernetes) < _OLDEST_KUBERNETES:
        what = f"{kubernetes} is older than 1.31, the first whose kubeadm reads v1beta4; choose a newer one"
        problems.append(Problem("kubernetes_version", what))
    elif settings.containerd_package == "containerd.io":
        problems += containerd_unfit("containerd_version", settings.containerd_version, kubernetes)
    return problems


def containerd_unfit(where: str, containerd: str, kubernetes: str) -> list[Problem]:
    """Why this containerd does not do for this Kubernetes, if it does not; ``where`` names the place."""
    oldest = _since(_OLDEST_CONTAINERD, kubernetes)
    if parsed(containerd) >= oldest:
        return []
    wanted = ".".join(map(str, oldest))
    what = (
        f"containerd {containerd} does not do for Kubernetes {kubernetes}, which needs {wanted} or newer;"
        f" set containerd_package to containerd.io and containerd_version to {wanted} or newer"
    )
    return [Problem(where, what)]


def distribution_containerd(distribution: str) -> str | None:
    """The version of the package "containerd" of a distribution such as "debian-13", where it is known."""
    return _DISTRIBUTION_CONTAINERD.get(distribution)


def helm_doubt(helm: str, kubernetes: str) -> str:
    """Why this Helm may not know this Kubernetes, if so. Helm promises nothing then, and mostly works, so
    that it is no reason to refuse anything.

    helm.sh/docs/topics/version_skew: Helm 3.18 is for Kubernetes 1.33 to 1.30, and each minor of either for
    one of the other. Of Helm 4 that page is not known here.
    """
    (major, minor), (_, wanted) = parsed(helm)[:2], parsed(kubernetes)[:2]
    newest = minor - 18 + 33
    if major != 3 or newest - 3 <= wanted <= newest:
        return ""
    return f"Helm {helm} is made for Kubernetes 1.{newest - 3} to 1.{newest}, not for {kubernetes}"


def pause_image(kubernetes: str) -> str:
    """The sandbox image that kubeadm of this version expects, so that no other one is fetched beside it."""
    return f"registry.k8s.io/pause:{_since(_PAUSE, kubernetes)}"


def needs_cgroup_v2(kubernetes: str) -> bool:
    """Whether kubelet of this version refuses to run on cgroup v1."""
    return parsed(kubernetes) >= _CGROUP_V2_ONLY


def parsed(version: str) -> Version:
    """``1.33.2`` as numbers to compare; what a package adds to them does not count.

    Raises ValueError for what does not begin with a version.
    """
    found = re.match(r"v?(\d+(?:\.\d+)+)", version)
    if found is None:
        raise ValueError(f"{version} is no version")
    return tuple(int(number) for number in found[1].split("."))


def _since(table: Table[T], version: str) -> T:
    """The entry of the newest version that is not newer than ``version``; of the oldest, if all are."""
    minors = sorted(table)
    return table[max((minor for minor in minors if minor <= parsed(version)), default=minors[0])]
