"""Who a machine is before anything is deployed: its name, its SSH host key, who may log in.

The controller makes the keys and hands them to the machine on its first boot, so the very first SSH
connection is already checked: nothing is trusted on first use.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import yaml

from ciliumlab.machines.programs import run
from ciliumlab.state import State
from ciliumlab.topology import Machine


def _keypair(path: Path, comment: str) -> None:
    """An ed25519 key at ``path``, made once; both halves appear together or not at all."""
    if path.exists() and path.with_suffix(".pub").exists():
        return
    scratch = path.with_name(f".{path.name}-new")
    for leftover in (scratch, scratch.with_suffix(".pub")):
        leftover.unlink(missing_ok=True)
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", scratch], what="SSH key")
    scratch.with_suffix(".pub").rename(path.with_suffix(".pub"))
    scratch.rename(path)


def _host_key(state: State, machine: Machine) -> Path:
    return state.machine(machine.name) / "ssh_host_ed25519_key"


def prepare(state: State, machines: Sequence[Machine]) -> None:
    """Make the lab's key and each machine's host key, and pin them all in known_hosts."""
    _keypair(state.key, "ciliumlab")
    pins = []
    for machine in machines:
        state.machine(machine.name).mkdir(mode=0o700, exist_ok=True)
        _keypair(_host_key(state, machine), machine.name)
        public = _host_key(state, machine).with_suffix(".pub").read_text().split()
        pins.append(f"[{machine.ssh_host}]:{machine.ssh_port} {public[0]} {public[1]}\n")
    scratch = state.known_hosts.with_name(".known_hosts.new")
    scratch.write_text("".join(pins))
    scratch.rename(state.known_hosts)


def ssh_command(state: State, machine: Machine, options: Sequence[str] = ()) -> list[str]:
    """The command line of an SSH session on the machine, ready for a remote command to be appended."""
    own = ["-i", str(state.key), "-o", "IdentitiesOnly=yes"] if machine.ssh_key is None else []
    if machine.ssh_key is not None:
        own = ["-i", str(Path(machine.ssh_key).expanduser()), "-o", "IdentitiesOnly=yes"]
    elif not state.key.exists():
        own = []
    pinned = (
        ["-o", f"UserKnownHostsFile={state.known_hosts}", "-o", "StrictHostKeyChecking=yes"]
        if machine.ssh_host == "127.0.0.1" and state.known_hosts.exists()
        else []
    )
    return [
        *("ssh", *own, *pinned, "-o", "LogLevel=ERROR", *options),
        *("-p", str(machine.ssh_port), f"{machine.ssh_user}@{machine.ssh_host}"),
    ]


def make_known_hosts() -> None:
    """Have the user's file in which hosts are noted that nobody has made known before, as ssh(1) makes it.

    pyinfra notes them there too, and cannot connect where there is none.
    """
    file = Path("~/.ssh/known_hosts").expanduser()
    with suppress(OSError):  # what is wrong with it is said by whoever needs it
        file.parent.mkdir(mode=0o700, exist_ok=True)
        file.touch(mode=0o600)


def _files(state: State, machine: Machine) -> dict[str, tuple[int, bytes]]:
    """Path -> (mode, content) of what makes the machine itself, all of root's."""
    key = _host_key(state, machine)
    return {
        "/etc/hostname": (0o644, f"{machine.name}\n".encode()),
        "/etc/ssh/ssh_host_ed25519_key": (0o600, key.read_bytes()),
        "/etc/ssh/ssh_host_ed25519_key.pub": (0o644, key.with_suffix(".pub").read_bytes()),
    }


def credential(state: State, machine: Machine) -> Path:
    """Write the identity as systemd's ``tmpfiles.extra`` credential and return its file.

    A QEMU guest reads it from fw_cfg, a container from nspawn; systemd-tmpfiles then makes the files
    before sshd starts. A file, not an argument: it holds the private host key, and arguments can be
    seen by everyone in the process list.
    Source: systemd.system-credentials(7), tmpfiles.d(5).
    """
    lines = []
    for path, (mode, content) in _files(state, machine).items():
        lines.append(f"f~ {path} {mode:04o} root root - {base64.b64encode(content).decode()}")
    home, user = f"/home/{machine.ssh_user}", machine.ssh_user
    authorized = base64.b64encode(state.key.with_suffix(".pub").read_bytes()).decode()
    lines += [
        f"d {home}/.ssh 0700 {user} {user} -",
        f"f~ {home}/.ssh/authorized_keys 0600 {user} {user} - {authorized}",
    ]
    return _write_private(state.machine(machine.name) / "tmpfiles.extra", "\n".join(lines) + "\n")


def cloud_init_seed(state: State, machine: Machine) -> Path:
    """Write the identity as a cloud-init NoCloud seed folder (``user-data``, ``meta-data``).

    Source: https://docs.cloud-init.io/en/latest/reference/datasources/nocloud.html
    """
    seed = state.machine(machine.name) / "seed"
    seed.mkdir(mode=0o700, exist_ok=True)
    files = _files(state, machine)
    user_data = {
        "hostname": machine.name,
        "manage_etc_hosts": False,
        "users": [
            {
                "name": machine.ssh_user,
                "shell": "/bin/bash",
                "lock_passwd": True,
                "sudo": "ALL=(ALL) NOPASSWD:ALL",
                "ssh_authorized_keys": [state.key.with_suffix(".pub").read_text().strip()],
            }
        ],
        "ssh_pwauth": False,
        "ssh_keys": {
            "ed25519_private": files["/etc/ssh/ssh_host_ed25519_key"][1].decode(),
            "ed25519_public": files["/etc/ssh/ssh_host_ed25519_key.pub"][1].decode(),
        },
    }
    # The NAT side alone; the lab side is the network stage's.
    network = {"version": 2, "ethernets": {"eth0": {"dhcp4": True}}}
    _write_private(seed / "user-data", "#cloud-config\n" + yaml.safe_dump(user_data, sort_keys=False))
    _write_private(seed / "meta-data", yaml.safe_dump({"instance-id": f"{state.lab_id}-{machine.name}"}))
    _write_private(seed / "network-config", yaml.safe_dump(network))
    return seed


def _write_private(path: Path, content: str) -> Path:
    path.unlink(missing_ok=True)
    path.touch(mode=0o600, exist_ok=False)
    path.write_text(content)
    return path
