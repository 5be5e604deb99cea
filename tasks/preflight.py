"""What stands against a deploy, all of it said before anything is changed on any host."""

from pyinfra.context import host

from ciliumlab.operations import preflight
from ciliumlab.preflight import needed

preflight.checked(
    name="The host is fit for its part",
    wants={
        "node": "nodes" in host.groups,
        "control_plane": "control_plane" in host.groups,
        "cluster": host.data.cluster,
        "kubernetes_version": host.data.kubernetes_version,
        "containerd_package": host.data.containerd_package,
        "helm_version": host.data.release_archives.get("helm", {}).get("version", ""),
        "modules": host.data.kernel_modules,
        "interfaces": host.data.interfaces,
        "sources": needed(host.data.dict(), host.groups),
    },
)

preflight.passed(name="Every host is fit for its part")
