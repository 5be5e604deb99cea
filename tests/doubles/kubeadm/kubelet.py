"""kubelet's files under /var/lib/kubelet, and its service."""

from __future__ import annotations

import subprocess
from typing import Any

import yaml
from common.documents import Document
from common.host import at, version, write
from common.schema import KUBELET
from kubeadm.certs import FOLDER
from kubeadm.configuration import COMPANIONS, Configuration, minor
from kubeadm.phases import say

RUN = "/var/lib/kubelet"
CERTIFICATE = f"{RUN}/pki/kubelet-client-current.pem"


def write_environment(configuration: Configuration, taint: bool) -> None:
    """The flags that this node's kubelet has beside its configuration; ``taint``: register with taints."""
    say(f'[kubelet-start] Writing kubelet environment file with flags to file "{RUN}/kubeadm-flags.env"')
    registration, modern = configuration.node["nodeRegistration"], minor(version("kubeadm")) >= 34
    flags: list[tuple[str, str]] = []
    # From 1.34 (NodeLocalCRISocket) the socket is in instance-config.yaml.
    if not modern:
        flags.append(("container-runtime-endpoint", configuration.socket))
        pause = COMPANIONS[minor(configuration.kubernetes_version)]["pause"]
        flags.append(
            ("pod-infra-container-image", f"{configuration.cluster['imageRepository']}/pause:{pause}")
        )
    if taint and registration.get("taints"):
        told = ",".join(f"{t['key']}={t.get('value', '')}:{t['effect']}" for t in registration["taints"])
        flags.append(("register-with-taints", told))
    given = {entry["name"]: entry["value"] for entry in registration.get("kubeletExtraArgs") or []}
    flags = [*((name, value) for name, value in flags if name not in given), *given.items()]
    told = " ".join(f"--{name}={value}" for name, value in sorted(flags))
    write(f"{RUN}/kubeadm-flags.env", f'KUBELET_KUBEADM_ARGS="{told}"\n', 0o644)


def write_configuration(configuration: Document, socket: str) -> None:
    if minor(version("kubeadm")) >= 34:
        say(f'[kubelet-start] Writing kubelet instance configuration to file "{RUN}/instance-config.yaml"')
        instance: dict[str, Any] = {
            "apiVersion": KUBELET,
            "kind": "KubeletConfiguration",
            "containerRuntimeEndpoint": socket,
        }
        write(f"{RUN}/instance-config.yaml", yaml.safe_dump(instance), 0o644)
        configuration = {**configuration, "containerRuntimeEndpoint": socket}
    say(f'[kubelet-start] Writing kubelet configuration to file "{RUN}/config.yaml"')
    write(f"{RUN}/config.yaml", yaml.safe_dump(configuration), 0o644)


def stop() -> None:
    _systemctl("stop")


def start() -> None:
    say("[kubelet-start] Starting the kubelet")
    _systemctl("restart")


def _systemctl(verb: str) -> None:
    # As kubeadm does, a service that cannot be had is only noticed by waiting for it.
    subprocess.run(["systemctl", verb, "kubelet"], check=False, capture_output=True)


def use_rotated_certificate() -> None:
    """Point kubelet.conf to the certificate that kubelet renews by itself."""
    path = f"{FOLDER}/kubelet.conf"
    config = yaml.safe_load(at(path).read_text())
    if not at(CERTIFICATE).exists():
        return
    say(f'[kubelet-finalize] Updating "{path}" to point to a rotatable kubelet client certificate and key')
    config["users"][0]["user"] = {"client-certificate": CERTIFICATE, "client-key": CERTIFICATE}
    write(path, yaml.safe_dump(config))
