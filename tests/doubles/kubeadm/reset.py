"""`kubeadm reset`"""

from __future__ import annotations

import shutil
import subprocess

from common.api import Api, ApiError, Unreachable
from common.host import at
from kubeadm import cluster, kubelet, manifests, members
from kubeadm.phases import Failed, run, say, warn
from kubelet import pods
from kubelet.record import everything_recorded

# The files that go; the folders stay, empty.
FILES = [
    "admin.conf",
    "super-admin.conf",
    "kubelet.conf",
    "bootstrap-kubelet.conf",
    "controller-manager.conf",
    "scheduler.conf",
]
EMPTIED = ["/etc/kubernetes/manifests", "/var/lib/kubelet", "/etc/kubernetes/pki", "/etc/kubernetes/tmp"]

REMOVAL_SECONDS = 120

LEFT = """
The reset process does not perform cleanup of CNI plugin configuration,
network filtering rules and kubeconfig files.

For information on how to perform this cleanup manually, please see:
    https://k8s.io/docs/reference/setup-tools/kubeadm/kubeadm-reset/
"""


def reset(options: dict[str, object]) -> None:
    if not any(options.get(name) for name in ("force", "f")):
        raise Failed("error execution phase preflight: aborted reset operation")
    own = manifests.existing("etcd")

    def remove_member() -> None:
        if own is None:
            warn("[reset] No etcd manifest found. Assuming external etcd")
            return
        address = own["metadata"]["annotations"]["kubeadm.kubernetes.io/etcd.advertise-client-urls"]
        address = address.removeprefix("https://").rpartition(":")[0]
        try:
            if len(members.members(["127.0.0.1"])) > 1:
                say("[reset] Removing the etcd member of this node from the cluster")
                members.remove(["127.0.0.1"], address, REMOVAL_SECONDS)
            else:
                say("[reset] This is the only remaining etcd member in the etcd cluster, skip removing it.")
        except (Failed, OSError) as error:
            warn(
                f"[reset] Failed to remove etcd member: {error}, please manually remove this etcd "
                f"member using etcdctl"
            )

    def clean() -> None:
        say("[reset] Stopping the kubelet service")
        kubelet.stop()
        for node, uid in everything_recorded():
            pods.clear(node, uid)
        say('[reset] Unmounting mounted directories in "/var/lib/kubelet"')
        _unmount()
        emptied = [*EMPTIED, *(["/var/lib/etcd"] if own else [])]
        say(f"[reset] Deleting contents of directories: [{' '.join(emptied)}]")
        for folder in emptied:
            for path in at(folder).iterdir() if at(folder).is_dir() else ():
                shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        files = [f"/etc/kubernetes/{name}" for name in FILES]
        say(f"[reset] Deleting files: [{' '.join(files)}]")
        for name in files:
            at(name).unlink(missing_ok=True)

    def check() -> None:
        try:
            Api.of(cluster.ADMIN).get("/version")
            say(
                '[reset] Reading configuration from the "kubeadm-config" ConfigMap in namespace '
                '"kube-system"...'
            )
        except (OSError, ApiError, Unreachable) as error:
            warn(f"[reset] Unable to fetch the kubeadm-config ConfigMap from cluster: {error}")
        say("[preflight] Running pre-flight checks")

    run("reset", [("preflight", check), ("remove-etcd-member", remove_member), ("cleanup-node", clean)])
    say(LEFT)


def _unmount() -> None:
    mounts = [line.split()[1] for line in at("/proc/mounts").read_text().splitlines()]
    for path in sorted((path for path in mounts if path.startswith("/var/lib/kubelet/")), reverse=True):
        subprocess.run(["umount", path], check=False, capture_output=True)
