"""Containers that are processes: what they are given, and what is told of how they end."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from .cluster import Client, Cluster
from .machines import Machines
from .test_workloads import pods, until, workload

STEADY = """
import json, os, pathlib, signal, sys, time
signal.signal(signal.SIGTERM, lambda *_: (pathlib.Path(os.environ["OUT"] + ".ended").touch(), sys.exit(0)))
new = pathlib.Path(os.environ["OUT"] + ".new")
new.write_text(json.dumps({**os.environ, "PID": str(os.getpid())}))
new.replace(os.environ["OUT"])  # which is read while a next one writes it
pathlib.Path(os.environ["READY_FILE"]).touch()
while True:
    time.sleep(0.1)
"""
CRASHES = 'import sys\nprint("level=fatal msg=\\"unable to do it\\"", file=sys.stderr)\nsys.exit(3)\n'
IGNORES = """
import os, pathlib, signal, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
pathlib.Path(os.environ["READY_FILE"]).touch()
while True:
    time.sleep(0.1)
"""


@pytest.fixture(scope="module")
def machines(cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    from common import host
    from kubelet import programs

    library = tmp_path_factory.mktemp("library")
    for name, text in (("steady", STEADY), ("crashes", CRASHES), ("ignores", IGNORES)):
        (library / f"{name}.py").write_text(text)
    table = {f"registry.test/{name}": programs.Program(name) for name in ("steady", "crashes", "ignores")}
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(programs, "LIBRARY", library)
        patched.setattr(programs, "PROGRAMS", table)
        patched.setattr(host, "ROOT", tmp_path_factory.mktemp("root"))
        with Machines(cluster, host.ROOT) as running:
            running.control()
            running.node("n1")
            running.connect_network()
            yield running


def container(image: str, out: Path, **more: Any) -> dict[str, Any]:
    variables = [
        {"name": "OUT", "value": str(out)},
        {"name": "MINE", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "PERHAPS", "valueFrom": {"configMapKeyRef": {"name": "no", "key": "k", "optional": True}}},
    ]
    return {"name": "main", "image": f"registry.test/{image}:v1@sha256:{'0' * 64}", "env": variables, **more}


def state(kubectl: Client, app: str) -> dict[str, Any]:
    found = pods(kubectl, app)
    statuses = found[0]["status"].get("containerStatuses") if found else None
    return dict(statuses[0]) if statuses else {}


def test_a_program_runs_with_what_it_is_promised(
    kubectl: Client, machines: Machines, cluster: Cluster, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    kubectl("create", "serviceaccount", "agent", "-n", "kube-system")
    spec = {"containers": [container("steady", out)], "serviceAccountName": "agent"}
    spec["initContainers"] = [{"name": "first", "image": "registry.test/crashes"}]
    kubectl("apply", "-n", "kube-system", "-f", "-", stdin=workload("DaemonSet", "agent", pod=spec))
    kubectl("rollout", "status", "-n", "kube-system", "daemonset/agent", "--timeout=120s")
    given = json.loads(out.read_text())
    assert given["MINE"] == given["NODE_NAME"] == "n1"
    assert "PERHAPS" not in given
    assert given["POD_NAMESPACE"] == "kube-system"
    found = kubectl("get", "pod", "-n", "kube-system", given["POD_NAME"], "-o", "jsonpath={.status.podIP}")
    assert found == given["POD_IP"]

    assert Path(given["KUBECONFIG"]).stat().st_mode & 0o077 == 0
    mine = Client("kubectl", Path(given["KUBECONFIG"]), tmp_path)
    assert "n1" in mine("get", "nodes")
    account = "system:serviceaccount:kube-system:agent"
    assert account in mine("auth", "whoami")
    assert "forbidden" in mine("get", "secrets", "-n", "default", status=1)
    assert "forbidden" in mine("delete", "node", "n1", status=1)

    machines.stop_kubelet("n1")
    machines.start_kubelet("n1")
    until(lambda: json.loads(out.read_text())["PID"] != given["PID"])
    assert subprocess.run(["ps", "-o", "stat=", "-p", given["PID"]], capture_output=True).returncode == 1
    kubectl("rollout", "status", "-n", "kube-system", "daemonset/agent", "--timeout=120s")

    kept = tmp_path / "kept"
    kept.write_text(Path(given["KUBECONFIG"]).read_text())
    kubectl("delete", "daemonset", "-n", "kube-system", "agent")
    until(lambda: Path(f"{out}.ended").exists())
    gone = ("get", "pods", "-n", "kube-system", "-l", "app=agent", "-o", "name")
    until(lambda: kubectl(*gone) == "")
    assert "You must be logged in" in Client("kubectl", kept, tmp_path)("get", "nodes", status=1)


def test_a_program_that_fails_says_why(kubectl: Client, machines: Machines, tmp_path: Path) -> None:
    logs = {"terminationMessagePolicy": "FallbackToLogsOnError"}
    spec = {"containers": [container("crashes", tmp_path / "out", **logs)], "hostNetwork": True}
    kubectl("apply", "-f", "-", stdin=workload("Deployment", "crashes", pod=spec))

    def backing_off() -> dict[str, Any] | None:
        found = state(kubectl, "crashes")
        return found if found.get("restartCount", 0) >= 2 and "waiting" in found["state"] else None

    said = until(backing_off)
    seconds = {2: 10, 3: 20}.get(said["restartCount"], 40)  # it may have been seen late
    assert said["state"]["waiting"]["message"].startswith(
        f"back-off {seconds}s restarting failed container=main pod="
    )
    until(lambda: "CrashLoopBackOff" in kubectl("get", "pods", "-l", "app=crashes"))
    ended = said["lastState"]["terminated"]
    assert (ended["exitCode"], ended["reason"]) == (3, "Error")
    assert ended["message"] == 'level=fatal msg="unable to do it"\n'
    assert not said["ready"]
    kubectl("delete", "deployment", "crashes")
    until(lambda: not pods(kubectl, "crashes"))


def test_who_does_not_end_is_killed(kubectl: Client, machines: Machines, tmp_path: Path) -> None:
    spec = {"containers": [container("ignores", tmp_path / "out")], "terminationGracePeriodSeconds": 2}
    kubectl("apply", "-f", "-", stdin=workload("Deployment", "ignores", pod=spec))
    kubectl("rollout", "status", "deployment/ignores", "--timeout=120s")
    # Who asks now and then may miss the two seconds.
    watching = kubectl.start("get", "pods", "-l", "app=ignores", "--watch", "--output-watch-events")
    try:
        assert watching.stdout and "EVENT" in watching.stdout.readline()
        assert "ADDED" in watching.stdout.readline()
        kubectl("delete", "deployment", "ignores")
        until(lambda: not pods(kubectl, "ignores"))
        before = [*takewhile(lambda line: "DELETED" not in line, watching.stdout)]
    finally:
        watching.kill()
        watching.wait()
    assert any("Terminating" in line for line in before)


@pytest.mark.parametrize(("policy", "phase"), [("Never", "Failed"), ("OnFailure", "Running")])
def test_a_pod_that_is_not_restarted_ends(
    kubectl: Client, machines: Machines, tmp_path: Path, policy: str, phase: str
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": policy.lower(), "labels": {"app": policy.lower()}},
        "spec": {"containers": [container("crashes", tmp_path / "out")], "restartPolicy": policy},
    }
    kubectl("apply", "-f", "-", stdin=json.dumps(pod))
    until(lambda: pods(kubectl, policy.lower())[0]["status"]["phase"] == phase)
    if policy == "OnFailure":
        until(lambda: state(kubectl, "onfailure")["restartCount"] >= 1)
    else:
        assert state(kubectl, "never")["state"]["terminated"]["exitCode"] == 3
        assert "Error" in kubectl("get", "pod", "never")
    kubectl("delete", "pod", policy.lower())


def test_a_pod_waits_for_what_it_refers_to(kubectl: Client, machines: Machines, tmp_path: Path) -> None:
    asks = {"name": "COLOUR", "valueFrom": {"configMapKeyRef": {"name": "colours", "key": "one"}}}
    main = container("steady", tmp_path / "out")
    main["env"].append(asks)
    kubectl("apply", "-f", "-", stdin=workload("Deployment", "refers", pod={"containers": [main]}))
    volumes = [{"name": "v", "configMap": {"name": "colours"}}]
    kubectl("apply", "-f", "-", stdin=workload("Deployment", "mounts", pod={"volumes": volumes}))
    kubectl("apply", "-f", "-", stdin=workload("Deployment", "other"))
    kubectl("rollout", "status", "deployment/other", "--timeout=120s")
    until(lambda: "CreateContainerConfigError" in kubectl("get", "pods", "-l", "app=refers"))
    waiting = state(kubectl, "refers")["state"]["waiting"]
    assert waiting["message"] == 'configmap "colours" not found'
    assert "ContainerCreating" in kubectl("get", "pods", "-l", "app=mounts")
    kubectl("create", "configmap", "colours", "--from-literal=one=red")
    for name in ("refers", "mounts"):
        kubectl("rollout", "status", f"deployment/{name}", "--timeout=120s")
    assert json.loads((tmp_path / "out").read_text())["COLOUR"] == "red"
    kubectl("delete", "deployment", "refers", "mounts", "other")


def test_a_program_is_restarted_while_the_api_server_is_away(
    kubectl: Client, machines: Machines, cluster: Cluster, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    kubectl(
        "apply",
        "-f",
        "-",
        stdin=workload("DaemonSet", "alone", pod={"containers": [container("steady", out)]}),
    )
    kubectl("rollout", "status", "daemonset/alone", "--timeout=120s")
    before = json.loads(out.read_text())["PID"]
    cluster.api.stop()
    try:
        subprocess.run(["kill", "-9", before], check=True)
        until(lambda: json.loads(out.read_text())["PID"] != before)
    finally:
        cluster.api.start()
    until(lambda: state(kubectl, "alone").get("restartCount") == 1 and state(kubectl, "alone")["ready"])
    assert state(kubectl, "alone")["lastState"]["terminated"]["exitCode"] == 137
    kubectl("delete", "daemonset", "alone")
    until(lambda: not pods(kubectl, "alone"))
