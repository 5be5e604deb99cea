"""root's kubeconfig as the real kubectl merges it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from ciliumlab.facts.kubeconfig import Kubeconfig, KubeconfigState
from tests.unit.real import program

from .harness import Host, run
from .machine import Machine

CONTEXT = {"context": "HomeLab"}


def kubeconfig(server: str, name: str, context: str, current: str = "") -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": server, "certificate-authority-data": "Q0E="}}],
        "users": [{"name": f"{name}-admin", "user": {"client-key-data": "S0VZ"}}],
        "contexts": [{"name": context, "context": {"cluster": name, "user": f"{name}-admin"}}],
        "current-context": current,
    }


ADMIN = kubeconfig(
    "https://192.168.10.100:6443", "kubernetes", "kubernetes-admin@kubernetes", "kubernetes-admin@kubernetes"
)


class Home(Machine):
    """A control-plane node, with the real kubectl."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "/root/.kube", "/etc/kubernetes")
        self.config = self.at("/root/.kube/config")
        self.admin = self.at("/etc/kubernetes/admin.conf")
        self.admin.parent.mkdir(parents=True)
        self.at("/tmp").mkdir()
        self.admin.write_text(yaml.safe_dump(ADMIN))
        self.at("/bin/kubectl").symlink_to(program("kubectl"))
        self.environment |= {"HOME": str(root), "TMPDIR": f"{root}/tmp"}

    def fact(self) -> KubeconfigState:
        found: KubeconfigState = self.read(Kubeconfig(), **CONTEXT)
        return found

    def deploy(self, operation: str = "kubeconfig.present") -> int:
        """The number of changes, each of which is made."""
        commands = run(operation, Host({"Kubeconfig": self.fact()}), CONTEXT)
        for command in commands:
            result = self.shell(str(command))
            assert result.returncode == 0, result.stderr
        assert list((self.root / "tmp").iterdir()) == []
        return len(commands)

    def held(self) -> dict[str, Any]:
        found: dict[str, Any] = yaml.safe_load(self.config.read_text())
        return found

    def write(self, config: dict[str, Any]) -> None:
        self.config.parent.mkdir(parents=True, exist_ok=True)
        self.config.write_text(yaml.safe_dump(config))
        self.config.chmod(0o600)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


def named(config: dict[str, Any], kind: str) -> list[str]:
    return sorted(one["name"] for one in config[kind] or [])


def test_the_first_one(home: Home) -> None:
    assert home.fact()["contexts"] == []
    assert home.deploy() == 1
    config = home.held()
    assert (named(config, "contexts"), config["current-context"]) == (["HomeLab"], "HomeLab")
    assert config["users"] == ADMIN["users"]
    assert config["clusters"] == ADMIN["clusters"]
    assert home.config.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.config.parent.iterdir()] == ["config"]
    assert home.deploy() == 0


def test_another_cluster_and_the_context_that_somebody_chose_stay(home: Home) -> None:
    home.write(kubeconfig("https://work.example.org", "work", "work", "work"))
    assert home.deploy() == 1
    config = home.held()
    assert named(config, "contexts") == ["HomeLab", "work"]
    assert named(config, "clusters") == ["kubernetes", "work"]
    assert config["current-context"] == "work"
    assert home.deploy() == 0


def test_without_a_chosen_context_the_lab_is_the_current_one(home: Home) -> None:
    home.write(kubeconfig("https://work.example.org", "work", "work"))
    home.deploy()
    assert home.held()["current-context"] == "HomeLab"
    assert home.deploy() == 0


def test_a_cluster_that_was_made_anew_replaces_the_former_one(home: Home) -> None:
    home.deploy()
    home.admin.write_text(home.admin.read_text().replace("S0VZ", "TkVX"))
    assert home.deploy() == 1
    assert home.held()["users"][0]["user"] == {"client-key-data": "TkVX"}
    assert home.deploy() == 0


def test_a_mode_that_others_can_read_is_mended(home: Home) -> None:
    home.deploy()
    home.config.chmod(0o644)
    assert home.deploy() == 1
    assert home.config.stat().st_mode & 0o777 == 0o600


def test_a_file_that_is_no_kubeconfig_is_left_as_it_is(home: Home) -> None:
    home.config.parent.mkdir(parents=True)
    home.config.write_text("{ not yaml\n")
    (command,) = run("kubeconfig.present", Host({"Kubeconfig": home.fact()}), CONTEXT)
    assert home.shell(str(command)).returncode != 0
    assert home.config.read_text() == "{ not yaml\n"


def test_without_kubeadms_administrator_the_step_says_so_and_nothing_is_written(home: Home) -> None:
    home.admin.unlink()
    (command,) = run("kubeconfig.present", Host({"Kubeconfig": home.fact()}), CONTEXT)
    result = home.shell(str(command))
    assert result.returncode != 0
    assert "admin.conf" in result.stderr
    assert not home.config.exists()


def test_what_is_taken_away_is_the_labs_alone(home: Home) -> None:
    home.write(kubeconfig("https://work.example.org", "work", "work", "work"))
    home.deploy()
    assert home.deploy("kubeconfig.absent") == 1
    config = home.held()
    assert (named(config, "contexts"), named(config, "clusters"), named(config, "users")) == (
        ["work"],
        ["work"],
        ["work-admin"],
    )
    assert config["current-context"] == "work"
    assert home.deploy("kubeconfig.absent") == 0


def test_the_current_context_goes_with_the_lab(home: Home) -> None:
    home.deploy()
    assert home.deploy("kubeconfig.absent") == 1
    assert home.held()["current-context"] == ""
    assert home.deploy("kubeconfig.absent") == 0


def test_a_secret_is_in_nothing_that_is_printed(home: Home) -> None:
    fact = Kubeconfig()
    printed = home.shell(fact.command(**CONTEXT))
    (command,) = run("kubeconfig.present", Host({"Kubeconfig": home.fact()}), CONTEXT)
    made = home.shell(str(command))
    assert "S0VZ" not in printed.stdout + printed.stderr + made.stdout + made.stderr + str(command)
