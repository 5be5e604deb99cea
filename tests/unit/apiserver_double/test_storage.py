"""Objects in etcd: several API servers, restarts, snapshots, compaction, faults, and what it all takes."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.unit.real import program

from .cluster import DOUBLES, ApiServer, Client, Cluster


def other_client(cluster: Cluster, server: ApiServer) -> Client:
    return Client("kubectl", server.kubeconfig(), cluster.folder)


def test_keys_are_those_of_kube_apiserver(cluster: Cluster, kubectl: Client) -> None:
    kubectl("create", "configmap", "somewhere")
    keys = cluster.etcd.ctl("get", "/registry/", "--prefix", "--keys-only").split()
    assert {
        "/registry/configmaps/default/somewhere",
        "/registry/namespaces/kube-system",
        "/registry/services/specs/default/kubernetes",
        "/registry/services/endpoints/default/kubernetes",
    } <= set(keys)


def test_a_revision_is_etcds(cluster: Cluster, kubectl: Client) -> None:
    kubectl("create", "configmap", "revised")
    revision = kubectl("get", "configmap", "revised", "-o", "jsonpath={.metadata.resourceVersion}")
    said = json.loads(cluster.etcd.ctl("get", "/registry/configmaps/default/revised", "-w", "json"))
    assert said["kvs"][0]["mod_revision"] == int(revision)


def test_two_servers_agree(cluster: Cluster, kubectl: Client) -> None:
    second = cluster.another()
    second.start()
    other = other_client(cluster, second)
    kubectl("create", "configmap", "shared")
    assert other("get", "configmap", "shared", "-o", "name") == "configmap/shared\n"

    watching = other.start("get", "configmaps", "shared", "-w", "-o", 'jsonpath={.data.a}{"\\n"}')
    assert watching.stdout and watching.stdout.readline() == "\n"
    kubectl("patch", "configmap", "shared", "-p", '{"data":{"a":"seen"}}')
    assert watching.stdout.readline() == "seen\n"
    watching.kill()
    watching.wait()
    second.stop()
    assert kubectl("get", "configmap", "shared", "-o", "jsonpath={.data.a}") == "seen"


def test_a_snapshot_brings_everything_back(cluster: Cluster, kubectl: Client) -> None:
    kubectl("create", "configmap", "kept")
    snapshot, restored = cluster.folder / "snapshot.db", cluster.folder / "restored"
    cluster.etcd.ctl("snapshot", "save", str(snapshot))
    kubectl("delete", "configmap", "kept")
    kubectl("create", "configmap", "later")

    cluster.api.stop()
    cluster.etcd.stop()
    command = [program("etcdctl"), "snapshot", "restore", str(snapshot), f"--data-dir={restored}"]
    peer = "--initial-cluster=default=http://127.0.0.1:1", "--initial-advertise-peer-urls=http://127.0.0.1:1"
    subprocess.run([*command, *peer], check=True, capture_output=True, env={"ETCDCTL_API": "3"})
    shutil.rmtree(cluster.etcd.folder)
    restored.rename(cluster.etcd.folder)
    cluster.etcd.start()
    cluster.api.start()
    assert kubectl("get", "configmap", "kept", "-o", "name") == "configmap/kept\n"
    assert "not found" in kubectl("get", "configmap", "later", status=1)


def test_a_watch_from_before_a_compaction_is_gone(cluster: Cluster, kubectl: Client) -> None:
    revision = json.loads(kubectl("get", "configmaps", "-o", "json"))["metadata"]["resourceVersion"] or "1"
    for number in range(3):
        kubectl("create", "configmap", f"compacted-{number}")
    newest = kubectl("get", "configmap", "compacted-2", "-o", "jsonpath={.metadata.resourceVersion}")
    cluster.etcd.ctl("compaction", newest)
    path = f"/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=5&resourceVersion={revision or 1}"
    event = json.loads(kubectl("get", "--raw", path).splitlines()[0])
    assert (event["type"], event["object"]["code"]) == ("ERROR", 410)
    assert event["object"]["message"].startswith("too old resource version")


def test_a_watch_ends_when_its_time_is_over(kubectl: Client) -> None:
    started = time.monotonic()
    path = "/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1&labelSelector=none"
    assert kubectl("get", "--raw", path) == ""
    assert time.monotonic() - started >= 1


def test_without_etcd_it_lives_and_is_not_ready(cluster: Cluster, kubectl: Client) -> None:
    kubectl("get", "nodes")  # kubectl learns the kinds of resources, for which it would ask first
    cluster.etcd.stop()
    status, said = cluster.api.get("/readyz?verbose")
    assert status == 500
    assert "[+]ping ok" in said and "[-]etcd failed: reason withheld" in said
    assert said.endswith("readyz check failed\n")
    assert "etcd does not answer" in kubectl("get", "nodes", status=1)
    cluster.etcd.start()
    cluster.api.wait_until_ready()
    assert kubectl("get", "namespace", "default", "-o", "name") == "namespace/default\n"


def test_injected_faults(cluster: Cluster) -> None:
    server = cluster.another()
    (server.faults / "apiserver-never-ready").touch()
    server.start(ready=False)
    time.sleep(0.5)
    status, said = server.get("/readyz")
    assert status == 500 and "readyz check failed" in said
    assert server.get("/livez")[0] == 200
    (server.faults / "apiserver-never-ready").unlink()
    server.wait_until_ready()

    (server.faults / "apiserver-slow").write_text("0.7\n")
    started = time.monotonic()
    server.get("/version")
    assert time.monotonic() - started >= 0.7
    (server.faults / "apiserver-slow").unlink()

    (server.faults / "apiserver-dies-after").write_text("1\n")
    with pytest.raises(OSError):
        server.get("/version")
    assert server.process and server.process.wait(5) == 1


def test_it_is_small(cluster: Cluster) -> None:
    server = cluster.another()
    server.start()
    assert server.process
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    kib = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
    print(f"{kib / 1024:.0f} MiB")
    assert kib < 60 * 1024


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--nonsense=1"], "Error: unknown flag: --nonsense"),
        (["--secure-port"], "Error: flag needs an argument: --secure-port"),
        ([], "Error: --etcd-servers must be specified"),
        (
            ["--etcd-servers=http://127.0.0.1:1", "--secure-port=x"],
            'invalid argument "x" for "--secure-port"',
        ),
    ],
)
def test_a_bad_command_line_is_refused(arguments: list[str], said: str) -> None:
    done = run(*arguments)
    assert done.returncode == 1 and said in done.stderr and "Traceback" not in done.stderr


def test_it_says_that_it_is_a_double() -> None:
    assert run("--version", "--double-version=v1.33.3").stdout == "Kubernetes v1.33.3 (test double)\n"


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "apiserver", *arguments]
    return subprocess.run(command, cwd=DOUBLES, capture_output=True, text=True, timeout=30)
