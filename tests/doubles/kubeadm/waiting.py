"""Waiting for kubelet and the control plane, and what kubeadm says when that is in vain."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Callable
from typing import TypeVar

from common.documents import seconds
from common.host import seconds as as_long_as
from kubeadm.configuration import Configuration
from kubeadm.phases import Failed, say

KUBELET = "http://127.0.0.1:10248/healthz"

Found = TypeVar("Found")


def until(ask: Callable[[], Found | None], limit: float, every: float = 0.5) -> Found | None:
    """What ``ask`` finds, None if that is nothing for ``limit`` seconds."""
    end = time.monotonic() + limit
    while True:
        found = ask()
        if found is not None:
            return found
        if time.monotonic() >= end:
            return None
        time.sleep(every)


def refusal(url: str, timeout: float = 5) -> str:
    """Why there is no good answer at ``url``; "" if there is one. Certificates are not verified."""
    scheme, _, rest = url.partition("://")
    place, _, path = rest.partition("/")
    try:
        if scheme == "https":
            tls = ssl._create_unverified_context()
            connection: http.client.HTTPConnection = http.client.HTTPSConnection(
                place, timeout=timeout, context=tls
            )
        else:
            connection = http.client.HTTPConnection(place, timeout=timeout)
        connection.request("GET", f"/{path}")
        answer = connection.getresponse()
        answer.read()
    except (OSError, http.client.HTTPException) as error:
        said = (getattr(error, "strerror", None) or str(error)).lower()
        return f'Get "{url}": dial tcp {place}: connect: {said}'
    return "" if answer.status == 200 else f"{url} returned {answer.status}"


def for_kubelet(configuration: Configuration) -> None:
    limit = configuration.timeout("kubeletHealthCheck")
    say(f"[kubelet-check] Waiting for a healthy kubelet at {KUBELET}. This can take up to {limit}")
    begun = time.monotonic()
    if until(lambda: refusal(KUBELET) == "" or None, as_long_as("kubelet-never-ready", seconds(limit))):
        say(f"[kubelet-check] The kubelet is healthy after {time.monotonic() - begun:.3f}s")
        return
    say(f"[kubelet-check] The kubelet is not healthy after {time.monotonic() - begun:.3f}s")
    say(
        "\nUnfortunately, an error has occurred, likely caused by:\n"
        "\t- The kubelet is not running\n"
        "\t- The kubelet is unhealthy due to a misconfiguration of the node in some way (required "
        "cgroups disabled)\n"
        "\nIf you are on a systemd-powered system, you can try to troubleshoot the error with the "
        "following commands:\n"
        "\t- 'systemctl status kubelet'\n\t- 'journalctl -xeu kubelet'\n"
    )
    raise Failed(
        f"failed while waiting for the kubelet to start: The HTTP call equal to 'curl -sSL {KUBELET}' "
        f"returned "
        f"error: {refusal(KUBELET)}"
    )


def for_control_plane(configuration: Configuration) -> None:
    limit = configuration.timeout("controlPlaneComponentHealthCheck")
    say(f"[control-plane-check] Waiting for healthy control plane components. This can take up to {limit}")
    endpoint = configuration.endpoint
    waited_for = {
        "kube-apiserver": f"https://{endpoint['advertiseAddress']}:{endpoint['bindPort']}/livez",
        "kube-controller-manager": "https://127.0.0.1:10257/healthz",
        "kube-scheduler": "https://127.0.0.1:10259/livez",
    }
    for name, url in waited_for.items():
        say(f"[control-plane-check] Checking {name} at {url}")
    begun = time.monotonic()
    end = begun + as_long_as("api-never-ready", seconds(limit))
    while waited_for and time.monotonic() < end:
        for name, url in list(waited_for.items()):
            if not refusal(url):
                say(f"[control-plane-check] {name} is healthy after {time.monotonic() - begun:.3f}s")
                del waited_for[name]
        if waited_for:
            time.sleep(0.3)
    if not waited_for:
        return
    for name in waited_for:
        say(f"[control-plane-check] {name} is not healthy after {time.monotonic() - begun:.3f}s")
    say(
        "\nA control plane component may have crashed or exited when started by the container runtime.\n"
        "To troubleshoot, list all containers using your preferred container runtimes CLI.\n"
        "Here is one example how you may list all running Kubernetes containers by using crictl:\n"
        f"\t- 'crictl --runtime-endpoint {configuration.socket} ps -a | grep kube | grep -v pause'\n"
        "\tOnce you have found the failing container, you can inspect its logs with:\n"
        f"\t- 'crictl --runtime-endpoint {configuration.socket} logs CONTAINERID'\n"
    )
    said = ", ".join(f"{name} check failed at {url}: {refusal(url)}" for name, url in waited_for.items())
    raise Failed(f"failed while waiting for the control plane to start: {said}")
