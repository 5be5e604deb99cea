"""A host of the control plane on which operations are carried out for real, by a shell on this machine."""

from __future__ import annotations

import hashlib
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pyinfra.api.command import PyinfraCommand, StringCommand

from ciliumlab.facts.kubernetes import ADMIN
from ciliumlab.operations.downloads import CACHE
from ciliumlab.operations.steps import Refusal
from tests.unit.operations.harness import Host, context

from .cluster import Cluster, program


@dataclass
class Outcome:
    """What an operation did: its commands with what came of the last, or its reason for none."""

    commands: list[str] = field(default_factory=list)
    status: int = 0
    printed: str = ""
    noops: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


class Node(Host):
    """The host: its files below ``root``, its API server that of the cluster."""

    def __init__(self, cluster: Cluster, root: Path, **environment: str) -> None:
        super().__init__({}, "k8s-ctr")
        self.root = root
        root.mkdir(exist_ok=True)
        kubeconfig = root / "admin.conf"
        kubeconfig.write_text(cluster.api.kubeconfig().read_text())
        kubeconfig.chmod(0o600)
        self.paths = {ADMIN: kubeconfig, CACHE: root / "cache", "/run/ciliumlab": root / "run"}
        # By the names that the host has them under, wherever and however they are kept here.
        programs = root / "programs"
        programs.mkdir(exist_ok=True)
        for name in ("helm", "kubectl"):
            link = programs / name
            if not link.exists():
                link.symlink_to(Path(program(name)).resolve())
        path = os.pathsep.join([str(programs), os.environ["PATH"]])
        self.environment = {"PATH": path, "HOME": str(cluster.folder), **environment}

    def shell(self, command: str, given: str | None = None) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            self._command(command),
            input=given,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=180,
        )

    def start(self, command: str, given: str, kubeconfig: Path | None = None) -> subprocess.Popen[str]:
        """The same in a process group of its own, which goes on; by another way to the API server."""
        process = subprocess.Popen(
            self._command(command.replace(ADMIN, str(kubeconfig or ADMIN))),
            env=self.environment,
            text=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        assert process.stdin
        process.stdin.write(given)
        process.stdin.close()
        return process

    def _command(self, command: str) -> list[str]:
        for path, place in self.paths.items():
            command = command.replace(path, str(place))
        return ["sh", "-c", command]

    def get_fact(self, fact: Any, **arguments: Any) -> Any:
        asked = fact()
        answered = self.shell(asked.command(**arguments))
        assert answered.returncode == 0, answered.stderr
        printed = answered.stdout
        for path, place in self.paths.items():
            printed = printed.replace(str(place), path)
        return asked.process(printed.splitlines())

    def commands(self, operation: Any, **arguments: Any) -> Iterator[PyinfraCommand]:
        """As pyinfra takes them: each once the one before it has been carried out."""
        diff = arguments.pop("diff", False)
        with context(self, diff=diff):
            yield from operation._inner(**arguments)

    def run(self, operation: Any, **arguments: Any) -> Outcome:
        self.noops.clear()
        self.lines.clear()
        outcome = Outcome(noops=self.noops, said=self.lines)
        for command in self.commands(operation, **arguments):
            if isinstance(command, Refusal):
                outcome.status, outcome.printed = 1, command.reason
                break
            assert isinstance(command, StringCommand)
            line, given = str(command), command.connector_arguments.get("_stdin")
            done = self.shell(line, str(given) if given else None)
            outcome.commands.append(line)
            outcome.status = done.returncode
            outcome.printed = done.stdout + done.stderr
            if done.returncode:
                break
        return outcome

    def keep(self, path: Path, version: str) -> Any:
        """A download as it is declared, which the host has already."""
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        (self.root / "cache").mkdir(exist_ok=True)
        for suffix in (".tgz", ".yaml"):
            (self.root / "cache" / f"{digest}{suffix}").write_bytes(content)
        return {"version": version, "url": f"http://127.0.0.1:9/{path.name}", "sha256": digest}
