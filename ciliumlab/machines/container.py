"""Machines as system containers: systemd-nspawn on the host's kernel, in a tenth of a guest's time.

Same names, addresses, SSH ports and segments as guests have. A machine is a network namespace with
eth0 on a user-mode NAT (slirp4netns: the same 10.0.2.0/24 as a guest's) and eth1 and on as cables to
bridges, which stand in one more namespace. Nothing of the host's own network is touched; all that is
made has names of this lab's own, and goes with it.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from ciliumlab.errors import LabError, Problem
from ciliumlab.machines import cgroups, identity, programs
from ciliumlab.machines.image import Image
from ciliumlab.machines.programs import find, last_line, listens, run
from ciliumlab.machines.supervisor import Cable, Spec
from ciliumlab.state import State
from ciliumlab.topology import Machine, Topology

_PROGRAMS = ("ip", "setpriv", "slirp4netns", "ssh", "ssh-keygen", "systemd-nspawn", "unshare")
_POWER_DOWN_SECONDS = 30
_INOTIFY_A_MACHINE = 12


class Containers:
    """All containers of one lab."""

    kind = "container"
    boots_at_once: int | None = None
    """All of them: their processors are the host's own."""

    def __init__(self, topology: Topology, state: State) -> None:
        self._topology = topology
        self._state = state
        self._segments = f"ciliumlab-{state.lab_id}"  # the namespace of the bridges
        self._bridges = {segment.name: _device(segment.name) for segment in topology.segments}

    # What the host lacks ---------------------------------------------------------------------------

    def problems(self, machines: Sequence[Machine]) -> list[Problem]:
        """What keeps this host from running the machines as containers; features are tried, not guessed."""
        if sys.platform != "linux":
            return [Problem("--kind container", "system containers need Linux; use --kind guest")]
        found = []
        if os.geteuid() != 0:
            found.append(Problem("--kind container", "needs root; run it as root, or use --kind guest"))
        found += programs.missing(_PROGRAMS)
        if not found:
            found += [
                Problem(
                    "--kind container",
                    f"this host's kernel has no {feature} ({reason}), and a container has no other kernel;"
                    " use --kind guest",
                )
                for feature, reason in self._missing_features()
            ]
            found += _inotify_problems(len(machines))
        return found

    def _missing_features(self) -> list[tuple[str, str]]:
        tries = {
            "bridge": "ip link add try0 type bridge",
            "veth": "ip link add try1 type veth",
            "tun/tap device": "ip tuntap add try2 mode tap",
        }
        if self._topology.router.dummies:
            tries["dummy interface"] = "ip link add try3 type dummy"
        with tempfile.TemporaryDirectory(dir=self._state.root.parent) as scratch:
            for name in ("lower", "upper", "work", "root"):
                (Path(scratch) / name).mkdir()
            tries["overlay file system on this disk"] = (
                f"cd '{scratch}' && mount -t overlay overlay"
                " -o lowerdir=lower,upperdir=upper,workdir=work root"
            )
            missing = []
            for feature, command in tries.items():
                done = subprocess.run(
                    ["unshare", "--net", "--mount", "sh", "-c", command], capture_output=True, text=True
                )
                if done.returncode != 0:
                    said = done.stderr.strip().splitlines()
                    missing.append((feature, said[-1] if said else "it was refused"))
        return missing

    def prepare(self, base: Image) -> str:
        """Make the namespace of the segments, once."""
        if not Path("/run/netns", self._segments).exists():
            run(["ip", "netns", "add", self._segments], what="making the segments")
        present = run(["ip", "-n", self._segments, "-o", "link"], what="reading the segments")
        for bridge in self._bridges.values():
            if f": {bridge}:" not in present:
                run(
                    ["ip", "-n", self._segments, "link", "add", bridge, "up", "type", "bridge"],
                    what="making the segments",
                )
        return "system containers of this host's kernel"

    # One machine -----------------------------------------------------------------------------------

    def _process_file(self, machine: Machine) -> Path:
        return self._state.machine(machine.name) / "supervisor.pid"

    def _log(self, machine: Machine) -> Path:
        return self._state.machine(machine.name) / "supervisor.log"

    def last_line(self, machine: Machine) -> str:
        """The last that the machine's supervisor said."""
        return last_line(self._log(machine).read_bytes())

    def running(self, machine: Machine) -> bool:
        return listens(self.console(machine))

    def start(self, machine: Machine, base: Image) -> None:
        """Start a container that does not run, on its own overlay of the image's tree."""
        self._clear(machine)
        folder = self._state.machine(machine.name)
        spec = Spec(
            name=machine.name,
            folder=str(folder),
            tree=str(base.tree),
            credential=str(identity.credential(self._state, machine)),
            namespace=self._namespace(machine),
            segments=self._segments,
            cables=[
                Cable(
                    interface.name,
                    _device(machine.name, interface.name),
                    self._bridges[interface.segment.name],
                )
                for interface in machine.interfaces
            ],
            ssh_host=machine.ssh_host,
            ssh_port=machine.ssh_port,
            console=str(self.console(machine)),
            nat=str(self._state.socket(machine.name, "nat")),
        )
        (folder / "spec.json").write_text(json.dumps(spec.to_json()))
        command = [
            *("unshare", "--mount", "--propagation", "private"),
            *(sys.executable, "-m", "ciliumlab.machines.supervisor", str(folder / "spec.json")),
        ]
        if cgroups.systemd_runs_host():
            scope = ["--scope", f"--unit={self._namespace(machine)}", "--collect", "--property=Delegate=yes"]
            command = ["systemd-run", "--quiet", *scope, *command]
        with self._log(machine).open("wb") as output:
            process = subprocess.Popen(
                [find(command[0]) or command[0], *command[1:]],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                # The supervisor outlives this command and its folder; it needs only the library.
                env={**os.environ, "PYTHONPATH": os.pathsep.join(p for p in sys.path if p)},
            )
        while not self.running(machine):
            if process.poll() is not None:
                raise LabError(
                    Problem(machine.name, f"its container did not start: {self.last_line(machine)}")
                )
            time.sleep(0.05)

    def stop(self, machine: Machine) -> None:
        """Shut the container down, and kill it if that takes too long."""
        if not self.running(machine):
            return
        os.kill(int(self._process_file(machine).read_text()), signal.SIGTERM)
        deadline = time.monotonic() + _POWER_DOWN_SECONDS
        while self.running(machine):
            if time.monotonic() > deadline:
                self.power_off(machine)
            time.sleep(0.1)

    def power_off(self, machine: Machine) -> None:
        """Kill it: nspawn and all in it go with their supervisor."""
        if not self.running(machine):
            return
        os.kill(int(self._process_file(machine).read_text()), signal.SIGKILL)
        while self.running(machine):
            time.sleep(0.1)
        self._clear(machine)

    def _namespace(self, machine: Machine) -> str:
        """The name of the machine's network namespace and control group."""
        return f"{self._segments}-{machine.name}"

    def _clear(self, machine: Machine) -> None:
        """What a supervisor leaves behind that was killed, or that has just ended."""
        cgroups.end(self._namespace(machine))
        if Path("/run/netns", self._namespace(machine)).exists():
            run(["ip", "netns", "delete", self._namespace(machine)], what=f"disconnecting {machine.name}")

    def close(self) -> None:
        """Take the segments away once no machine runs."""
        if any(self.running(machine) for machine in self._topology.machines):
            return
        for machine in self._topology.machines:
            self._clear(machine)
        if Path("/run/netns", self._segments).exists():
            run(["ip", "netns", "delete", self._segments], what="removing the segments")

    def console(self, machine: Machine) -> Path:
        """The Unix socket of the container's console."""
        return self._state.socket(machine.name, "console")

    # All of them -----------------------------------------------------------------------------------

    def snapshot(self, machines: Sequence[Machine], tag: str) -> None:
        """Keep the machines' disks under ``tag``; they must be stopped (memory is not kept)."""
        for machine in machines:
            folder = self._state.machine(machine.name)
            kept = folder / "snapshots" / tag
            scratch = kept.with_name(f".{tag}.new")
            shutil.rmtree(scratch, ignore_errors=True)
            scratch.parent.mkdir(exist_ok=True)
            run(
                ["cp", "-a", "--reflink=auto", folder / "upper", scratch],
                what=f"{machine.name}: snapshot {tag}",
            )
            shutil.rmtree(kept, ignore_errors=True)
            scratch.rename(kept)

    def restore(self, machines: Sequence[Machine], tag: str) -> None:
        """Put the machines' disks back to ``tag``; they must be stopped."""
        for machine in machines:
            folder = self._state.machine(machine.name)
            shutil.rmtree(folder / "work", ignore_errors=True)
            shutil.rmtree(folder / "upper")
            run(
                ["cp", "-a", "--reflink=auto", folder / "snapshots" / tag, folder / "upper"],
                what=f"{machine.name}: restoring {tag}",
            )

    def snapshots(self, machine: Machine) -> list[str]:
        """The tags that this machine can be restored to."""
        folder = self._state.machine(machine.name) / "snapshots"
        return sorted(p.name for p in folder.glob("[!.]*")) if folder.exists() else []


def _device(*names: str) -> str:
    """A device's name (15 characters at most) that no change of lab.yaml gives to something else."""
    return f"lab{hashlib.sha256('/'.join(names).encode()).hexdigest()[:10]}"


def _inotify_problems(count: int) -> list[Problem]:
    """Whether this user gets the inotify instances that so many machines take (each systemd a dozen).

    Source: inotify(7); without them a container's init ends at once with "Too many open files".
    """
    needed = _INOTIFY_A_MACHINE * count
    libc = ctypes.CDLL(None)
    instances: list[int] = []
    while len(instances) < needed and (instance := libc.inotify_init1(os.O_CLOEXEC)) >= 0:
        instances.append(instance)
    for instance in instances:
        os.close(instance)
    if len(instances) == needed:
        return []
    limit = Path("/proc/sys/fs/inotify/max_user_instances").read_text().strip()
    return [
        Problem(
            "--kind container",
            f"the machines take {needed} inotify instances and {len(instances)} of {limit} are free on this"
            " host; sysctl -w fs.inotify.max_user_instances=512",
        )
    ]
