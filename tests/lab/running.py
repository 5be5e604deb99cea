"""A lab that runs for a test: its files, its machines, and the commands that a user would give."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from functools import cached_property
from pathlib import Path
from typing import IO, Any, NoReturn, TypeVar

import pytest
import yaml

from ciliumlab.machines import cgroups
from ciliumlab.machines.container import Containers
from ciliumlab.machines.identity import ssh_command
from ciliumlab.state import State
from ciliumlab.topology import Machine, Node, load

from .deploy import Deploy

ROOT = Path(__file__).parents[2]

# The stages of a deploy, in its order.
TASKS = re.findall(r'"(tasks/.+[.]py)"', (ROOT / "deploy.py").read_text())

# Those that take nothing from sources of the cluster.
MACHINE_TASKS = [f"tasks/{stage}.py" for stage in ("preflight", "base", "network", "router")]

# Settings of a lab whose cluster's sources cannot be had: the port is discard's, where nobody listens.
NO_SOURCES = {"cluster": "auto", "mirror": "http://10.0.2.2:9"}

T = TypeVar("T")

# How the figures of steps are told from other properties of tests.
FIGURE = "seconds to "

# What pyinfra says when it stops before the end.
_NOBODY = "No hosts remaining!"

# Seconds after which a command is taken to hang. Nothing waits for them: what ends, ends a step.
_QUICK = 300
_LONG = 1800
# One look at a machine that may be going down: QEMU's network takes a connection that no guest will answer.
_LOOK = 60


class RunningLab:
    """One lab below ``folder``, of the kind ``guest`` or ``container``."""

    def __init__(self, folder: Path, kind: str, *, dummies: bool) -> None:
        self.folder = folder
        self.kind = kind
        self.data: dict[str, object] = {}
        """Settings that every deploy and every look at the states gets, as pyinfra's ``--data``."""
        self.topology_file = folder / "lab.yaml"
        self.state = State(folder)
        self.broken = ""
        """Why no further step makes sense."""
        self.figures: list[tuple[str, object]] = []
        """Where the seconds of the test at hand are kept: its ``user_properties``."""
        self.snapshots: set[str] = set()
        folder.mkdir(parents=True, exist_ok=True)
        # What an earlier run left that could not end in order.
        if self.topology_file.exists():
            self.destroy()
        self._write_topology(dummies)

    def _write_topology(self, dummies: bool) -> None:
        declared = yaml.safe_load((ROOT / "inventory" / "lab.yaml").read_text())
        machines = [declared["router"], *declared["nodes"].values()]
        for machine, port in zip(machines, free_ports(len(machines)), strict=True):
            machine["ssh_port"] = port
        if not dummies:
            for key in ("dummies", "summary"):
                declared["router"].pop(key, None)
        self._declared = yaml.safe_dump(declared, sort_keys=False)
        self.topology_file.write_text(self._declared)

    def story(self, data: Mapping[str, object]) -> None:
        """Begin one more story with this lab: nothing is left of the last one's settings, of what it declared
        and of its failures. What became of the machines is another matter.
        """
        self.data = dict(data)
        self.broken = ""
        self.topology_file.write_text(self._declared)

    @property
    def machines(self) -> dict[str, Machine]:
        return {machine.name: machine for machine in load(self.topology_file).machines}

    @property
    def first(self) -> str:
        """The node that the control plane begins with."""
        return next(
            name
            for name, machine in self.machines.items()
            if isinstance(machine, Node) and machine.role == "control-plane"
        )

    def declare(self, change: Callable[[dict[str, Any]], None]) -> None:
        """Change lab.yaml; a node that it adds gets a free SSH port."""
        declared = yaml.safe_load(self.topology_file.read_text())
        change(declared)
        for node in declared["nodes"].values():
            node.setdefault("ssh_port", free_ports(1)[0])
        self.topology_file.write_text(yaml.safe_dump(declared, sort_keys=False))

    # Steps -------------------------------------------------------------------------------------------

    @contextmanager
    def step(self, title: str, *, essential: bool = False) -> Iterator[None]:
        """Measure a step; one without which nothing else makes sense ends the story when it fails."""
        started = time.monotonic()
        try:
            yield
        except BaseException:
            if essential:
                self.broken = f"{title} failed"
            raise
        self.figure(title, time.monotonic() - started)

    def figure(self, title: str, seconds: float) -> None:
        """Keep what a step took, to be printed at the end."""
        self.figures.append((FIGURE + title, seconds))

    # Commands ----------------------------------------------------------------------------------------

    @cached_property
    def _environment(self) -> dict[str, str]:
        own = {"CILIUMLAB_TOPOLOGY": str(self.topology_file), "CILIUMLAB_STATE": str(self.state.root)}
        return {**os.environ, **own}

    def _run(
        self,
        module: str,
        *arguments: str,
        stdin: str = "",
        timeout: float = _LONG,
        environment: Mapping[str, str] | None = None,
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", module, *arguments],
            cwd=ROOT,
            env={**self._environment, **(environment or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
        )

    def ciliumlab(self, *arguments: str) -> str:
        """What a command of ours prints; a test fails with what it said when it fails."""
        done = self._run("ciliumlab", *arguments)
        if done.returncode != 0:
            _fail(f"ciliumlab {' '.join(arguments)}", done)
        return done.stdout

    def up(self) -> None:
        done = self._run("ciliumlab", "up", "--kind", self.kind)
        if done.returncode != 0:
            _fail("ciliumlab up", done, *self._last_words())

    def _last_words(self) -> Iterator[str]:
        """The ends of the machines' consoles, which are gone when the lab is destroyed."""
        for log in sorted(self.folder.glob("machines/*/console.log")):
            yield f"--- {log.parent.name}"
            yield from log.read_text(errors="replace").splitlines()[-15:]

    def status(self) -> dict[str, str]:
        """What each machine is: ``up``, ``off`` or ``not made``."""
        return {row["name"]: row["state"] for row in json.loads(self.ciliumlab("status", "--json"))}

    def destroy(self) -> None:
        self.ciliumlab("destroy", "--confirm", load(self.topology_file).name)
        self.snapshots.clear()

    def snapshot(self, tag: str) -> None:
        self.ciliumlab("snapshot", tag)
        self.snapshots.add(tag)

    def pyinfra(self, *arguments: str, invitation: Mapping[str, str] | None = None) -> Deploy:
        """A run of pyinfra over the lab's inventory; ``invitation`` is for `tests.lab.invited`."""
        module = "tests.lab.invited" if invitation else "pyinfra"
        done = self._run(module, "--json", *self._settings(), *arguments, environment=invitation)
        if _NOBODY in done.stderr:  # every host has failed, and pyinfra gives no results then
            return Deploy(done.returncode, {"results": {"failed_hosts": list(self.machines)}}, done.stderr)
        try:
            answer = json.loads(done.stdout)
        except json.JSONDecodeError:
            _fail(f"pyinfra {' '.join(arguments)} (without results)", done)
        return Deploy(done.returncode, answer, done.stderr)

    def _settings(self, **more: object) -> list[str]:
        return [f"--data={key}={json.dumps(value)}" for key, value in {**self.data, **more}.items()]

    def deploy(self, what: str = "deploy.py", **data: object) -> Deploy:
        """``data`` overrides settings for this run."""
        return self.pyinfra("-y", *self._settings(**data), "inventory/lab.py", what)

    def refused(self, what: str, **data: object) -> subprocess.CompletedProcess[str]:
        """A run that ends before it has asked any host, and so has no results."""
        return self._run("pyinfra", "-y", *self._settings(**data), "inventory/lab.py", what)

    def begin(
        self, *what: str, data: Mapping[str, object] | None = None, said: IO[bytes] | None = None
    ) -> subprocess.Popen[bytes]:
        """A run of these deploy files that goes on beside the test; ``said`` gets what it says."""
        command = ["pyinfra", "-y", *self._settings(**(data or {})), "inventory/lab.py", *what]
        output = said or subprocess.DEVNULL
        return subprocess.Popen(
            [sys.executable, "-m", *command],
            cwd=ROOT,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
        )

    def cut(self, name: str, sign: str, what: str, **data: object) -> None:
        """Kill a deploy's controller as soon as a shell condition holds on a machine."""
        process = self.begin(what, data=data)
        try:
            self.until(name, sign)
        finally:
            process.kill()
            process.wait()

    def prove(self, only: str = "", *options: str) -> None:
        """Run tests/states against the lab, or ``only`` those whose names hold this."""
        done = self._states(only, *options)
        if done.returncode != 0:
            _fail("tests/states", done)

    def disprove(self, only: str, *options: str) -> set[str]:
        """The names of tests of tests/states that fail, of those whose names hold ``only``."""
        done = self._states(only, *options)
        if done.returncode != 1:
            _fail("tests/states (which had to fail)", done)
        return set(re.findall(r"^FAILED \S+::(\S+)", done.stdout, re.MULTILINE))

    def failing(self, *topics: str, only: str = "") -> set[tuple[str, str]]:
        """The tests of these modules of tests/states that fail, ``base`` of test_base.py: name and host.

        ``only`` is an expression of pytest's over their names.
        """
        done = self._states(only, where=[f"tests/states/test_{topic}.py" for topic in topics])
        if done.returncode not in (0, 1):
            _fail("tests/states", done)
        return set(re.findall(r"^FAILED \S+::(\w+)\[([^]:]+)", done.stdout, re.MULTILINE))

    def _states(
        self, only: str, *more: str, where: Sequence[str] = ("tests/states",)
    ) -> subprocess.CompletedProcess[str]:
        options = ["-q", "-rf", "--no-header", "-p", "no:cacheprovider", "-k", only, *more]
        return self._run("pytest", *where, *options, *self._settings())

    # Machines ----------------------------------------------------------------------------------------

    def shell(self, name: str, script: str, timeout: float = _QUICK) -> str:
        """What a shell script prints that root runs on a machine."""
        done = self._shell(name, script, timeout)
        if done.returncode != 0:
            _fail(f"{name}: {script}", done)
        return done.stdout

    def until(self, name: str, sign: str) -> None:
        """Wait until a shell condition holds on a machine."""
        self.shell(name, f"until {sign}; do [ $((n += 1)) -lt 1000 ] || exit 1; sleep 0.1; done")

    def _shell(self, name: str, script: str, timeout: float = _QUICK) -> subprocess.CompletedProcess[str]:
        # As `ciliumlab ssh` does, without another Python for each of many looks.
        arguments = [*ssh_command(self.state, self.machines[name]), "sudo", "sh", "-s"]
        try:
            return subprocess.run(arguments, input=script, capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired:  # as when it went away without a word
            return subprocess.CompletedProcess(arguments, 255, "", f"no answer in {timeout:.0f} s")

    def everywhere(self, work: Callable[[str], T]) -> dict[str, T]:
        """Each machine's name with what ``work`` gives for it; all at once."""
        with ThreadPoolExecutor(len(self.machines)) as pool:
            return dict(zip(self.machines, pool.map(work, self.machines), strict=True))

    def boot(self, name: str) -> str:
        """What tells this boot of a machine from all others; empty when it does not answer."""
        return self._shell(name, "cat /proc/sys/kernel/random/boot_id", _LOOK).stdout

    def reboot(self, ways: Mapping[str, str]) -> None:
        """Reboot all machines from within, and wait until each has booted anew.

        ``ways`` has commands for machines that are to do it in another way than in good order.
        """
        before = self.everywhere(self.boot)
        deadline = time.monotonic() + _LONG

        def reboot(name: str) -> None:
            while (boot := self.boot(name)) in ("", before[name]):
                assert time.monotonic() < deadline, f"{name} does not come back"
                if boot:  # it is not told yet, or did not hear it; and it may be gone before it can answer
                    self._shell(name, ways.get(name, "systemctl reboot"), _LOOK)
                time.sleep(0.5)

        self.everywhere(reboot)
        self.up()  # waits until all is started that a machine starts at boot

    def kill(self, name: str) -> None:
        """Cut a machine's power: no word comes from it any more, not even that its connections have ended."""
        folder = self.state.machine(name)
        if self.kind == "container":
            # What runs in a container outlives the process that stands behind it, and its kernel
            # is the host's: that would close the connections of what has ended.
            spec = json.loads((folder / "spec.json").read_text())
            for cable in spec["cables"]:
                command = ["ip", "-n", spec["segments"], "link", "set", cable["port"], "down"]
                subprocess.run(command, check=True)
            cgroups.end(spec["namespace"])
        else:
            os.kill(int((folder / "qemu.pid").read_text()), signal.SIGKILL)

    def traces(self) -> list[str]:
        """What on this host belongs to the lab's machines: processes, mounts, network namespaces."""
        root = str(self.state.root)
        found = [f"process {pid}: {line}" for pid, line in _processes().items() if root in line]
        found += [f"mount {line}" for line in Path("/proc/mounts").read_text().splitlines() if root in line]
        found += [f"namespace {path}" for path in Path("/run/netns").glob(f"*{self.state.lab_id}*")]
        return found


def _fail(what: str, done: subprocess.CompletedProcess[str], *more: str) -> NoReturn:
    lines = [f"{what}: exit {done.returncode}", done.stdout, done.stderr, *more]
    pytest.fail("\n".join(lines), pytrace=False)


def _processes() -> dict[int, str]:
    """Command lines of this host's processes by their numbers."""
    found = {}
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            found[int(path.parent.name)] = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue  # it has ended meanwhile
    return found


def free_ports(count: int) -> list[int]:
    """Ports of 127.0.0.1 that nobody listens at."""
    with ExitStack() as stack:
        probes = [stack.enter_context(socket.socket()) for _ in range(count)]
        for probe in probes:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in probes]


@contextmanager
def running(kind: str, data: Mapping[str, object], *, dummies: bool, name: str = "") -> Iterator[RunningLab]:
    """A lab of its own for a module of tests, whose machines are gone when that ends, however it ends.

    ``data`` overrides settings. Skips where this host cannot run containers.
    """
    lab = RunningLab(ROOT / ".lab" / "tests" / (name or kind), kind, dummies=dummies)
    lab.data = dict(data)
    if kind == "container":
        lacking = Containers(load(lab.topology_file), lab.state).problems(list(lab.machines.values()))
        if lacking:
            pytest.skip("; ".join(map(str, lacking)))
    try:
        yield lab
    finally:
        lab.destroy()
