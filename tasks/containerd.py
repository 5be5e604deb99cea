"""The container runtime of the nodes, which kubelet talks to."""

from pyinfra.context import host

from ciliumlab.operations import apt, apt_repository, containerd, files, preflight
from ciliumlab.operations.api import only_if
from ciliumlab.versions import pause_image

if "nodes" in host.groups:
    package = host.data.containerd_package
    version = host.data.containerd_version if package == "containerd.io" else ""
    sandbox_image = pause_image(host.data.kubernetes_version)

    with only_if(preflight.runtime_goes_ahead):
        if package == "containerd.io":
            apt_repository.present(
                name="Docker's package repository is known",
                repository=host.data.repositories["docker"],
                file="docker",
            )

        containerd.installed(name="containerd is installed", package=package, version=version)

        apt.held(name="containerd is held at its version", packages=[package])

        # kubelet refuses to start where it and containerd manage cgroups by different means; kubeadm's way is
        # systemd's (kubernetes.io/docs/setup/production-environment/container-runtimes).
        containerd.running(
            name="containerd runs with its configuration",
            configurations={
                2: files.rendered("files/containerd/version-2.toml.j2", sandbox_image=sandbox_image),
                3: files.rendered("files/containerd/version-3.toml.j2", sandbox_image=sandbox_image),
            },
            sandbox_image=sandbox_image,
            version=version,
        )

        files.present(
            name="crictl finds containerd",
            files={"/etc/crictl.yaml": {"text": files.rendered("files/containerd/crictl.yaml.j2")}},
        )
