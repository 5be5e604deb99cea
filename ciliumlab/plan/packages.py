"""Debian packages: what nodes and the router get, and what a distribution does not have."""

from __future__ import annotations

from ciliumlab.errors import LabError, Problem
from ciliumlab.wording import instead

_EVERYWHERE = ["arping", "jq", "net-tools", "ngrep", "tcpdump", "termshark", "tree", "vim", "yq"]

NODE = sorted(
    [
        *_EVERYWHERE,
        # For package sources with keys of their own.
        *("apt-transport-https", "ca-certificates", "curl", "gpg"),
        *("bash-completion", "bridge-utils", "conntrack", "ipset", "kubecolor", "sshpass", "unzip"),
        "wireguard",
    ]
)

ROUTER = sorted([*_EVERYWHERE, "apache2"])

# Every name above was looked up; a distribution without one of them lists it here, with the source.
_MISSING: dict[str, frozenset[str]] = {
    # `apt-cache policy` with bookworm/main: all have a candidate.
    "debian-12": frozenset(),
    # `apt-cache policy` with trixie/main: all have a candidate.
    "debian-13": frozenset(),
    # The reference lab installs these tools on Ubuntu 24.04 in one apt-get; packages.ubuntu.com/noble has
    # apt-transport-https, kubecolor, ngrep, sshpass and yq in universe.
    "ubuntu-24.04": frozenset(),
}


def missing_from(distribution: str) -> frozenset[str]:
    """The packages of this module that ``distribution`` lacks.

    ``distribution`` is ID and VERSION_ID of /etc/os-release: ``debian-12``, ``debian-13`` or
    ``ubuntu-24.04``. Raises LabError for another.
    """
    if distribution not in _MISSING:
        raise LabError(
            Problem(distribution, f"is not a known distribution; {instead(distribution, _MISSING)}")
        )
    return _MISSING[distribution]
