"""The command `cilium`, as far as a lab calls it: `status`, `connectivity test` and `version`."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from cilium import connectivity
from common.api import Api, ApiError, Object, Unreachable
from common.host import DOUBLE

GLOBAL = ("context", "kubeconfig", "namespace", "helm-release-name", "as", "as-group")
SHORT = {"-n": "--namespace", "-o": "--output", "-h": "--help"}
# Flags with a value, and those without.
FLAGS = {
    "status": ("wait-duration output worker-count", "wait ignore-warnings interactive verbose"),
    "connectivity test": (
        "test test-namespace junit-file junit-property timeout connect-timeout request-timeout "
        "external-target external-cidr external-ip external-other-ip curl-image json-mock-image "
        "dns-test-server-image assume-cilium-version test-concurrency flow-validation",
        "single-node hubble debug verbose timestamp force-deploy print-flows all-flows cleanup-on-exit "
        "collect-sysdump-on-failure include-conn-disrupt-test include-unsafe-tests",
    ),
    "version": ("", "client"),
}
UNITS = {"s": 1, "m": 60, "h": 3600}


class Refused(Exception):
    """The command is not what it has to be; why, in the words of cilium-cli."""


def parse(arguments: Sequence[str]) -> tuple[str, dict[str, str]]:
    """The command and its flags by name. Refused."""
    words: list[str] = []
    found: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        text, given, value = rest.pop(0).partition("=")
        if not text.startswith("-"):
            words.append(text)
            continue
        valued, plain = (flags.split() for flags in FLAGS.get(" ".join(words), ("", "")))
        name = SHORT.get(text, text).removeprefix("--")
        if name in (*plain, "help"):
            found[name] = value if given else "true"
        elif name not in (*valued, *GLOBAL):
            raise Refused(f"unknown flag: {text}")
        elif not given and not rest:
            raise Refused(f"flag needs an argument: {text}")
        else:
            found[name] = value if given else rest.pop(0)
    command = " ".join(words)
    if command not in FLAGS:
        raise Refused(f'unknown command "{command}" for "cilium"')
    return command, found


def seconds(text: str) -> float:
    return float(text[:-1]) * UNITS[text[-1]]


def connect(flags: dict[str, str]) -> Api:
    home = Path(os.environ.get("HOME", "/root")) / ".kube/config"
    path = flags.get("kubeconfig") or os.environ.get("KUBECONFIG") or str(home)
    try:
        return Api.of(path)
    except OSError as error:
        raise Refused(f"unable to create Kubernetes client: {error}") from None


WORKLOADS = (
    ("Cilium", "daemonsets", "cilium"),
    ("Operator", "deployments", "cilium-operator"),
    ("Envoy DaemonSet", "daemonsets", "cilium-envoy"),
    ("Hubble Relay", "deployments", "hubble-relay"),
    ("", "deployments", "hubble-ui"),
)
KINDS = {"daemonsets": "DaemonSet", "deployments": "Deployment"}
LOGO = ("    /¯¯\\", " /¯¯\\__/¯¯\\", " \\__/¯¯\\__/", " /¯¯\\__/¯¯\\", " \\__/¯¯\\__/", "    \\__/")


class Status:
    """What there is of Cilium in a cluster, and what is wrong with it."""

    def __init__(self, api: Api, namespace: str) -> None:
        self.lines: list[str] = []
        self.errors: list[tuple[str, str, str]] = []
        self.words: dict[str, str] = {}
        for title, kind, name in WORKLOADS:
            found = api.find(f"/apis/apps/v1/namespaces/{namespace}/{kind}/{name}")
            self.words[title] = self._of(kind, name, found)
            if found is None and title in ("Cilium", "Operator"):
                self.errors.append((name, name, f'{kind}.apps "{name}" not found'))

    def _of(self, kind: str, name: str, found: Object | None) -> str:
        """One word for a workload, and a line with its figures."""
        if found is None:
            return "disabled"
        status = found.get("status") or {}
        if kind == "daemonsets":
            wanted = status.get("desiredNumberScheduled", 0)
            keys = ("numberReady", "numberAvailable", "updatedNumberScheduled")
        else:
            wanted = found["spec"].get("replicas", 1)
            keys = ("readyReplicas", "availableReplicas", "updatedReplicas")
        ready, available, updated = (status.get(key, 0) for key in keys)
        figures = f"Desired: {wanted}, Ready: {ready}/{wanted}, Available: {available}/{wanted}"
        self.lines.append(f"{KINDS[kind]:<22} {name:<24} {figures}")
        seen = status.get("observedGeneration", 0) >= found["metadata"].get("generation", 0)
        if ready < wanted or not wanted:
            why = f"{wanted - ready} pods of {KINDS[kind]} {name} are not ready"
        elif updated < wanted or not seen:
            why = f"{KINDS[kind]} {name} is rolling out - {wanted - updated} pods are not up to date"
        else:
            return "OK"
        self.errors.append((name, name, why))
        return "1 errors"

    def text(self) -> str:
        rows = [(title, self.words[title]) for title, _, _ in WORKLOADS if title]
        rows.append(("ClusterMesh", "disabled"))
        shown = [LOGO[0]]
        for logo, (title, word) in zip(LOGO[1:], rows, strict=True):
            shown.append(f"{logo:<14} {title + ':':<19} {word}")
        shown += ["", *self.lines]
        for number, (name, place, why) in enumerate(self.errors):
            shown.append(f"{'Errors:' if number == 0 else '':<22} {name:<24} {place:<24} {why}")
        return "\n".join(shown)


def status(flags: dict[str, str]) -> int:
    api, namespace = connect(flags), flags.get("namespace", "kube-system")
    waits = flags.get("wait") == "true"
    end = time.monotonic() + seconds(flags.get("wait-duration", "5m"))
    while True:
        found = Status(api, namespace)
        if not found.errors or not waits or time.monotonic() > end:
            break
        time.sleep(1)
    as_json = flags.get("output") == "json"
    print(json.dumps({"errors": found.errors, "words": found.words}) if as_json else found.text())
    if found.errors and waits:
        late = "timeout while waiting for status to become successful: context deadline exceeded"
        print(f"\nError: Unable to determine status:  {late}", file=sys.stderr)
    return 1 if found.errors else 0


def main(arguments: Sequence[str]) -> int:
    if "--version" in arguments:
        print(f"cilium: {DOUBLE}")
        return 0
    try:
        command, flags = parse(arguments)
        if "help" in flags or command == "version":
            print(f"cilium {command}: {DOUBLE}")
            return 0
        if command == "status":
            return status(flags)
        return connectivity.test(connect(flags), flags)
    except (Refused, ApiError, Unreachable, connectivity.Impossible) as error:
        print(f"\nError: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
