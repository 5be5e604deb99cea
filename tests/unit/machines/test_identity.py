"""Who a machine is: keys, pins, and the two ways of handing them over."""

import base64
import stat
from pathlib import Path

import pytest
import yaml

from ciliumlab.machines import identity
from ciliumlab.state import State
from ciliumlab.topology import Machine, load

TOPOLOGY = Path(__file__).parents[3] / "inventory" / "lab.yaml"


@pytest.fixture
def machines() -> tuple[Machine, ...]:
    return load(TOPOLOGY).machines


@pytest.fixture
def state(tmp_path: Path, machines: tuple[Machine, ...]) -> State:
    state = State(tmp_path / ".lab")
    state.create()
    identity.prepare(state, machines)
    return state


def test_every_machine_is_pinned_by_a_key_of_its_own(state: State, machines: tuple[Machine, ...]) -> None:
    pins = [line.split() for line in state.known_hosts.read_text().splitlines()]
    assert [pin[0] for pin in pins] == [f"[127.0.0.1]:{machine.ssh_port}" for machine in machines]
    assert {pin[1] for pin in pins} == {"ssh-ed25519"}
    assert len({pin[2] for pin in pins}) == len(machines)


def test_keys_are_made_once(state: State, machines: tuple[Machine, ...]) -> None:
    before = {path: path.read_bytes() for path in state.root.rglob("*ed25519*")}
    identity.prepare(state, machines)
    assert {path: path.read_bytes() for path in state.root.rglob("*ed25519*")} == before
    assert not list(state.root.rglob("*-new*"))


def test_no_private_file_can_be_read_by_others(state: State, machines: tuple[Machine, ...]) -> None:
    credential = identity.credential(state, machines[0])
    seed = identity.cloud_init_seed(state, machines[0])
    private = [credential, state.key, *seed.iterdir(), *state.root.rglob("ssh_host_ed25519_key")]
    assert {path for path in private if stat.S_IMODE(path.stat().st_mode) & 0o077} == set()
    assert stat.S_IMODE(state.root.stat().st_mode) == 0o700


def test_the_credential_makes_the_files_of_tmpfiles_d(state: State, machines: tuple[Machine, ...]) -> None:
    lines = [line.split(" ", 6) for line in identity.credential(state, machines[0]).read_text().splitlines()]
    files = {path: (mode, base64.b64decode(content)) for kind, path, mode, _, _, _, content in lines[:3]}
    assert files["/etc/hostname"] == ("0644", b"k8s-ctr\n")
    key = state.machine("k8s-ctr") / "ssh_host_ed25519_key"
    assert files["/etc/ssh/ssh_host_ed25519_key"] == ("0600", key.read_bytes())
    user, authorized = "vagrant", state.key.with_suffix(".pub").read_bytes()
    assert lines[3] == ["d", f"/home/{user}/.ssh", "0700", user, user, "-"]
    assert lines[4][:6] == ["f~", f"/home/{user}/.ssh/authorized_keys", "0600", user, user, "-"]
    assert base64.b64decode(lines[4][6]) == authorized


def test_the_cloud_init_seed_says_the_same(state: State, machines: tuple[Machine, ...]) -> None:
    seed = identity.cloud_init_seed(state, machines[0])
    text = (seed / "user-data").read_text()
    assert text.startswith("#cloud-config\n")
    data = yaml.safe_load(text)
    assert data["hostname"] == "k8s-ctr"
    assert data["ssh_pwauth"] is False
    key = state.machine("k8s-ctr") / "ssh_host_ed25519_key"
    assert data["ssh_keys"]["ed25519_private"] == key.read_text()
    [user] = data["users"]
    assert user["ssh_authorized_keys"] == [state.key.with_suffix(".pub").read_text().strip()]
    assert yaml.safe_load((seed / "network-config").read_text())["ethernets"] == {"eth0": {"dhcp4": True}}


def test_ssh_uses_the_labs_key_and_pins(state: State, machines: tuple[Machine, ...]) -> None:
    command = " ".join(identity.ssh_command(state, machines[0]))
    assert f"-i {state.key}" in command
    assert f"UserKnownHostsFile={state.known_hosts}" in command
    assert "StrictHostKeyChecking=yes" in command
    assert command.endswith("-p 60000 vagrant@127.0.0.1")
