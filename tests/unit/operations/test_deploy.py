"""Whole deploys over pyinfra's @fake connector: hosts that answer as fresh ones do, and do nothing."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

from ciliumlab.settings import Settings

from .harness import ROOT

FRESH = "tests/unit/operations/fresh.py"
WORKERS = ["@fake/k8s-w0", "@fake/k8s-w1"]
NODES = ["@fake/k8s-ctr", "@fake/k8s-w0", "@fake/k8s-w1"]
ALL = [*NODES, "@fake/router"]


def pyinfra(*arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CILIUMLAB_")}
    # No run of a test's is the last one of the lab that may stand here.
    with TemporaryDirectory() as state:
        return _pyinfra(arguments, kept | {"CILIUMLAB_STATE": state} | environment)


def _pyinfra(arguments: Sequence[str], environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pyinfra", *arguments],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


@cache
def planned(*arguments: str) -> dict[str, list[str]]:
    """The operations that a dry run says would change something, with their hosts."""
    result = pyinfra("--dry", "--json", FRESH, *arguments)
    assert result.returncode == 0, result.stderr
    # What operations before it will make is no reason to refuse.
    assert [line for line in result.stderr.splitlines() if "nothing was" in line or "Error" in line] == []
    plan: list[dict[str, Any]] = json.loads(result.stdout)["plan"]
    hosts = {
        operation["name"].rpartition(" | ")[2]: [
            *operation["hosts_with_change"],
            *operation["hosts_with_conditional_change"],
        ]
        for operation in plan
    }
    return {name: changed for name, changed in hosts.items() if changed}


def variant(folder: Path, change: str) -> str:
    """The fresh inventory, changed by lines of Python: ``answers`` are those of the host ``name``."""
    path = folder / "inventory.py"
    lines = change.replace("\n", "\n    ")
    path.write_text(
        f'import runpy\n_groups = runpy.run_path("{ROOT / FRESH}")\n'
        f"def _change(name, answers):\n    {lines}\n"
        "for _hosts in _groups.values():\n"
        "    for _name, _data in _hosts if isinstance(_hosts, list) else ():\n"
        '        _change(_name, _data["fake_responses"])\n'
        'globals().update({key: hosts for key, hosts in _groups.items() if not key.startswith("_")})\n'
    )
    return str(path)


def test_a_fresh_lab_gets_everything() -> None:
    changes = planned("deploy.py")
    assert changes["Kernel modules are loaded now and at boot"] == NODES
    assert changes["Every machine is named in /etc/hosts"] == ALL
    assert changes["Addresses and static routes are in force now and at boot"] == ALL
    assert changes["Dummy interfaces are there now and after every boot"] == ["@fake/router"]
    assert changes["Apache is running"] == ["@fake/router"]
    assert changes["containerd runs with its configuration"] == NODES
    assert changes["kubelet, kubeadm and kubectl are installed"] == NODES
    assert changes["kubelet is told where the host's name servers are"] == NODES
    assert changes["The control plane is initialised"] == ["@fake/k8s-ctr"]
    assert changes["root has the cluster in its kubeconfig"] == ["@fake/k8s-ctr"]
    assert changes["The workers have joined"] == WORKERS
    assert "ufw and AppArmor are stopped and disabled" not in changes
    assert "The host is fit for its part" not in changes


@pytest.mark.parametrize(
    "stage", ["base", "network", "router", "containerd", "kubernetes", "control_plane", "workers", "cilium"]
)
def test_each_stage_runs_alone(stage: str) -> None:
    changes = planned(f"tasks/{stage}.py")
    assert set(changes) <= set(planned("deploy.py"))
    assert changes


def test_cilium_is_rolled_out_once_and_seen_everywhere() -> None:
    assert planned("tasks/cilium.py", "--data", "datapath=vxlan") == {
        "The kernel modules of the datapath are loaded": NODES,
        "Cilium is rolled out": ["@fake/k8s-ctr"],
        "Every agent runs what is declared": NODES,
    }


@pytest.mark.parametrize(
    ("setting", "router", "first"),
    [
        ("none", [], []),
        # What is to be routed is only known once there is a cluster.
        ("static", [], []),
        (
            "bgp",
            ["FRR is installed", "FRR listens to what nodes announce", "Every node has announced its pods"],
            ["Nodes announce their pods to the router, or nothing"],
        ),
    ],
)
def test_routes_to_pods_are_the_routers_business(setting: str, router: list[str], first: list[str]) -> None:
    assert planned("tasks/pod_routes.py", "--data", f"pod_routes={setting}") == {
        **{name: ["@fake/router"] for name in router},
        **{name: ["@fake/k8s-ctr"] for name in first},
    }


def order(*arguments: str) -> list[str]:
    """The operations of a run, as they come."""
    result = pyinfra("--dry", "--json", FRESH, *arguments)
    return [operation["name"].rpartition(" | ")[2] for operation in json.loads(result.stdout)["plan"]]


def test_the_router_waits_for_what_nodes_announce() -> None:
    """It has few stages of its own, and pyinfra keeps an order only where a host has both operations."""
    names = order("--data", "pod_routes=bgp", "deploy.py")
    stages = [
        "Cilium is rolled out",
        "Each node's pods have a static route on the router, or none",
        "Nodes announce their pods to the router, or nothing",
        "Every node has announced its pods",
    ]
    assert [name for name in names if name in stages] == stages


ADDONS = ["local_path_provisioner", "metrics_server"]


@pytest.mark.parametrize(
    ("stage", "settings", "changes"),
    [
        ("load_balancer", [], ["Pools of addresses, and who answers for them, are as declared"]),
        ("workloads", [], []),
        ("workloads", ["workloads"], ["The example workloads are there, or none of them"]),
        ("addons", [], []),
        (
            "addons",
            ADDONS,
            [
                "local-path-provisioner is the default storage class, or not there",
                "metrics-server is rolled out",
            ],
        ),
        ("verify", [], ["Cilium's connectivity tests pass"]),
    ],
)
def test_what_comes_after_cilium_is_done_once_and_as_set(
    stage: str, settings: list[str], changes: list[str]
) -> None:
    overrides = [word for name in settings for word in ("--data", f"{name}=true")]
    planned_changes = planned(f"tasks/{stage}.py", *overrides)
    assert planned_changes == {name: ["@fake/k8s-ctr"] for name in changes}


def test_an_addon_whose_source_is_not_known_is_refused_with_the_fix() -> None:
    result = pyinfra("--dry", "--data", "monitoring=true", FRESH, "tasks/addons.py")
    line = "no manifest of monitoring is known: give its version, url and sha256 (manifests in"
    assert f"{line} group_data/all.py); nothing was changed" in result.stderr
    assert "Traceback" not in result.stderr


# Docker's repository cannot be had, so that what a scripted host cannot answer to is left out.
UNREACHABLE = """answers["MemTotal"] = [
    line.replace("|200|https://download.docker.com", "|000|https://download.docker.com")
    for line in answers["MemTotal"]
]"""


def test_it_runs_to_its_end_and_shows_differences(tmp_path: Path) -> None:
    inventory = variant(tmp_path, UNREACHABLE)
    result = pyinfra("-y", "--diff", "--data", "cluster=auto", inventory, "deploy.py")
    assert result.returncode == 0, result.stderr
    assert "kubeadm init" not in result.stderr
    assert "Will create /etc/netplan/60-ciliumlab.yaml" in result.stderr
    assert "+     eth1:" in result.stderr
    assert "<h1>Web Server : @fake/router</h1>" in result.stderr


# A control plane that answers when it is asked, and hosts on which kubeadm has never run.
ANSWERING = """answers["get nodes -o json"] = [
    "==ciliumlab== ca", "-----BEGIN PUBLIC KEY-----", "AAAA", "-----END PUBLIC KEY-----",
    "==ciliumlab== version", '{"gitVersion": "v1.33.2"}',
    "==ciliumlab== nodes", "{", '"items": []', "}", "==ciliumlab== proxy",
]
from ciliumlab.operations.kubeadm import invitation
invitation().token = "abcdef.0123456789abcdef"
invitation().certificate_key = "0123456789abcdef" * 4"""


REFERENCE = "inventory/lab.yaml"
TWO = "tests/unit/topologies/valid/two-control-planes.yaml"


@pytest.mark.parametrize(
    ("topology", "stages", "commands"),
    [
        pytest.param(REFERENCE, ["control_plane", "workers"], ["init", "join"], id="init makes the token"),
        pytest.param(REFERENCE, ["workers"], ["token create", "join"], id="workers need one"),
        pytest.param(TWO, ["control_plane"], ["init", "init phase upload-certs", "join"], id="certificates"),
    ],
)
def test_no_secret_is_printed_whatever_is_asked_for(
    tmp_path: Path, topology: str, stages: list[str], commands: list[str]
) -> None:
    inventory = variant(tmp_path, ANSWERING)
    deploy = tmp_path / "stages.py"
    includes = [f'local.include("{ROOT}/tasks/{stage}.py")\n' for stage in stages]
    deploy.write_text("".join(["from pyinfra import local\n", *includes]))
    lab = {"CILIUMLAB_TOPOLOGY": str(ROOT / topology)}
    result = pyinfra("-y", "-vvv", "--debug", "--diff", inventory, str(deploy), **lab)
    printed = result.stdout + result.stderr
    assert result.returncode == 0, printed[-3000:]
    run = re.findall(r">>> .*cat \| kubeadm ([a-z -]+?) --", printed)
    assert list(dict.fromkeys(run)) == commands
    assert "0123456789abcdef" not in printed
    assert re.findall(r"\b[a-z0-9]{6}\.[a-z0-9]{16}\b", printed) == []


@pytest.mark.parametrize(
    ("task", "line"),
    [
        ("remove_node", "say which node is to be removed: --data node=NAME; nothing was touched"),
        ("reset", "to go on, say --data confirm=cilium-lab; nothing was touched"),
        ("restore", "to go on, say --data confirm=cilium-lab; nothing was touched"),
        ("upgrade", "the cluster does not answer (sh: 1: kubectl: not found); nothing was changed"),
        ("backup", "no etcd of kubeadm's runs on this host; nothing was saved"),
    ],
)
def test_what_takes_something_away_wants_to_be_told(task: str, line: str) -> None:
    result = pyinfra("-y", "-vvv", FRESH, f"tasks/{task}.py")
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    said = [text for text in result.stderr.splitlines() if "nothing was" in text]
    hosts = {"remove_node": 1, "backup": 1, "upgrade": 3}.get(task, 4)
    assert [text.endswith(line) for text in said] == [True] * hosts
    # Facts are read, and no command of an operation is run.
    assert re.findall(r"executed [1-9]\d* commands", result.stderr) == []
    assert result.stderr.count("executed 0 commands") >= hosts


@pytest.mark.parametrize("task", ["reset", "restore"])
def test_another_labs_name_is_no_confirmation(task: str) -> None:
    result = pyinfra("-y", "--data", "confirm=cilium-labs", FRESH, f"tasks/{task}.py")
    assert result.returncode == 1
    assert "say --data confirm=cilium-lab; nothing was touched" in result.stderr


def test_reset_leaves_alone_what_kubeadm_never_touched() -> None:
    result = pyinfra("-y", "--json", "--data", "confirm=cilium-lab", FRESH, "tasks/reset.py")
    assert result.returncode == 0, result.stderr
    operations = json.loads(result.stdout)["results"]["operations"]
    assert {name for operation in operations for name in operation["success"]} == set()


def test_a_node_that_is_not_in_the_lab_ends_before_any_host() -> None:
    result = pyinfra("-y", "--data", "node=k8s-w9", "inventory/lab.py", "tasks/remove_node.py")
    assert result.returncode == 2
    assert "node: k8s-w9 is no node of this lab; did you mean k8s-w1?" in result.stderr.splitlines()
    assert "Connecting" not in result.stderr


def test_a_host_that_cannot_be_read_is_left_alone_and_named(tmp_path: Path) -> None:
    inventory = tmp_path / "silent.py"
    inventory.write_text(
        f'import runpy\nglobals().update(runpy.run_path("{ROOT / FRESH}"))\n'
        'failure = {"success": False, "stderr": "Input/output error"}\n'
        'routers[0][1]["fake_responses"] = {"/etc/hosts": failure}\n'
    )
    (tmp_path / "hosts.py").write_text(
        "from pyinfra.context import host\n"
        "from ciliumlab.operations import hosts\n"
        'hosts.block(name="Names", entries=host.data.etc_hosts, title="lab")\n'
    )
    result = pyinfra("-y", "--json", str(inventory), str(tmp_path / "hosts.py"))
    assert result.returncode == 1
    assert "Texts could not be read for the reason above; nothing was changed" in result.stderr
    assert json.loads(result.stdout)["results"]["failed_hosts"] == ["@fake/router"]
    (operation,) = json.loads(result.stdout)["results"]["operations"]
    assert (operation["success"], operation["error"]) == (NODES, ["@fake/router"])


@pytest.mark.parametrize("deploy", ["deploy.py", "tasks/router.py"])
def test_a_wrong_declaration_ends_before_any_host(tmp_path: Path, deploy: str) -> None:
    lab = tmp_path / "lab.yaml"
    text = (ROOT / "inventory" / "lab.yaml").read_text()
    lab.write_text(text.replace("192.168.10.0/24", "192.168.10.5/24").replace("60001", "0"))
    result = pyinfra("-y", "inventory/lab.py", deploy, CILIUMLAB_TOPOLOGY=str(lab))
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
    assert "Connecting" not in result.stderr
    problems = [line for line in result.stderr.splitlines() if line.startswith(str(lab))]
    assert len(problems) == 2


def test_a_wrong_setting_ends_before_any_host() -> None:
    result = pyinfra("-y", "--data", "datapath=foo", "--data", "ssh_user=me", "inventory/lab.py", "deploy.py")
    assert result.returncode == 2
    assert "--data datapath: must be native, vxlan or geneve, not foo" in result.stderr
    assert "Connecting" not in result.stderr


def test_what_cilium_cannot_be_ends_before_any_host() -> None:
    values = 'cilium_extra_values={"routingModee": "native", "autoDirectNodeRoutes": false}'
    result = pyinfra("-y", "--data", values, "inventory/lab.py", "tasks/base.py")
    assert result.returncode == 2
    told = [line for line in result.stderr.splitlines() if line.startswith("cilium_extra_values: ")]
    assert [line.split(": ")[1] for line in told] == ["routingModee", "autoDirectNodeRoutes"]
    assert "Connecting" not in result.stderr


def test_hosts_are_given_what_cilium_s_stages_need() -> None:
    chosen = 'charts={"cilium": {"version": "1.18.0", "url": "https://a.test/c", "sha256": "%s"}}' % (
        "a" * 64
    )
    arguments = ("--data", "cilium_version=1.18.3", "--data", "datapath=geneve", "--data", chosen)
    result = pyinfra(*arguments, "inventory/lab.py", "debug-inventory", "--json")
    for host in json.loads(result.stdout):
        data = host["data"]
        assert data["helm_values"]["tunnelProtocol"] == "geneve"
        assert [made["kind"] for made in data["kubernetes_objects"]] == ["CiliumLoadBalancerIPPool"]
        assert data["helm_charts"]["cilium"]["url"] == "https://a.test/c"
        assert data["pinned_manifests"]["local-path-provisioner"]["version"] == "0.0.31"


def test_nothing_that_a_host_is_given_can_be_overridden_as_a_setting() -> None:
    """``--data`` beats a host's own data: a setting of the same name would come through raw."""
    groups = runpy.run_path(str(ROOT / "inventory" / "lab.py"))
    given = {name for _, data in groups["nodes"] for name in data}
    assert "helm_values" in given
    assert not given & {setting.name for setting in fields(Settings)}


def test_settings_reach_the_plan() -> None:
    result = pyinfra("--data", "datapath=vxlan", "inventory/lab.py", "debug-inventory", "--json")
    modules = {host["name"]: host["data"]["kernel_modules"] for host in json.loads(result.stdout)}
    assert modules["k8s-w0"] == ["overlay", "br_netfilter", "vxlan"]


def test_keys_of_the_lab_are_used_where_they_are_and_only_here(tmp_path: Path) -> None:
    lab = tmp_path / "lab.yaml"
    text = (ROOT / "inventory" / "lab.yaml").read_text()
    lab.write_text(text.replace("ssh_port: 60010", "ssh_host: 10.9.9.9, ssh_user: me, ssh_key: /keys/mine"))
    for name in ("id_ed25519", "known_hosts"):
        (tmp_path / name).touch()
    result = pyinfra(
        *("inventory/lab.py", "debug-inventory", "--json"),
        CILIUMLAB_TOPOLOGY=str(lab),
        CILIUMLAB_STATE=str(tmp_path),
    )
    hosts = {host["name"]: host["data"] for host in json.loads(result.stdout)}
    own, direct = hosts["k8s-w1"], hosts["k8s-w0"]
    assert (own["ssh_key"], own["ssh_known_hosts_file"]) == (
        str(tmp_path / "id_ed25519"),
        str(tmp_path / "known_hosts"),
    )
    assert own["ssh_strict_host_key_checking"] == "yes"
    assert (direct["ssh_hostname"], direct["ssh_user"], direct["ssh_key"]) == ("10.9.9.9", "me", "/keys/mine")
    assert "ssh_known_hosts_file" not in direct
