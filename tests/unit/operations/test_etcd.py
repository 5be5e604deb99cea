"""etcd saved and brought back, by a real shell with programs that stand in for etcd's; cut anywhere."""

from __future__ import annotations

from pathlib import Path

import pytest

from ciliumlab.facts.etcd import Etcd, EtcdState

from . import machine as machines
from .harness import Host, run

# etcd.yaml as kubeadm 1.33 writes it, shortened.
MANIFEST = """\
apiVersion: v1
kind: Pod
metadata:
  annotations:
    kubeadm.kubernetes.io/etcd.advertise-client-urls: https://192.168.10.100:2379
  name: etcd
spec:
  containers:
  - command:
    - etcd
    - --advertise-client-urls=https://192.168.10.100:2379
    - --data-dir=/var/lib/etcd
    - --experimental-initial-corrupt-check=true
    - --initial-advertise-peer-urls=https://192.168.10.100:2380
    - --initial-cluster=k8s-ctr=https://192.168.10.100:2380
    - --listen-client-urls=https://127.0.0.1:2379,https://192.168.10.100:2379
    - --name=k8s-ctr
    image: registry.k8s.io/etcd:3.5.21-0
"""
SNAPSHOT = "cilium-lab-20261123T083000Z.db"

PROGRAMS = {
    "sleep": ":",
    # No two runs are in the same second.
    "date": 'echo >> "$ROOT/seconds"; wc -l < "$ROOT/seconds"',
    # A static pod runs for as long as its manifest lies there.
    "pgrep": '[ -e "$ROOT/etc/kubernetes/manifests/etcd.yaml" ]',
    "kubectl": '[ -e "$ROOT/etc/kubernetes/manifests/etcd.yaml" ] && [ -d "$ROOT/var/lib/etcd/member" ]',
    "etcdutl": """case "$1 $2" in
"snapshot restore") [ -e "$3" ] && /bin/mkdir -p "$5/member" && cp "$3" "$5/member/db";;
"snapshot status") grep -q whole "$3";; esac""",
    "etcdctl": 'for path; do :; done; cp "$ROOT/now" "$path"',
}
# What changes something: when its turn comes, the shell that runs it dies, before or after it is done.
CHANGING = ("mkdir", "mv", "rm", "rmdir", "etcdutl")
CUT = """echo >> "$ROOT/changes"
[ "$(wc -l < "$ROOT/changes")" != "$BEFORE" ] || { kill -9 $PPID; exit 1; }
"""
THEN = """
status=$?
[ "$(wc -l < "$ROOT/changes")" != "$AFTER" ] || kill -9 $PPID
exit $status
"""


class Machine(machines.Machine):
    """A control-plane node."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, "/etc/kubernetes", "/var/lib", "/var/backups")
        self.manifests = self.at("/etc/kubernetes/manifests")
        self.data = self.at("/var/lib/etcd")
        self.snapshots = self.at("/var/backups/etcd")
        for folder in (self.manifests, self.data / "member", self.snapshots):
            folder.mkdir(parents=True)
        (self.manifests / "etcd.yaml").write_text(MANIFEST)
        for pod in ("kube-apiserver", "kube-controller-manager", "kube-scheduler"):
            (self.manifests / f"{pod}.yaml").write_text("kind: Pod\n")
        (self.data / "member/db").write_text("what etcd holds now\n")
        (self.snapshots / SNAPSHOT).write_text("whole snapshot\n")
        for name in {*PROGRAMS, *CHANGING}:
            body = PROGRAMS.get(name) or f'PATH=${{PATH#*:}} {name} "$@"'
            if name in CHANGING:
                body = CUT + body + THEN
            self.program(name, body)

    def fact(self) -> EtcdState:
        found: EtcdState = self.read(Etcd())
        return found

    def restore(self, **cut: str) -> bool:
        """Whether it came to its end."""
        (self.root / "changes").unlink(missing_ok=True)
        commands = run("etcd.restored", Host({"Etcd": self.fact()}), {"snapshot": SNAPSHOT})
        return all(self.shell(str(command), **cut).returncode == 0 for command in commands)

    def changes(self) -> int:
        return len((self.root / "changes").read_text().splitlines())

    def assert_restored(self) -> None:
        assert (self.data / "member/db").read_text() == "whole snapshot\n"
        assert sorted(path.stem for path in self.manifests.iterdir()) == [
            *("etcd", "kube-apiserver", "kube-controller-manager", "kube-scheduler"),
        ]
        assert not (self.root / "etc/kubernetes/manifests.stopped").exists()
        kept = [path.read_text() for path in self.data.parent.glob("etcd.before-*/member/db")]
        assert kept.count("what etcd holds now\n") == 1
        assert not (self.data.parent / "etcd.restored").exists()


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_kubeadms_manifest_is_read(machine: Machine) -> None:
    found = machine.fact()
    assert found["snapshots"] == [SNAPSHOT]
    assert found["flags"] == {
        "advertise-client-urls": "https://192.168.10.100:2379",
        "data-dir": "/var/lib/etcd",
        "experimental-initial-corrupt-check": "true",
        "initial-advertise-peer-urls": "https://192.168.10.100:2380",
        "initial-cluster": "k8s-ctr=https://192.168.10.100:2380",
        "listen-client-urls": "https://127.0.0.1:2379,https://192.168.10.100:2379",
        "name": "k8s-ctr",
    }


def test_a_snapshot_is_brought_back_and_what_was_there_is_kept(machine: Machine) -> None:
    assert machine.restore()
    machine.assert_restored()
    # The cuts below are at every one of these.
    assert machine.changes() == CHANGES


CHANGES = 8


@pytest.mark.parametrize("moment", ["BEFORE", "AFTER"])
@pytest.mark.parametrize("change", range(1, CHANGES + 1))
def test_cut_anywhere_it_comes_to_its_end_when_it_is_run_again(
    machine: Machine, change: int, moment: str
) -> None:
    assert not machine.restore(**{moment: str(change)})
    assert machine.changes() == change
    assert machine.restore()
    machine.assert_restored()


def test_a_snapshot_that_cannot_be_read_leaves_the_cluster_alone(machine: Machine) -> None:
    commands = run("etcd.restored", Host({"Etcd": machine.fact()}), {"snapshot": SNAPSHOT})
    (machine.snapshots / SNAPSHOT).unlink()
    assert machine.shell(str(commands[0])).returncode != 0
    assert (machine.data / "member/db").read_text() == "what etcd holds now\n"
    assert len(list(machine.manifests.iterdir())) == 4


def test_etcd_that_does_not_stop_is_an_error(machine: Machine) -> None:
    machine.program("pgrep", "exit 0")
    _, stop, *_ = run("etcd.restored", Host({"Etcd": machine.fact()}), {"snapshot": SNAPSHOT})
    result = machine.shell(str(stop))
    assert (result.returncode, result.stderr) == (1, "etcd or the API server does not stop\n")


def test_an_api_server_that_does_not_come_back_is_an_error_in_its_own_words(machine: Machine) -> None:
    machine.program("kubectl", 'echo "connection refused: $*" >&2; exit 1')
    *_, wait = run("etcd.restored", Host({"Etcd": machine.fact()}), {"snapshot": SNAPSHOT})
    result = machine.shell(str(wait))
    assert result.returncode == 1
    assert result.stderr.startswith("connection refused: ")
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(("holds", "kept"), [("whole\n", 1), ("torn\n", 0)])
def test_a_snapshot_counts_when_it_has_been_checked(machine: Machine, holds: str, kept: int) -> None:
    (machine.root / "now").write_text(holds)
    (machine.snapshots / SNAPSHOT).unlink()
    (command,) = run("etcd.saved", Host({"Etcd": machine.fact()}), {"label": "lab"})
    assert (machine.shell(str(command)).returncode == 0) == bool(kept)
    snapshots = list(machine.snapshots.iterdir())
    assert len(snapshots) == kept
    assert all(path.suffix == ".db" for path in snapshots)
