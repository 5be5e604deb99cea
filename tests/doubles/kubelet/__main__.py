"""The command line of kubelet, as its unit and kubeadm's drop-in call it: `python3 -m kubelet --config=…`."""

from __future__ import annotations

import signal
import sys
import threading
import time
from typing import Any

from common import x509
from common.documents import DocumentError, load
from common.host import DOUBLE, at, version
from common.serving import healthz
from kubelet.identity import Identity, NoCredentials
from kubelet.node import Node, network_is_ready, runtime_refusal
from kubelet.pod import Surroundings
from kubelet.pods import Pods, kubeconfigs
from kubelet.static import StaticPods

_FLAGS = """
bootstrap-kubeconfig kubeconfig config config-dir container-runtime-endpoint node-ip
pod-infra-container-image hostname-override register-with-taints node-labels v fail-swap-on
cgroup-driver resolv-conf max-pods cloud-provider root-dir cert-dir image-credential-provider-config
image-credential-provider-bin-dir feature-gates rotate-certificates pod-manifest-path
runtime-cgroups kubelet-cgroups system-reserved kube-reserved eviction-hard allowed-unsafe-sysctls
address port
"""
KNOWN = frozenset(_FLAGS.split())
SOCKET = "unix:///run/containerd/containerd.sock"
TICK_SECONDS = 0.5


class Refused(Exception):
    """kubelet does not start; why, in its words."""


def main(arguments: list[str]) -> int:
    if "--version" in arguments:
        print(f"Kubernetes {version('kubelet')}")
        print(f"kubelet: {DOUBLE}", file=sys.stderr)
        return 0
    if "--help" in arguments:
        print(f"kubelet: {DOUBLE}\nFlags: {' '.join(sorted(KNOWN))}")
        return 0
    try:
        run(flags(arguments))
    except (Refused, NoCredentials, DocumentError) as error:
        print(f'E "command failed" err="{error}"', file=sys.stderr, flush=True)
        return 1
    return 0


def flags(arguments: list[str]) -> dict[str, str]:
    found = {}
    for argument in arguments:
        name, given, value = argument.removeprefix("--").partition("=")
        if not argument.startswith("--"):
            raise Refused(f"unknown command {argument}")
        if name not in KNOWN:
            raise Refused(f"failed to parse kubelet flag: unknown flag: --{name}")
        found[name] = value if given else "true"
    return found


def configuration(path: str) -> dict[str, Any]:
    """The KubeletConfiguration at ``path``."""
    try:
        text = at(path).read_text()
    except OSError:
        raise Refused(
            f"failed to load kubelet config file, path: {path}, error: failed to load Kubelet config "
            f"file {path}, "
            f'error failed to read kubelet config file "{path}", error: open {path}: no such file or '
            f"directory"
        ) from None
    documents = load(text)
    if len(documents) != 1 or documents[0]["kind"] != "KubeletConfiguration":
        raise Refused(f"failed to load kubelet config file, path: {path}, error: failed to decode")
    return documents[0]


def run(given: dict[str, str]) -> None:
    """Be a kubelet until a signal says to stop; Refused or NoCredentials if it cannot begin."""
    settings = configuration(given.get("config", "/var/lib/kubelet/config.yaml"))
    swaps = at("/proc/swaps").read_text().splitlines()
    fail_on_swap = settings.get("failSwapOn", True) and given.get("fail-swap-on") != "false"
    if len(swaps) > 1 and fail_on_swap:
        raise Refused(
            "failed to run Kubelet: running with swap on is not supported, please disable swap or set "
            "--fail-swap-on "
            f"flag to false. /proc/swaps contained: {swaps}"
        )
    endpoint = given.get("container-runtime-endpoint") or settings.get("containerRuntimeEndpoint") or SOCKET
    refusal = runtime_refusal(endpoint)
    if refusal:
        raise Refused(
            f"failed to run Kubelet: validate service connection: validate CRI v1 runtime API: {refusal}"
        )
    identity = Identity(
        given.get("kubeconfig", ""), given.get("bootstrap-kubeconfig", ""), given.get("hostname-override", "")
    )
    identity.check()
    stopping = threading.Event()
    for name in (signal.SIGTERM, signal.SIGINT):
        signal.signal(name, lambda *_: stopping.set())
    node = Node(identity, given, settings, endpoint)
    pods = StaticPods(settings.get("staticPodPath") or given.get("pod-manifest-path") or "", identity.name)
    serving = at("/var/lib/kubelet/pki/kubelet.crt"), at("/var/lib/kubelet/pki/kubelet.key")
    serving[0].parent.mkdir(parents=True, exist_ok=True)
    try:
        healthz(settings.get("healthzBindAddress", "127.0.0.1"), settings.get("healthzPort", 10248))
        healthz("", settings.get("port", 10250), serving)
    except OSError as error:
        raise Refused(f"failed to listen: {error}") from None
    except x509.OpensslError as error:
        raise Refused(f"failed to make the serving certificate: {error}") from None
    around = Surroundings(identity.name, node.address, network_is_ready, kubeconfigs(identity.cluster))
    bound = Pods(identity.api, around)

    def keep_bound() -> None:
        while not node.registered.wait(TICK_SECONDS):
            if stopping.is_set():
                return
        bound.keep(stopping)

    keeper = threading.Thread(target=keep_bound, daemon=True)
    keeper.start()
    threading.Thread(target=node.keep, args=(pods, stopping), daemon=True).start()
    while not stopping.is_set():
        pods.tend()
        time.sleep(TICK_SECONDS)
    keeper.join(2)
    bound.stop()
    pods.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
