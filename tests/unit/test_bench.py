"""The harness of `make bench`: what it makes of figures, and that it notices what is not as it should be."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from resource import RUSAGE_SELF, getrusage

import pytest
import yaml

from ciliumlab.topology import load
from tests.bench.inventories import for_ansible, hosts
from tests.bench.labs import declaration
from tests.bench.machines import ansible_changed_nothing, nothing_changed
from tests.bench.measure import Failed, Figure, Run, in_turn, ratio, run


def test_commands_take_turns() -> None:
    order: list[str] = []

    def one(name: str) -> float:
        order.append(name)
        return float(len(order))

    samples = in_turn(3, ours=lambda: one("ours"), other=lambda: one("other"))
    assert order == ["ours", "other"] * 3
    assert samples == {"ours": [1, 3, 5], "other": [2, 4, 6]}
    assert ratio(samples, "ours", "other") == 3 / 4


@pytest.mark.parametrize(("value", "limit", "met"), [(2.0, 2.0, True), (2.01, 2.0, False), (9.0, None, None)])
def test_a_limit_is_kept_or_not(value: float, limit: float | None, met: bool | None) -> None:
    figure = Figure("time", value, "s", limit)
    assert (figure.met, figure.as_json()["met"]) == (met, met)


def test_a_command_is_measured() -> None:
    script = "import sys, time; held = b'.' * 50_000_000; time.sleep(0.2); print(sys.stdin.read(), end='')"
    done = run([sys.executable, "-c", script], stdin="said")
    assert done.printed == "said"
    assert 0.2 < done.seconds < 20
    assert 0 < done.processor < done.seconds
    # No more than it holds, or than this process has: with the whole suite in it, that may be the most.
    own = getrusage(RUSAGE_SELF).ru_maxrss / 1024
    assert 48 < done.mebibytes < max(200, own + 1)


def test_a_command_that_fails_says_why() -> None:
    with pytest.raises(Failed, match=r"exit status 3(.|\n)*no such thing"):
        run([sys.executable, "-c", "import sys; print('no such thing', file=sys.stderr); sys.exit(3)"])


def _deploy(*changed: str) -> Run:
    operations = [{"name": "Names", "success": changed}]
    return Run(1, 1, 1, json.dumps({"results": {"operations": operations}}))


def test_a_run_that_changes_something_is_no_no_op() -> None:
    nothing_changed(_deploy())
    with pytest.raises(Failed, match=r"router.*Names"):
        nothing_changed(_deploy("router"))


_RECAP = """PLAY RECAP *****
k8s-ctr   : ok=29   changed={changed}    unreachable=0    failed=0    skipped=6    rescued=0    ignored=0
router    : ok=19   changed=0    unreachable=0    failed=0    skipped=2    rescued=0    ignored=0
"""


def test_ansible_s_recap_has_all_hosts_unchanged() -> None:
    ansible_changed_nothing(Run(1, 1, 1, _RECAP.format(changed=0)), ["k8s-ctr", "router"])
    with pytest.raises(Failed, match=r"k8s-ctr': \[1, 0, 0\]"):
        ansible_changed_nothing(Run(1, 1, 1, _RECAP.format(changed=1)), ["k8s-ctr", "router"])
    with pytest.raises(Failed):
        ansible_changed_nothing(Run(1, 1, 1, _RECAP.format(changed=0)), ["k8s-ctr", "router", "k8s-w1"])


@pytest.mark.parametrize(("nodes", "segments"), [(1, 1), (50, 1), (51, 2), (5000, 100)])
def test_labs_of_any_size_are_valid(tmp_path: Path, nodes: int, segments: int) -> None:
    (tmp_path / "lab.yaml").write_text(declaration(nodes))
    topology = load(tmp_path / "lab.yaml")
    assert (len(topology.nodes), len(topology.segments), len(topology.pools)) == (nodes, segments, segments)


def test_ansible_gets_the_lab_from_the_inventory(tmp_path: Path) -> None:
    for name in ("id_ed25519", "known_hosts"):
        (tmp_path / name).touch()
    state = {"CILIUMLAB_TOPOLOGY": "inventory/lab.yaml", "CILIUMLAB_STATE": str(tmp_path)}
    for_ansible(hosts(state, []), tmp_path / "inventory.yaml")
    groups = yaml.safe_load((tmp_path / "inventory.yaml").read_text())
    assert set(groups["lab"]["hosts"]) == {"k8s-ctr", "k8s-w0", "k8s-w1", "router"}
    assert set(groups["routers"]["hosts"]) == {"router"}
    router, worker = (groups["lab"]["hosts"][name] for name in ("router", "k8s-w0"))
    assert (router["ansible_port"], router["ansible_ssh_private_key_file"]) == (
        60009,
        str(tmp_path / "id_ed25519"),
    )
    assert set(yaml.safe_load(router["dummies"])["network"]["dummy-devices"]) == {"loop1", "loop2"}
    assert yaml.safe_load(worker["netplan"])["network"]["ethernets"]["eth1"]["addresses"] == [
        "192.168.20.100/24"
    ]
    assert worker["dummies"] == ""
