"""Machines as QEMU guests: real kernels, no root, the network of the reference lab.

eth0 is QEMU's user network (10.0.2.15 behind NAT, as VirtualBox has it) with the SSH port of lab.yaml
forwarded; eth1 and on are plugged into the switches of their segments.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import signal
import time
from collections.abc import Sequence
from pathlib import Path

from ciliumlab.errors import LabError, Problem
from ciliumlab.machines import accelerator, identity, image, programs
from ciliumlab.machines.accelerator import TARGETS, Accelerator
from ciliumlab.machines.image import Image
from ciliumlab.machines.programs import last_line, listens, run
from ciliumlab.machines.qmp import Monitor
from ciliumlab.machines.switch import Switch
from ciliumlab.state import State
from ciliumlab.topology import Machine, Topology

_POWER_DOWN_SECONDS = 60
# How long a guest whose power is cut may take to answer, and then to go, before it is killed.
_ANSWER_SECONDS = 10


class Guests:
    """All guests of one lab."""

    kind = "guest"

    def __init__(self, topology: Topology, state: State) -> None:
        self._topology = topology
        self._state = state
        self._switches = {
            # A port for each machine and one for a person who listens in.
            segment.name: Switch(state, segment, ports=len(topology.machines) + 1)
            for segment in topology.segments
        }
        self._accelerator: Accelerator | None = None

    # What the host lacks -------------------------------------------------------------------------

    def problems(self, machines: Sequence[Machine]) -> list[Problem]:
        """What keeps this host from running the machines as guests."""
        target = TARGETS.get(image.architecture())
        if target is None:
            return [Problem("this machine", f"{image.architecture()} is not supported; use amd64 or arm64")]
        found = programs.missing([target.program, "qemu-img", "vde_switch", "ssh", "ssh-keygen"])
        for machine in machines:
            for position, interface in enumerate(machine.interfaces, start=1):
                if interface.name != f"eth{position}":
                    found.append(
                        Problem(
                            machine.name,
                            f"a guest's interfaces are eth1, eth2 … in order, and this one is"
                            f" {interface.name}; call it eth{position}, or use --kind container",
                        )
                    )
        return found

    def prepare(self, base: Image) -> str:
        """What has to be there before the first guest starts; returns a line that says how they run."""
        self._accelerator = accelerator.choose(TARGETS[image.architecture()], base.kernel)
        for switch in self._switches.values():
            switch.start()
        return f"QEMU guests by {self._accelerator.name.upper()}: {self._accelerator.reason}"

    @property
    def boots_at_once(self) -> int | None:
        """How many guests boot well beside each other; None: all, their processors are the host's own.

        Emulated ones take a processor each: on two cores four are up after 175 s, together as in pairs, but
        in pairs none of them waits so long that systemd gives up what it starts.
        """
        return os.cpu_count() if self._emulated else None

    @property
    def _emulated(self) -> bool:
        assert self._accelerator is not None, "prepare() comes first"
        return self._accelerator.name == "tcg"

    # One machine -----------------------------------------------------------------------------------

    def _monitor(self, machine: Machine, timeout: float = 60) -> Monitor:
        return Monitor(self._state.socket(machine.name, "qmp"), timeout)

    def _process_file(self, machine: Machine) -> Path:
        return self._state.machine(machine.name) / "qemu.pid"

    def _log(self, machine: Machine) -> Path:
        return self._state.machine(machine.name) / "qemu.log"

    def last_line(self, machine: Machine) -> str:
        """The last that the guest's QEMU said."""
        log = self._log(machine)
        # One that a version without such a log has started has none.
        return last_line(log.read_bytes() if log.exists() else b"")

    def running(self, machine: Machine) -> bool:
        # Not whether its monitor answers: a QEMU that is kept waiting for a processor does not, for seconds.
        return listens(self._state.socket(machine.name, "qmp"))

    def start(self, machine: Machine, base: Image, snapshot: str | None = None) -> None:
        """Start a guest that does not run, on its own overlay of the image; the disk is kept."""
        folder = self._state.machine(machine.name)
        disk = folder / "disk.qcow2"
        if not disk.exists():
            scratch = folder / ".disk.new"
            run(
                ["qemu-img", "create", "-q", "-f", "qcow2", "-F", base.disk_format, "-b", base.disk, scratch],
                what=f"making the disk of {machine.name}",
            )
            scratch.rename(disk)
        for purpose in ("qmp", "console"):
            self._state.socket(machine.name, purpose).unlink(missing_ok=True)
        command = self._command(machine, base, disk)
        if snapshot is not None:
            command += ["-loadvm", snapshot]
        self._log(machine).write_bytes(b"")
        run(command, what=f"starting {machine.name}", log=self._log(machine))

    def _command(self, machine: Machine, base: Image, disk: Path) -> list[str]:
        assert self._accelerator is not None
        target = TARGETS[image.architecture()]
        kernel_arguments = (
            f"root={base.root_device} rw console={target.console} net.ifnames=0 biosdevname=0"
            # Nothing secret runs in a lab, and mitigations would only slow it.
            f" systemd.hostname={machine.name} mitigations=off quiet"
            # An emulated kernel may fail over code that one of its processors patches for the others ("int3",
            # once in hundreds of boots: https://bugzilla.redhat.com/show_bug.cgi?id=2216496): it boots again.
            " oops=panic panic=1"
        )
        if self._emulated:
            # systemd's 90 s are less than it takes to find a device where all else boots, too.
            kernel_arguments += (
                " systemd.default_timeout_start_sec=600 systemd.default_device_timeout_sec=600"
                f" {target.emulated_kernel}"
            )
        log = self._state.machine(machine.name) / "console.log"
        console = f"path={self.console(machine)},server=on,wait=off,logfile={log}"
        command = [
            *(target.program, "-name", machine.name, "-nodefaults", "-no-user-config", "-daemonize"),
            *("-pidfile", str(self._process_file(machine)), "-display", "none"),
            # QEMU's own words go where its log is, and are lost unless something is logged: what every QEMU
            # knows (plugins, not all do), and no machine ever does.
            *("-D", str(self._log(machine)), "-d", "page"),
            *("-M", target.machine, *self._accelerator.arguments),
            *("-smp", str(machine.cpus), "-m", str(machine.memory_mib)),
            *("-kernel", str(base.kernel), "-initrd", str(base.initrd), "-append", kernel_arguments),
            # The host's page cache is trusted: a guest that is killed loses nothing by it, and only a
            # crash of the host itself could cost a lab its disks. Packages install twice as fast.
            *("-drive", f"if=none,id=root,file={disk},format=qcow2,cache=unsafe,discard=unmap"),
            *("-device", "virtio-blk-pci,drive=root,addr=2"),
            *("-device", "virtio-rng-pci,addr=3"),
            *("-chardev", f"socket,id=console,{console}", "-serial", "chardev:console"),
            *("-qmp", f"unix:{self._state.socket(machine.name, 'qmp')},server=on,wait=off"),
        ]
        # The kernel numbers cards as the bus does: eth0 first, then lab.yaml's order.
        cards = {"eth0": f"user,id=eth0,hostfwd=tcp:{machine.ssh_host}:{machine.ssh_port}-:22"}
        for interface in machine.interfaces:
            plug = self._switches[interface.segment.name].plug
            cards[interface.name] = f"vde,id={interface.name},sock={plug}"
        for slot, (name, network) in enumerate(cards.items(), start=4):
            mac = _mac(self._state, machine, name)
            card = f"virtio-net-pci,netdev={name},mac={mac},romfile=,addr={slot:#x}"
            command += ["-netdev", network, "-device", card]
        if base.cloud_init:
            seed = identity.cloud_init_seed(self._state, machine)
            command += ["-drive", f"if=none,id=seed,driver=vvfat,dir={seed},label=cidata,read-only=on"]
            command += ["-device", "virtio-blk-pci,drive=seed"]
        else:
            credential = identity.credential(self._state, machine)
            command += ["-fw_cfg", f"name=opt/io.systemd.credentials/tmpfiles.extra,file={credential}"]
        return command

    def stop(self, machine: Machine) -> None:
        """Shut the guest down as its power button would, and switch it off if it takes too long."""
        # OSError: it does not run, or it hangs.
        with contextlib.suppress(OSError), self._monitor(machine) as monitor:
            monitor.execute("system_powerdown")
        deadline = time.monotonic() + _POWER_DOWN_SECONDS
        while time.monotonic() < deadline:
            if not self.running(machine):
                return
            time.sleep(0.5)
        self.power_off(machine)

    def power_off(self, machine: Machine) -> None:
        """Cut the power."""
        # OSError: it does not run, it hangs, or it went before it could answer.
        with contextlib.suppress(OSError), self._monitor(machine, _ANSWER_SECONDS) as monitor:
            monitor.execute("quit")
        deadline = time.monotonic() + _ANSWER_SECONDS
        while self.running(machine):
            if time.monotonic() > deadline:
                with contextlib.suppress(OSError):  # it has just gone, and its file with it
                    os.kill(int(self._process_file(machine).read_text()), signal.SIGKILL)
            time.sleep(0.1)

    def close(self) -> None:
        """Take down what the guests shared, once none of them runs."""
        if not any(self.running(machine) for machine in self._topology.machines):
            for switch in self._switches.values():
                switch.stop()

    def console(self, machine: Machine) -> Path:
        """The Unix socket of the guest's serial console."""
        return self._state.socket(machine.name, "console")

    # All of them at one moment ---------------------------------------------------------------------

    def snapshot(self, machines: Sequence[Machine], tag: str) -> None:
        """Keep the running guests (memory, devices, disks) as they are at one moment under ``tag``."""
        monitors = [self._monitor(machine, timeout=600) for machine in machines]
        for monitor in monitors:
            monitor.execute("stop")
        try:
            for machine, monitor in zip(machines, monitors, strict=True):
                if said := monitor.human(f"savevm {tag}"):
                    raise LabError(Problem(machine.name, f"snapshot {tag}: {said}"))
        finally:
            for monitor in monitors:
                monitor.execute("cont")

    def restore(self, machines: Sequence[Machine], tag: str, base: Image) -> None:
        """Put the guests back to ``tag``: those that run at once, the others by starting them there."""
        for machine in machines:
            if not self.running(machine):
                self.start(machine, base, snapshot=tag)
                continue
            with self._monitor(machine, timeout=600) as monitor:
                monitor.execute("stop")
                said = monitor.human(f"loadvm {tag}")
                monitor.execute("cont")
                if said:
                    raise LabError(Problem(machine.name, f"restoring {tag}: {said}"))

    def snapshots(self, machine: Machine) -> list[str]:
        """The tags that this guest can be restored to."""
        disk = self._state.machine(machine.name) / "disk.qcow2"
        if not disk.exists():
            return []
        listed = run(["qemu-img", "snapshot", "-U", "-l", disk], what=f"reading {machine.name}'s snapshots")
        return [line.split()[1] for line in listed.splitlines()[2:]]


def _mac(state: State, machine: Machine, interface: str) -> str:
    """A locally administered address that stays the same as long as the lab does."""
    digest = hashlib.sha256(f"{state.lab_id}/{machine.name}/{interface}".encode()).digest()
    return ":".join(["52:54:00", *(f"{byte:02x}" for byte in digest[:3])])
