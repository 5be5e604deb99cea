"""Snapshots of a stacked etcd, kept on the control-plane node, and how one is brought back."""

from __future__ import annotations

import shlex
import time

from ciliumlab.facts.etcd import ETCDCTL, MANIFESTS, SNAPSHOTS, STOPPED, Etcd
from ciliumlab.operations.api import Commands, Refused, operation, read
from ciliumlab.operations.kubernetes import SERVED
from ciliumlab.operations.steps import Shell

_DURATION = 600


@operation
def saved(label: str) -> Commands:
    """
    Save a snapshot of etcd in /var/backups/etcd, which is checked before it counts.

    + label: first part of the file's name, after which come date and time in UTC
    """
    if not read(Etcd)["flags"]:
        raise Refused("no etcd of kubeadm's runs on this host; nothing was saved")
    path = shlex.quote(f"{SNAPSHOTS}/{label}-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}.db")
    yield Shell(
        f"umask 077 && mkdir -p {SNAPSHOTS} && {ETCDCTL} snapshot save {path}.part && etcdutl snapshot"
        f" status {path}.part && mv {path}.part {path} || {{ rm -f {path}.part; exit 1; }}",
        seconds=_DURATION,
    )


@operation
def restored(snapshot: str) -> Commands:
    """
    Bring a control-plane node back to a snapshot of etcd, as the only member of its etcd.

    + snapshot: file name in /var/backups/etcd

    What etcd holds now is kept beside it, in /var/lib/etcd.before-…. Other control-plane nodes must have
    been reset: they join again.
    """
    found = read(Etcd)
    if snapshot not in found["snapshots"]:
        offer = ", ".join(found["snapshots"]) or "none is there"
        raise Refused(f"there is no snapshot {snapshot!r} in {SNAPSHOTS} ({offer}); nothing was changed")
    if not found["flags"]:
        raise Refused("no etcd of kubeadm's is declared on this host; nothing was changed")
    flags = found["flags"]
    data = shlex.quote(flags["data-dir"])
    before = f"{data}.before-$(date -u +%Y%m%dT%H%M%SZ)"
    member = f"{flags['name']}={flags['initial-advertise-peer-urls']}"
    new = f"{data}.restored"
    yield Shell(
        f"rm -rf {new} && umask 077 && etcdutl snapshot restore {shlex.quote(f'{SNAPSHOTS}/{snapshot}')}"
        f" --data-dir {new} --name {shlex.quote(flags['name'])} --initial-cluster {shlex.quote(member)}"
        f" --initial-advertise-peer-urls {shlex.quote(flags['initial-advertise-peer-urls'])}"
        # Clients that have seen later revisions must not take older ones for new: etcd.io/docs, disaster
        # recovery, "restoring with revision bump".
        " --bump-revision 1000000000 --mark-compacted",
        seconds=_DURATION,
    )
    yield Shell(
        f"mkdir -p {STOPPED} && {{ ! ls {MANIFESTS} | grep -q . || mv {MANIFESTS}/*.yaml {STOPPED}/; }}"
        " && until ! pgrep -x etcd > /dev/null && ! pgrep -f '[k]ube-apiserver --' > /dev/null;"
        " do [ $((n += 1)) -le 120 ] || { echo 'etcd or the API server does not stop' >&2; exit 1; };"
        " sleep 1; done",
        seconds=_DURATION,
    )
    yield Shell(
        f"{{ [ ! -e {data} ] || mv -T {data} {before}; }} && mv -T {new} {data}"
        f" && mv {STOPPED}/*.yaml {MANIFESTS}/ && rmdir {STOPPED}"
    )
    yield Shell(SERVED, seconds=_DURATION)
