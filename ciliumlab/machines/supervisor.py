"""The process that stands behind one container: its network, its console, its reboots.

Run as ``python -m ciliumlab.machines.supervisor SPEC.json`` in a mount namespace of its own, so the
container's root is never seen on the host. It lives as long as the machine is switched on: a reboot
gets a fresh network namespace, as a real machine loses all run-time state, and a power-off ends it.
"""

from __future__ import annotations

import contextlib
import json
import os
import pty
import selectors
import signal
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any, Self

from ciliumlab.errors import LabError, Problem
from ciliumlab.machines import cgroups
from ciliumlab.machines.programs import find, run

# What nspawn with --keep-unit exits with when the container asks for a reboot
# (EXIT_FORCE_RESTART in systemd's src/basic/exit-status.h).
_REBOOT = 133
_NAT_ADDRESS = "10.0.2.15"  # the first that libslirp's DHCP gives out, as QEMU's does


@dataclass(frozen=True)
class Cable:
    """An interface of the machine, its other end in the segments' namespace, and the bridge there."""

    interface: str
    port: str
    bridge: str


@dataclass(frozen=True)
class Spec:
    """All that the supervisor has to know; paths are absolute."""

    name: str
    folder: str
    tree: str
    credential: str
    namespace: str
    segments: str
    cables: list[Cable]
    ssh_host: str
    ssh_port: int
    console: str
    nat: str

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Self:
        return cls(**{**data, "cables": [Cable(**cable) for cable in data["cables"]]})


class Supervisor:
    def __init__(self, spec: Spec) -> None:
        self._spec = spec
        self._folder = Path(spec.folder)
        self._container: subprocess.Popen[bytes] | None = None
        self._stopping = False

    def run(self) -> None:
        """Switch the machine on and return when it is off."""
        (self._folder / "supervisor.pid").write_text(str(os.getpid()))
        cgroups.enter(self._spec.namespace)
        self._mount_root()
        Path(self._spec.console).unlink(missing_ok=True)
        with socket.socket(socket.AF_UNIX) as console:
            console.bind(self._spec.console)
            Path(self._spec.console).chmod(0o600)
            signal.signal(signal.SIGTERM, self._stop)
            try:
                while self._run_once(console) == _REBOOT and not self._stopping:
                    pass
            finally:
                Path(self._spec.console).unlink(missing_ok=True)

    def _stop(self, _signal: int, _frame: FrameType | None) -> None:
        self._stopping = True
        if self._container is not None:
            self._container.terminate()  # nspawn turns it into a shutdown of the container

    def _mount_root(self) -> None:
        for name in ("upper", "work", "root"):
            (self._folder / name).mkdir(exist_ok=True)
        layers = f"lowerdir={self._spec.tree},upperdir={self._folder}/upper,workdir={self._folder}/work"
        run(
            ["mount", "-t", "overlay", "overlay", "-o", layers, self._folder / "root"],
            what=f"{self._spec.name}: mounting its root",
        )

    def _run_once(self, console: socket.socket) -> int:
        """From power-on to power-off or reboot; returns nspawn's exit status."""
        nat = self._connect()
        terminal, container_end = pty.openpty()
        try:
            self._container = subprocess.Popen(
                self._nspawn(),
                stdin=container_end,
                stdout=container_end,
                stderr=container_end,
                start_new_session=True,
                env={
                    **os.environ,
                    "TERM": "vt220",
                    "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1",  # a current systemd boots with nothing else
                    "SYSTEMD_NSPAWN_API_VFS_WRITABLE": "network",  # net.* sysctls are the namespace's own
                    "SYSTEMD_SECCOMP": "0",  # a kubelet and an eBPF datapath need bpf(), keyctl() …
                },
            )
            os.close(container_end)
            console.listen()
            self._relay(terminal, console)
            return self._container.wait()
        finally:
            os.close(terminal)
            nat.terminate()
            nat.wait()
            self._disconnect()

    def _nspawn(self) -> list[str]:
        spec = self._spec
        return [
            *("setpriv", "--pdeathsig", "KILL", find("systemd-nspawn") or "systemd-nspawn"),
            *("--quiet", "--boot", f"--directory={self._folder}/root", f"--machine={spec.name}"),
            *("--register=no", "--keep-unit", "--capability=all", "--console=interactive"),
            f"--network-namespace-path=/run/netns/{spec.namespace}",
            f"--load-credential=tmpfiles.extra:{spec.credential}",
            *("--resolv-conf=off", "--timezone=off", "--link-journal=no"),  # the image's own, as on a guest
        ]

    # Network -----------------------------------------------------------------------------------------

    def _connect(self) -> subprocess.Popen[bytes]:
        """A fresh network namespace, its cables plugged in, and the NAT side; returns the NAT's process."""
        spec = self._spec
        self._disconnect()
        what = f"{spec.name}: connecting it"
        run(["ip", "netns", "add", spec.namespace], what=what)
        run(["ip", "-n", spec.namespace, "link", "set", "lo", "up"], what=what)
        for cable in spec.cables:
            run(
                [
                    *("ip", "link", "add", "name", cable.interface, "netns", spec.namespace),
                    *("type", "veth", "peer", "name", cable.port, "netns", spec.segments),
                ],
                what=what,
            )
            run(
                ["ip", "-n", spec.segments, "link", "set", cable.port, "master", cable.bridge, "up"],
                what=what,
            )
        return self._start_nat()

    def _disconnect(self) -> None:
        if Path("/run/netns", self._spec.namespace).exists():
            run(["ip", "netns", "delete", self._spec.namespace], what=f"{self._spec.name}: disconnecting it")
        for cable in self._spec.cables:  # an end that a killed supervisor left goes with its peer
            subprocess.run(
                ["ip", "-n", self._spec.segments, "link", "delete", cable.port], capture_output=True
            )

    def _start_nat(self) -> subprocess.Popen[bytes]:
        spec = self._spec
        Path(spec.nat).unlink(missing_ok=True)
        ready, tell = os.pipe()
        nat = subprocess.Popen(
            [
                *("setpriv", "--pdeathsig", "KILL", find("slirp4netns") or "slirp4netns"),
                *("--netns-type=path", "--mtu=1500", f"--api-socket={spec.nat}", f"--ready-fd={tell}"),
                *(f"/run/netns/{spec.namespace}", "eth0"),
            ],
            stdin=subprocess.DEVNULL,
            pass_fds=[tell],
        )
        os.close(tell)
        with os.fdopen(ready, "rb") as pipe:
            if not pipe.read(1):
                raise LabError(Problem(spec.name, "slirp4netns ended before eth0 was there"))
        deadline = time.monotonic() + 5
        with socket.socket(socket.AF_UNIX) as api:
            while api.connect_ex(spec.nat) != 0:  # the API's socket follows eth0 a moment later
                if time.monotonic() > deadline:
                    raise LabError(Problem(spec.name, "slirp4netns does not answer"))
                time.sleep(0.02)
            forward = {
                "proto": "tcp",
                "host_addr": spec.ssh_host,
                "host_port": spec.ssh_port,
                "guest_addr": _NAT_ADDRESS,
                "guest_port": 22,
            }
            api.sendall(json.dumps({"execute": "add_hostfwd", "arguments": forward}).encode())
            api.shutdown(socket.SHUT_WR)
            answer = json.loads(api.recv(4096))
        if "error" in answer:
            raise LabError(
                Problem(spec.name, f"SSH port {spec.ssh_port} cannot be forwarded: {answer['error']['desc']}")
            )
        return nat

    # Console -----------------------------------------------------------------------------------------

    def _relay(self, terminal: int, console: socket.socket) -> None:
        """Copy between the container's terminal, its log and whoever is connected, until it ends."""
        clients: list[socket.socket] = []
        with (
            selectors.DefaultSelector() as selector,
            (self._folder / "console.log").open("ab", buffering=0) as log,
        ):
            selector.register(terminal, selectors.EVENT_READ)
            selector.register(console, selectors.EVENT_READ)
            while True:
                for key, _ in selector.select():
                    if key.fileobj is console:
                        client = console.accept()[0]
                        clients.append(client)
                        selector.register(client, selectors.EVENT_READ)
                    elif key.fileobj == terminal:
                        try:
                            output = os.read(terminal, 65536)
                        except OSError:  # EIO: the last of the container has closed its side
                            output = b""
                        if not output:
                            for client in clients:
                                client.close()
                            return
                        log.write(output)
                        for client in clients:
                            _send(client, output)
                    else:
                        client = next(c for c in clients if c is key.fileobj)
                        typed = _receive(client)
                        if typed:
                            os.write(terminal, typed)
                        else:
                            selector.unregister(client)
                            clients.remove(client)
                            client.close()


def _send(client: socket.socket, output: bytes) -> None:
    # One that has gone is told by its next read; one that is too slow misses something.
    with contextlib.suppress(OSError):
        client.sendall(output, socket.MSG_DONTWAIT)


def _receive(client: socket.socket) -> bytes:
    try:
        return client.recv(4096)
    except OSError:
        return b""


def main() -> None:
    spec = Spec.from_json(json.loads(Path(sys.argv[1]).read_text()))
    try:
        Supervisor(spec).run()
    except LabError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
