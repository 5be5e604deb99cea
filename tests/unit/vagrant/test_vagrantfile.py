"""The Vagrantfile: what Ruby makes of it is the topology, and real Vagrant takes it."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from ciliumlab.cli import main
from ciliumlab.topology import Topology, load

ROOT = Path(__file__).parents[3]
TOPOLOGIES = Path(__file__).parents[1] / "topologies" / "valid"
DOUBLE = Path(__file__).with_name("double.rb")

# What the box can be: Vagrant's machines on this host, with its own names for cards.
MADE_HERE = [path for path in sorted(TOPOLOGIES.glob("*.yaml")) if path.stem != "direct-machines"]


@pytest.fixture(autouse=True)
def own_state(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("CILIUMLAB_STATE", "CILIUMLAB_TOPOLOGY"):
        monkeypatch.delenv(name, raising=False)


def vagrantfile(topology: Path) -> Result:
    return CliRunner().invoke(main, ["vagrantfile", "--topology", str(topology)])


def written(topology: Path, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The Vagrantfile of a lab in a folder of its own, as a user would make it there."""
    (folder / "inventory").mkdir()
    shutil.copy(topology, folder / "inventory" / "lab.yaml")
    monkeypatch.chdir(folder)
    result = vagrantfile(Path("inventory/lab.yaml"))
    assert result.exit_code == 0, result.output
    path = folder / "Vagrantfile"
    path.write_text(result.stdout)
    return path


def evaluated(vagrantfile: Path) -> dict[str, dict[str, Any]]:
    """What each machine, and "" for all of them, was configured with."""
    if not (ruby := shutil.which("ruby")):
        pytest.skip("ruby is not installed")
    run = subprocess.run([ruby, "-w", DOUBLE, vagrantfile], capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    found: dict[str, dict[str, Any]] = json.loads(run.stdout)
    return found


def test_the_committed_one_is_the_default_labs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    result = vagrantfile(Path("inventory/lab.yaml"))
    assert (ROOT / "Vagrantfile").read_text() == result.stdout, "run: ciliumlab vagrantfile > Vagrantfile"


def test_the_reference_lab_is_what_it_always_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Literal: nothing is computed here."""
    found = evaluated(written(ROOT / "inventory" / "lab.yaml", tmp_path, monkeypatch))
    assert found[""]["vm.box"] == "bento/ubuntu-24.04"
    assert found[""]["vm.synced_folder"] == [[".", "/vagrant", {"disabled": True}]]
    router = found["router"]
    assert router["vm.hostname"] == router["virtualbox.name"] == "router"
    ssh, eth1, eth2 = (options for _, options in router["vm.network"])
    assert (ssh["id"], ssh["guest"], ssh["host_ip"], ssh["host"]) == ("ssh", 22, "127.0.0.1", 60009)
    assert (eth1["ip"], eth1["virtualbox__intnet"]) == ("192.168.10.200", "cilium-lab-net10")
    assert (eth2["ip"], eth2["libvirt__network_name"]) == ("192.168.20.200", "cilium-lab-net20")
    assert router["virtualbox.customize"] == [
        [["modifyvm", "id", "--groups", "/cilium-lab"]],
        [["modifyvm", "id", "--nicpromisc2", "allow-all"]],
        [["modifyvm", "id", "--nicpromisc3", "allow-all"]],
    ]
    ports = {name: settings["vm.network"][0][1]["host"] for name, settings in found.items() if name}
    assert ports == {"k8s-ctr": 60000, "k8s-w1": 60001, "k8s-w0": 60010, "router": 60009}


def _check_machines(found: dict[str, dict[str, Any]], topology: Topology, folder: Path) -> None:
    assert [name for name in found if name] == [machine.name for machine in topology.machines]
    for machine in topology.machines:
        settings = found[machine.name]
        for provider in ("virtualbox", "libvirt"):
            assert settings[f"{provider}.cpus"] == machine.cpus
            assert settings[f"{provider}.memory"] == machine.memory_mib
        (forwarded, ssh), *cards = settings["vm.network"]
        assert forwarded == "forwarded_port"
        assert (ssh["host_ip"], ssh["host"]) == (machine.ssh_host, machine.ssh_port)
        # In the order in which the box numbers them.
        in_order = sorted(machine.interfaces, key=lambda interface: interface.name)
        for (kind, options), interface in zip(cards, in_order, strict=True):
            network = f"{topology.name}-{interface.segment.name}"
            assert (kind, options["ip"]) == ("private_network", str(interface.address))
            assert options["virtualbox__intnet"] == options["libvirt__network_name"] == network
            assert options["libvirt__forward_mode"] == "veryisolated"
            assert options["libvirt__dhcp_enabled"] is options["auto_config"] is False
        promiscuous = [["modifyvm", "id", f"--nicpromisc{n + 2}", "allow-all"] for n in range(len(cards))]
        assert [call for [call] in settings["virtualbox.customize"]][1:] == promiscuous
        # No shell: the only thing that is put there is a key.
        [[provisioner, options]] = settings["vm.provision"]
        assert provisioner == "file"
        assert options["destination"] == "~/.ssh/authorized_keys2"
        assert Path(options["source"]) == folder / ".lab" / "id_ed25519.pub"


@pytest.mark.parametrize("topology", MADE_HERE, ids=lambda path: path.stem)
def test_ruby_makes_the_topology_of_it(
    topology: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = evaluated(written(topology, tmp_path, monkeypatch))
    _check_machines(found, load(topology), tmp_path)


def test_the_key_is_made_once_and_the_inventory_takes_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = written(ROOT / "inventory" / "lab.yaml", tmp_path, monkeypatch)
    found = evaluated(path)
    key = tmp_path / ".lab" / "id_ed25519"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(key.parent.stat().st_mode) == 0o700
    before = key.read_bytes()
    evaluated(path)
    assert key.read_bytes() == before

    environment = os.environ | {"CILIUMLAB_TOPOLOGY": str(tmp_path / "inventory" / "lab.yaml")}
    run = subprocess.run(
        [sys.executable, "-m", "pyinfra", "inventory/lab.py", "debug-inventory", "--json"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    hosts = {host["name"]: host["data"] for host in json.loads(run.stdout)}
    assert set(hosts) == {name for name in found if name}
    for name, data in hosts.items():
        forwarded = found[name]["vm.network"][0][1]
        assert (data["ssh_hostname"], data["ssh_port"]) == (forwarded["host_ip"], forwarded["host"])
        assert (data["ssh_user"], data["ssh_key"]) == ("vagrant", str(key))
        assert f"{data['ssh_key']}.pub" == found[name]["vm.provision"][0][1]["source"]
        # These host keys nobody knows before the first connection.
        assert "ssh_known_hosts_file" not in data


def test_a_key_of_ones_own_is_taken_instead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    topology = tmp_path / "own.yaml"
    own = "{role: control-plane, ssh_key: '~/.ssh/it''s #{mine}', "
    topology.write_text((TOPOLOGIES / "one-node.yaml").read_text().replace("{role: control-plane, ", own))
    found = evaluated(written(topology, tmp_path, monkeypatch))
    node, router = load(topology).machines
    assert found[node.name]["vm.provision"][0][1]["source"] == str(
        Path("~/.ssh/it's #{mine}.pub").expanduser()
    )
    assert found[router.name]["vm.provision"][0][1]["source"] == str(tmp_path / ".lab" / "id_ed25519.pub")


class TestWhatTheBoxIsNot:
    def refusals(self, text: str, tmp_path: Path) -> list[str]:
        path = tmp_path / "lab.yaml"
        path.write_text(text)
        result = vagrantfile(path)
        assert (result.exit_code, result.stdout) == (2, "")
        return [line.removeprefix(f"{path}: ") for line in result.stderr.splitlines()]

    def test_all_is_told_at_once(self, tmp_path: Path) -> None:
        text = (ROOT / "inventory" / "lab.yaml").read_text()
        text = text.replace("{role: worker, segment: net20", "{role: worker, ssh_user: ops, segment: net20")
        text = text.replace("eth2: {segment: net20", "ens7: {segment: net20")
        assert self.refusals(text, tmp_path) == [
            "k8s-w0: ssh_user is ops, and the box bento/ubuntu-24.04 knows vagrant alone; leave ssh_user out",
            "router: has eth1 and ens7, and the box bento/ubuntu-24.04 calls its cards eth1 and eth2;"
            " name them so",
        ]

    def test_machines_that_are_there_already(self, tmp_path: Path) -> None:
        text = (TOPOLOGIES / "direct-machines.yaml").read_text()
        assert self.refusals(text, tmp_path) == [
            "every machine is reached directly (ssh_host); Vagrant has none to make"
        ]


# Says that VirtualBox is there, which is all that Vagrant asks before it looks at a configuration.
VBOXMANAGE = '#!/bin/sh\n[ "$1" = --version ] && echo 7.0.20r163906\n'


@pytest.mark.parametrize("provider", ["virtualbox", "libvirt"])
def test_real_vagrant_takes_it(provider: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if not (vagrant := shutil.which("vagrant")):
        pytest.skip("vagrant is not installed")
    path = written(ROOT / "inventory" / "lab.yaml", tmp_path, monkeypatch)
    double = tmp_path / "bin" / "VBoxManage"
    double.parent.mkdir()
    double.write_text(VBOXMANAGE)
    double.chmod(0o755)
    environment = os.environ | {
        "VAGRANT_HOME": str(tmp_path / "home"),
        "VAGRANT_DEFAULT_PROVIDER": provider,
        "PATH": f"{double.parent}:{os.environ['PATH']}",
    }

    def validate() -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [vagrant, "validate"], cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    run = validate()
    if f"The provider '{provider}' could not be found" in run.stderr:
        pytest.skip(f"Vagrant's plugin for {provider} is not installed")
    assert run.returncode == 0, run.stderr
    assert run.stdout == "Vagrantfile validated successfully.\n"
    # And it would say what it does not know.
    name = {"virtualbox": "vb", "libvirt": "libvirt"}[provider]
    path.write_text(path.read_text().replace(f"{name}.memory =", f"{name}.memorie ="))
    run = validate()
    assert run.returncode != 0
    assert "memorie" in run.stderr
