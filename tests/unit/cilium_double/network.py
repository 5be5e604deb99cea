"""A small lab of network namespaces: a router, segments, and nodes on them with their agents."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.unit.apiserver_double.cluster import DOUBLES, Cluster

SEGMENTS = {"net10": "192.168.10", "net20": "192.168.20"}
NODES = {"n1": ("net10", 101), "n2": ("net10", 102), "n3": ("net20", 100)}
PODS = "172.20.0.0/16"
SECONDS = 120


def unusable() -> str:
    """Why this machine cannot carry such a lab, "" if it can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    lacking = [name for name in ("ip", "nsenter", "etcd", "openssl") if not shutil.which(name)]
    if lacking:
        return f"not installed: {', '.join(lacking)}"
    tried = "ip link add v type vxlan external dstport 8472 && ip link add w type veth"
    done = subprocess.run(
        ["unshare", "--net", "sh", "-c", tried], capture_output=True, text=True, check=False
    )
    return f"the kernel refuses: {done.stderr.strip()}" if done.returncode else ""


def wait(until: Callable[[], Any], what: str, seconds: float = SECONDS) -> Any:
    end = time.monotonic() + seconds
    while True:
        found = until()
        if found:
            return found
        assert time.monotonic() < end, f"{what} did not happen in {seconds} s"
        time.sleep(0.1)


class Network(ExitStack):
    """The namespaces. An API server's port on loopback is reachable from all of them."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        super().__init__()
        self.cluster, self.folder = cluster, folder
        self.prefix = f"cd{os.getpid() % 100000}"
        self.processes: dict[str, subprocess.Popen[bytes]] = {}
        # A Unix socket's path is short.
        self.short = Path(tempfile.mkdtemp(dir="/tmp", prefix="cd"))
        self.callback(shutil.rmtree, self.short, ignore_errors=True)
        self._relay("listen", [])
        self._make("router")
        for segment in SEGMENTS:
            self.ip("router", "link", "add", segment, "up", "type", "bridge")
            self.ip("router", "address", "add", f"{SEGMENTS[segment]}.200/24", "dev", segment)
        self.shell("router", "sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0")
        for name, (segment, host) in NODES.items():
            self._node(name, segment, host)

    def _make(self, name: str) -> None:
        namespace = self.namespace(name)
        subprocess.run(["ip", "netns", "add", namespace], check=True)
        self.callback(subprocess.run, ["ip", "netns", "delete", namespace], check=False, capture_output=True)
        self.ip(name, "link", "set", "lo", "up")

    def _node(self, name: str, segment: str, host: int) -> None:
        self._make(name)
        self.ip("router", "link", "add", f"to-{name}", "master", segment, "type", "veth", "peer",
                "eth1", "netns", self.namespace(name))  # fmt: skip
        self.ip("router", "link", "set", f"to-{name}", "up")
        self.ip(name, "link", "set", "eth1", "up")
        self.ip(name, "address", "add", f"{SEGMENTS[segment]}.{host}/24", "dev", "eth1")
        for network in ("default", PODS):
            self.ip(name, "route", "add", network, "via", f"{SEGMENTS[segment]}.200", "proto", "static")
        self._relay("connect", ["ip", "netns", "exec", self.namespace(name)])
        (self.short / name).mkdir()

    def _relay(self, side: str, within: list[str]) -> None:
        command = [*within, sys.executable, str(Path(__file__).with_name("relay.py")), side]
        process = subprocess.Popen([*command, str(self.short / "api"), str(self.cluster.api.port)])
        self.callback(process.wait)
        self.callback(process.terminate)

    def namespace(self, name: str) -> str:
        return f"{self.prefix}-{name}"

    def address(self, name: str) -> str:
        segment, host = NODES[name]
        return f"{SEGMENTS[segment]}.{host}"

    def ip(self, name: str, *arguments: str) -> str:
        command = ["ip", "-n", self.namespace(name), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{command}: {done.stderr}"
        return done.stdout

    def shell(self, name: str, command: str) -> subprocess.CompletedProcess[str]:
        within = ["ip", "netns", "exec", self.namespace(name), "sh", "-c", command]
        return subprocess.run(within, capture_output=True, text=True, check=False)

    def routes(self, name: str) -> list[str]:
        """The main table as ip-route(8) prints it, without spaces at the ends."""
        return [line.strip() for line in self.ip(name, "route", "show").splitlines()]

    def environment(self, name: str, pod: str) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(DOUBLES),
            "KUBERNETES_DOUBLE_ROOT": str(self.short / name),
            "KUBECONFIG": "/kubeconfig",
            "NODE_NAME": name,
            "POD_NAME": pod,
            "POD_NAMESPACE": "kube-system",
            "READY_FILE": str(self.short / name / f"{pod}.ready"),
        }

    def start(self, module: str, name: str, pod: str) -> subprocess.Popen[bytes]:
        """Run a module of the doubles on a node, as its kubelet would."""
        environment = self.environment(name, pod)
        (self.short / name / "kubeconfig").write_text(self.kubeconfig())
        (self.short / name / "run").mkdir(exist_ok=True)
        Path(environment["READY_FILE"]).unlink(missing_ok=True)
        command = ["ip", "netns", "exec", self.namespace(name), sys.executable, "-P", "-m", module]
        with (self.folder / f"{pod}.log").open("ab") as log:
            process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
        self.processes[pod] = process
        self.callback(self.stop, pod)
        return process

    def kubeconfig(self) -> str:
        """An administrator's, with the files' contents in it: a node's root is a folder of its own."""
        config = json.loads(self.cluster.api.kubeconfig().read_text())
        for entry in (config["clusters"][0]["cluster"], config["users"][0]["user"]):
            for key in [key for key in entry if key != "server"]:
                entry[f"{key}-data"] = b64encode(Path(entry.pop(key)).read_bytes()).decode()
        return json.dumps(config)

    def stop(self, pod: str) -> None:
        process = self.processes.pop(pod, None)
        if process:
            process.terminate()
            process.wait(10)

    def ready(self, name: str, pod: str) -> bool:
        process = self.processes[pod]
        assert process.poll() is None, self.log(pod)
        return Path(self.environment(name, pod)["READY_FILE"]).exists()

    def log(self, pod: str) -> str:
        return (self.folder / f"{pod}.log").read_text()

    def ask(self, name: str, path: str) -> dict[str, Any]:
        """What the agent of a node answers on its socket."""
        program = f"import json; from cilium import rest; print(json.dumps(rest.ask({path!r})))"
        environment = self.environment(name, "none")
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, check=True
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    def pod(self, node: str, name: str, address: str) -> None:
        """A pod's namespace on a node, connected by the CNI plugin."""
        subprocess.run(["ip", "netns", "add", self.namespace(name)], check=True)
        self.callback(
            subprocess.run, ["ip", "netns", "delete", self.namespace(name)], check=False, capture_output=True
        )
        command = ["ip", "netns", "exec", self.namespace(node), sys.executable, "-P", "-m", "cilium.cni"]
        done = subprocess.run(
            [*command, "add", f"/run/netns/{self.namespace(name)}", address],
            env=self.environment(node, "none"), capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr

    def ping(self, name: str, address: str, size: int = 0) -> subprocess.CompletedProcess[str]:
        return self.shell(name, f"{sys.executable} {DOUBLES}/cilium/ping.py {address} {size}")

    def pings(self, name: str, address: str, size: int = 0) -> bool:
        return self.ping(name, address, size).returncode == 0


def skip_unless_usable() -> None:
    reason = unusable()
    if reason:
        pytest.skip(reason)
