"""kubelet's configuration where it differs from host to host."""

from __future__ import annotations

import json

from pyinfra.context import host

from ciliumlab.facts.files import Files
from ciliumlab.facts.systemd import Units
from ciliumlab.facts.together import Asked
from ciliumlab.operations.api import Commands, operation, read, reads_first
from ciliumlab.operations.files import File, differences

_RESOLVED = "systemd-resolved.service"


@operation
def resolver(folder: str) -> Commands:
    """
    Have kubeadm give kubelet the resolv.conf that names this host's real name servers.

    + folder: where kubeadm takes its patches from, ``patches.directory`` in its documents

    Under systemd-resolved /etc/resolv.conf names a stub on loopback, which from within a pod is the pod
    itself (kubernetes.io/docs/tasks/administer-cluster/dns-debugging-resolution, known issues). kubeadm
    looks for resolved on the first control-plane node alone and tells all others; this is each host's own.
    """
    # kubernetes.io/docs/setup/production-environment/tools/kubeadm/control-plane-flags: target+type.extension
    path = f"{folder}/kubeletconfiguration+merge.json"
    reads_first(Asked(Units, {"units": [_RESOLVED]}), Asked(Files, {"paths": [path]}))
    units, there = read(Units, units=[_RESOLVED])["units"], read(Files, paths=[path])
    resolved = units[_RESOLVED]["active"] == "active"
    source = "/run/systemd/resolve/resolv.conf" if resolved else "/etc/resolv.conf"
    files: dict[str, File] = {path: {"text": json.dumps({"resolvConf": source}) + "\n"}}
    changes = list(differences(files, there))
    if not changes:
        host.noop(f"kubelet reads {source}")
    yield from changes
