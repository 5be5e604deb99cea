"""etcd of a control-plane node, and snapshots of it."""

from __future__ import annotations

from typing import TypedDict

from typing_extensions import override

from ciliumlab.facts.shell import Sections, State, sections

# A snapshot holds every secret of the cluster: the folder and its files are root's alone.
SNAPSHOTS = "/var/backups/etcd"

MANIFESTS = "/etc/kubernetes/manifests"
# Static pods whose manifests lie here do not run.
STOPPED = "/etc/kubernetes/manifests.stopped"

# Made by kubeadm for the health checks of a stacked etcd; they are enough for a snapshot.
_PKI = "/etc/kubernetes/pki/etcd"
ETCDCTL = (
    "ETCDCTL_API=3 etcdctl --endpoints https://127.0.0.1:2379"
    f" --cacert {_PKI}/ca.crt --cert {_PKI}/healthcheck-client.crt --key {_PKI}/healthcheck-client.key"
)


class EtcdState(TypedDict):
    """``flags`` are those of the static pod's command by name, without dashes; ``snapshots`` file names,
    oldest first.
    """

    flags: dict[str, str]
    snapshots: list[str]


class Etcd(State[EtcdState]):
    """How etcd runs on this host, and which snapshots are kept here."""

    @override
    def command(self) -> str:
        return sections(
            flags=f"sed -n 's/^ *- --\\([a-z-]*=.*\\)/\\1/p' {MANIFESTS}/etcd.yaml {STOPPED}/etcd.yaml",
            snapshots=f"ls -tr {SNAPSHOTS}",
        )

    @override
    def parse(self, found: Sections) -> EtcdState:
        flags = dict(line.split("=", 1) for line in found["flags"])
        return EtcdState(flags=flags, snapshots=[name for name in found["snapshots"] if name.endswith(".db")])
