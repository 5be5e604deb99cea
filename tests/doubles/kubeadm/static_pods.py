"""Replacing the manifests of static pods, one by one."""

from __future__ import annotations

import shutil
import time
from typing import Any

import yaml
from common.api import Api, ApiError, Unreachable
from common.documents import Document
from common.documents import seconds as duration
from common.host import at
from kubeadm import certs, cluster, manifests, waiting
from kubeadm.configuration import Configuration
from kubeadm.manifests import CONTROL_PLANE, FOLDER
from kubeadm.phases import Failed, say


def replace_static_pods(configuration: Configuration) -> None:
    """Replace the manifests one by one, each time waiting until kubelet runs the new one."""
    backup = f"/etc/kubernetes/tmp/kubeadm-backup-manifests-{time.strftime('%Y-%m-%d-%H-%M-%S')}"
    for component in ["etcd", *CONTROL_PLANE]:
        say(f'[upgrade/staticpods] Preparing for "{component}" upgrade')
        before = manifests.existing(component)
        options: dict[str, Any] = {"members": _flag(before, "initial-cluster")} if _joined(before) else {}
        new = manifests.manifest(configuration, component, **options)
        if component == "kube-apiserver":
            say("[upgrade/staticpods] Renewing apiserver certificate")
            certs.leaves(configuration, renew="apiserver")
        if new == before:
            say(f"[upgrade/staticpods] Current and new manifests of {component} are equal, skipping upgrade")
            continue
        say(
            f'[upgrade/staticpods] Moving new manifest to "{FOLDER}/{component}.yaml" and backing up '
            f"old manifest to "
            f'"{backup}/{component}.yaml"'
        )
        at(backup).mkdir(parents=True, exist_ok=True)
        if before is not None:
            shutil.copy(at(f"{FOLDER}/{component}.yaml"), at(f"{backup}/{component}.yaml"))
        manifests.write_manifest(configuration, component, **options)
        _wait_for(configuration, component, yaml.safe_load(yaml.safe_dump(new)))


def _joined(before: Document | None) -> bool:
    return bool(before) and _flag(before, "initial-cluster-state") == "existing"


def _flag(manifest: Document | None, name: str) -> str:
    command = manifest["spec"]["containers"][0]["command"] if manifest else []
    return next((word.partition("=")[2] for word in command if word.startswith(f"--{name}=")), "")


def _wait_for(configuration: Configuration, component: str, new: Document) -> None:
    """Until the mirror pod is of the new image and runs. The API server is away in between."""
    limit = configuration.timeout("upgradeManifests")
    say("[upgrade/staticpods] Waiting for the kubelet to restart the component")
    say(f"[upgrade/staticpods] This can take up to {limit}")
    pod = f"/api/v1/namespaces/kube-system/pods/{component}-{configuration.name}"
    image = new["spec"]["containers"][0]["image"]
    endpoint = configuration.endpoint
    own = f"https://{endpoint['advertiseAddress']}:{endpoint['bindPort']}"

    def runs() -> bool | None:
        try:
            found = Api.of(cluster.ADMIN, timeout=5, server=own).get(pod)
        except (ApiError, Unreachable):
            return None
        right = found["spec"]["containers"][0]["image"] == image and found["status"].get("phase") == "Running"
        return right or None

    if waiting.until(runs, duration(limit)) is None:
        raise Failed(
            "couldn't upgrade control plane. kubeadm has tried to recover everything into the earlier "
            "state. Errors "
            "faced: timed out waiting for the condition"
        )
    say(f'[upgrade/staticpods] Component "{component}" upgraded successfully!')
