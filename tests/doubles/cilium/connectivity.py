"""`cilium connectivity test`: a pod on every node, and what this host and its pod reach of the others."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

from cilium import cni, kernel
from cilium.services import ready
from common.api import Api, ApiError, Object

NAMESPACE, NAME = "cilium-test-1", "client"
READY_SECONDS = 120


class Impossible(Exception):
    """The test cannot be made; why."""


@dataclass(frozen=True)
class Action:
    """One probe of a test: what it is called, and the command that has to succeed."""

    test: str
    name: str
    command: tuple[str, ...]


def test(api: Api, flags: dict[str, str]) -> int:
    """Deploy, probe, print and report; the exit status."""
    namespace = flags.get("test-namespace", NAMESPACE)
    print(f"✨ [lab] Creating namespace {namespace} for connectivity check...", flush=True)
    deploy(api, namespace)
    pods = wait(api, namespace)
    print(f"🏃 [{NAMESPACE}] Running 3 tests ...", flush=True)
    began = time.monotonic()
    results: dict[str, list[tuple[str, bool]]] = {}
    for action in actions(pods, api.items("/api/v1/nodes")):
        if action.test not in results:
            results[action.test] = []
            print(f"[=] [{NAMESPACE}] Test [{action.test}]", flush=True)
        done = subprocess.run(action.command, capture_output=True, text=True, check=False)
        results[action.test].append((action.name, done.returncode == 0))
        said = f"\n  ❌ {action.name}: {done.stderr.strip() or 'no answer'}" if done.returncode else "."
        print(said, end="", flush=True)
    print()
    if flags.get("junit-file"):
        Path(flags["junit-file"]).write_text(junit(results, time.monotonic() - began))
    return summary(results)


def deploy(api: Api, namespace: str) -> None:
    """A DaemonSet of a pod that answers, on every node."""
    labels = {"kind": NAME, "name": NAME}
    container = {"name": NAME, "image": "nicolaka/netshoot", "command": ["sh", "-c", "nc -l -p 8080"],
                 "ports": [{"containerPort": 8080}]}  # fmt: skip
    objects = (
        ("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}}),
        (
            f"/apis/apps/v1/namespaces/{namespace}/daemonsets",
            {
                "apiVersion": "apps/v1",
                "kind": "DaemonSet",
                "metadata": {"name": NAME, "namespace": namespace, "labels": labels},
                "spec": {
                    "selector": {"matchLabels": labels},
                    "template": {
                        "metadata": {"labels": labels},
                        "spec": {"tolerations": [{"operator": "Exists"}], "containers": [container]},
                    },
                },
            },
        ),
    )
    for path, body in objects:
        try:
            api.create(path, body)
        except ApiError as error:
            if error.status != 409:
                raise


def wait(api: Api, namespace: str) -> list[Object]:
    """The pods, once one is ready on every node that can have one. Impossible."""
    end = time.monotonic() + READY_SECONDS
    while True:
        found = api.find(f"/apis/apps/v1/namespaces/{namespace}/daemonsets/{NAME}") or {}
        wanted = (found.get("status") or {}).get("desiredNumberScheduled", 0)
        pods = [pod for pod in api.items(f"/api/v1/namespaces/{namespace}/pods") if ready(pod)]
        if wanted and len(pods) >= wanted:
            return pods
        if time.monotonic() > end:
            raise Impossible(
                f"Connectivity test failed: timeout reached waiting for {namespace}/{NAME} to become ready "
                f"({len(pods)} of {wanted} pods)"
            )
        time.sleep(1)


def actions(pods: list[Object], nodes: list[Object]) -> Iterator[Action]:
    """From this host's own pod, and from the host itself."""
    known = cni.state()
    here = next((pod for pod in pods if pod["status"]["podIP"] in known), None)
    if here is None:
        raise Impossible("Connectivity test failed: this host has no pod to test from")
    within = kernel.within(known[here["status"]["podIP"]]["namespace"])
    probe = (sys.executable, "-P", "-m", "cilium.ping")
    for pod in pods:
        name, address = pod["metadata"]["name"], pod["status"]["podIP"]
        where = f"{here['metadata']['name']} -> {name} ({address})"
        yield Action("no-policies/pod-to-pod", where, (*within, *probe, address))
    for pod in pods:
        name, address = pod["metadata"]["name"], pod["status"]["podIP"]
        yield Action("no-policies/host-to-pod", f"host -> {name} ({address})", (*probe, address))
    for node in nodes:
        for each in node.get("status", {}).get("addresses") or []:
            if each["type"] == "InternalIP":
                name, address = node["metadata"]["name"], each["address"]
                where = f"{here['metadata']['name']} -> {name} ({address})"
                yield Action("no-policies/pod-to-host", where, (*within, *probe, address))


def summary(results: dict[str, list[tuple[str, bool]]]) -> int:
    """Print how it ended, as cilium-cli does; the exit status."""
    done = [right for each in results.values() for _, right in each]
    failed = [name for name, each in results.items() if not all(right for _, right in each)]
    skipped = "0 tests skipped, 0 scenarios skipped"
    if not failed:
        counts = f"{len(results)} tests ({len(done)} actions)"
        print(f"\n✅ [{NAMESPACE}] All {counts} successful, {skipped}.")
        return 0
    counts = f"{len(failed)}/{len(results)} tests failed ({done.count(False)}/{len(done)} actions)"
    print(f"\n📋 Test Report [{NAMESPACE}]\n❌ {counts}, {skipped}:")
    for name in failed:
        print(f"Test [{name}]:")
        for action, right in results[name]:
            if not right:
                print(f"  🟥 {action}: ping failed")
    print(f"\nError: Connectivity test failed: {len(failed)} tests failed", file=sys.stderr)
    return 1


def junit(results: dict[str, list[tuple[str, bool]]], took: float) -> str:
    failures = sum(not all(right for _, right in each) for each in results.values())
    counts = {"tests": str(len(results)), "failures": str(failures), "skipped": "0", "time": f"{took:.3f}"}
    suites = ElementTree.Element("testsuites", counts)
    named = {"name": "connectivity test", "package": "cilium", **counts}
    suite = ElementTree.SubElement(suites, "testsuite", named)
    for name, each in results.items():
        case = ElementTree.SubElement(suite, "testcase", {"name": name, "classname": "connectivity test"})
        wrong = [action for action, right in each if not right]
        if wrong:
            told = {"type": "failure", "message": "; ".join(wrong)}
            ElementTree.SubElement(case, "failure", told).text = "\n".join(wrong)
    return ElementTree.tostring(suites, encoding="unicode", xml_declaration=True) + "\n"
