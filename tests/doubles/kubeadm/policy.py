"""Kubernetes' version skew policy, as `kubeadm upgrade` enforces it.

https://kubernetes.io/releases/version-skew-policy/ and, for the words,
https://github.com/kubernetes/kubernetes/blob/release-1.33/cmd/kubeadm/app/phases/upgrade/policy.go
"""

from __future__ import annotations

import re
from collections.abc import Iterable

# How many minor releases a kubelet may be behind its control plane.
KUBELET_SKEW = 3

Version = tuple[int, int, int]


def parse(text: str) -> Version:
    match = re.fullmatch(r"v?(\d+)\.(\d+)\.(\d+)", text)
    if not match:
        raise ValueError(f'couldn\'t parse version "{text}"')
    major, minor, patch = map(int, match.groups())
    return major, minor, patch


def mandatory(wanted: str, cluster: str, kubeadm: str) -> list[str]:
    """What forbids an upgrade of a cluster to ``wanted``, whatever is forced."""
    new, old, ours = parse(wanted), parse(cluster), parse(kubeadm)
    found = []
    if new[1] > old[1] + 1:
        found.append(
            f'Specified version to upgrade to "{wanted}" is too high; kubeadm can upgrade only 1 minor '
            f"version at a time"
        )
    if new[1] < old[1] - 1:
        found.append(
            f'Specified version to downgrade to "{wanted}" is too low; kubeadm can downgrade only 1 '
            f"minor version at "
            "a time"
        )
    if new[1] > ours[1]:
        found.append(
            f'Specified version to upgrade to "{wanted}" is at least one minor release higher than the '
            f"kubeadm minor "
            f"release ({new[1]} > {ours[1]}). Such an upgrade is not supported"
        )
    return found


def skippable(wanted: str, kubeadm: str, kubelets: Iterable[str]) -> list[str]:
    """What forbids it unless it is forced."""
    new, ours = parse(wanted), parse(kubeadm)
    found = []
    if new[1] == ours[1] and new > ours:
        found.append(
            f'Specified version to upgrade to "{wanted}" is higher than the kubeadm version '
            f'"{kubeadm}". Upgrade '
            "kubeadm first using the tool you used to install kubeadm"
        )
    if ours[1] > new[1]:
        found.append(
            f"Kubeadm version {kubeadm} can only be used to upgrade to Kubernetes version {ours[0]}.{ours[1]}"
        )
    old = sorted({version for version in kubelets if new[1] > parse(version)[1] + KUBELET_SKEW})
    if old:
        found.append(
            f"There are kubelets in this cluster that are too old that have these versions [{' '.join(old)}]"
        )
    return found


def refusal(wanted: str, cluster: str, kubeadm: str, kubelets: Iterable[str], forced: bool = False) -> str:
    """Why an upgrade is refused, in kubeadm's words; "" if it is not."""
    fatal = mandatory(wanted, cluster, kubeadm)
    if fatal:
        return (
            "[upgrade/version] FATAL: the --version argument is invalid due to these fatal errors:\n\n"
            + "".join(f"\t- {said}\n" for said in fatal)
            + "\nPlease fix the misalignments highlighted above and try upgrading again"
        )
    errors = [] if forced else skippable(wanted, kubeadm, kubelets)
    if errors:
        return (
            "[upgrade/version] FATAL: the --version argument is invalid due to these errors:\n\n"
            + "".join(f"\t- {said}\n" for said in errors)
            + "\nCan be bypassed if you pass the --force flag"
        )
    return ""
