"""kubeadm's command line, checks and phases, as far as they need no cluster."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from kubeadm import manifests, preflight
from kubeadm.__main__ import main
from kubeadm.defaults import for_init
from kubeadm.phases import Failed, run
from kubelet.__main__ import main as kubelet

from tests.unit.doubles.conftest import DOUBLES
from tests.unit.doubles.test_certificates import DOCUMENTS


def test_version_is_as_the_real_one_prints_it(root, capsys) -> None:
    assert main(["version", "-o", "short"]) == 0
    assert capsys.readouterr().out == "v1.33.2\n"
    main(["version", "-o", "json"])
    assert json.loads(capsys.readouterr().out)["clientVersion"]["gitVersion"] == "v1.33.2"
    main(["version", "--output=yaml"])
    assert yaml.safe_load(capsys.readouterr().out)["clientVersion"]["minor"] == "33"
    main(["version"])
    assert "test double" in capsys.readouterr().out
    kubelet(["--version"])
    told = capsys.readouterr()
    assert told.out == "Kubernetes v1.33.2\n"
    assert "test double" in told.err


def test_images_are_listed(root, capsys) -> None:
    assert main(["config", "images", "list", "--kubernetes-version", "v1.34.0"]) == 0
    found = capsys.readouterr().out.splitlines()
    assert "registry.k8s.io/kube-proxy:v1.34.0" in found
    assert "registry.k8s.io/pause:3.10.1" in found


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["init", "--pod-cidr=1"], "unknown flag: --pod-cidr"),
        (["install"], 'unknown command "install" for "kubeadm"'),
        (["init", "--config"], "flag needs an argument: --config"),
        (["init", "--config", "/nowhere"], "unable to read config"),
        (["upgrade", "apply"], "accepts 1 arg(s), received 0"),
        (["token", "list"], "failed to load admin kubeconfig"),
        (["reset"], "aborted reset operation"),
    ],
)
@pytest.mark.skipif(os.geteuid() != 0, reason="kubeadm wants root")
def test_a_wrong_command_line_fails_on_one_line(root, capsys, arguments, said) -> None:
    assert main(arguments) == 1
    told = capsys.readouterr().err
    assert said in told
    assert "Traceback" not in told


@pytest.mark.skipif(os.geteuid() != 0, reason="kubeadm wants root")
def test_what_validation_refuses_has_a_status_of_its_own(root, capsys, tmp_path) -> None:
    path = tmp_path / "documents.yaml"
    path.write_text(DOCUMENTS.replace("172.20.0.0/16", "nonsense"))
    assert main(["init", f"--config={path}"]) == 3
    assert "networking.podSubnet: Invalid value" in capsys.readouterr().err


def test_manifests_have_the_real_flags(root) -> None:
    configuration = for_init(DOCUMENTS)
    api = manifests.manifest(configuration, "kube-apiserver")["spec"]["containers"][0]
    assert api["image"] == "registry.k8s.io/kube-apiserver:v1.33.2"
    assert api["command"][:3] == [
        "kube-apiserver",
        "--advertise-address=192.168.10.100",
        "--allow-privileged=true",
    ]
    assert "--etcd-servers=https://127.0.0.1:2379" in api["command"]
    manager = manifests.manifest(configuration, "kube-controller-manager")["spec"]["containers"][0]["command"]
    assert "--cluster-cidr=172.20.0.0/16" in manager
    etcd = manifests.manifest(configuration, "etcd", members="a=https://1:2380")["spec"]["containers"][0][
        "command"
    ]
    assert "--initial-cluster-state=existing" in etcd


def test_an_argument_of_ones_own_replaces_the_usual(root) -> None:
    own = DOCUMENTS.replace("certSANs", "extraArgs: [{name: authorization-mode, value: RBAC}], certSANs")
    command = manifests.manifest(for_init(own), "kube-apiserver")["spec"]["containers"][0]["command"]
    assert [word for word in command if "authorization-mode" in word] == ["--authorization-mode=RBAC"]


def test_all_fatal_findings_are_told_at_once(capsys) -> None:
    findings = [
        preflight.Finding("Port-6443", "Port 6443 is in use"),
        preflight.Finding("Swap", "swap is supported for cgroup v2 only", fatal=False),
        preflight.Finding("Mem", "too little"),
        preflight.Finding("NumCPU", "too few"),
    ]
    with pytest.raises(Failed) as caught:
        preflight.enforce(findings, ["numcpu"])
    said = str(caught.value)
    assert "\t[ERROR Port-6443]: Port 6443 is in use\n\t[ERROR Mem]: too little\n" in said
    assert "--ignore-preflight-errors" in said
    warned = capsys.readouterr().err
    assert "[WARNING Swap]" in warned
    assert "[WARNING NumCPU]" in warned


def test_preflight_sees_what_is_in_the_way(root) -> None:
    proc = root / "proc/sys/net/ipv4"
    proc.mkdir(parents=True)
    (proc / "ip_forward").write_text("0\n")
    (root / "proc/swaps").write_text("Filename Type\n/swap file\n")
    (root / "proc/meminfo").write_text("MemTotal:  1000000 kB\n")
    (root / "etc/kubernetes/manifests").mkdir(parents=True)
    (root / "etc/kubernetes/manifests/etcd.yaml").write_text("")
    (root / "var/lib/etcd").mkdir(parents=True)
    (root / "var/lib/etcd/member").mkdir()
    (root / "usr/lib/kubernetes-double/versions/kubelet").write_text("v1.34.0\n")
    found = {finding.check: finding for finding in preflight.of_init(for_init(DOCUMENTS))}
    assert {"Mem", "FileAvailable--etc-kubernetes-manifests-etcd.yaml", "DirAvailable--var-lib-etcd", "CRI",
            "KubeletVersion", "FileContent--proc-sys-net-ipv4-ip_forward"} <= found.keys()  # fmt: skip
    assert found["Swap"].fatal is False
    assert "kubelet version is higher than the control plane version" in found["KubeletVersion"].said
    assert found["FileContent--proc-sys-net-ipv4-ip_forward"].said.endswith("contents are not set to 1")


def test_a_failing_phase_is_named() -> None:
    def fails() -> None:
        raise Failed("no")

    done = []
    phases = [("certs", lambda: done.append("certs")), ("addon/kube-proxy", fails), ("last", fails)]
    with pytest.raises(Failed, match="error execution phase last: no"):
        run("init", phases, ["addon/kube-proxy"])
    assert done == ["certs"]


def test_a_fault_kills_in_the_middle_of_a_phase(root, fault) -> None:
    fault("kubeadm-dies-in-phase", "certs")
    code = (
        "from kubeadm.phases import run, say\n"
        "run('init', [('preflight', lambda: say('checked')), ('certs', lambda: (say('begun'), "
        "say('never')))])"
    )
    environment = {**os.environ, "KUBERNETES_DOUBLE_ROOT": str(root), "PYTHONPATH": str(DOUBLES)}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == -9
    assert done.stdout == "checked\nbegun\n"


def test_kubelet_waits_for_its_configuration(root, capsys) -> None:
    assert kubelet(["--config=/var/lib/kubelet/config.yaml"]) == 1
    assert "failed to load kubelet config file" in capsys.readouterr().err
    assert kubelet(["--nonsense=1"]) == 1
    assert "unknown flag: --nonsense" in capsys.readouterr().err


def test_kubelet_refuses_to_run_with_swap(root, capsys) -> None:
    folder = root / "var/lib/kubelet"
    folder.mkdir(parents=True)
    (folder / "config.yaml").write_text(
        "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n"
    )
    (root / "proc").mkdir()
    (root / "proc/swaps").write_text("Filename Type\n/swap file\n")
    assert kubelet(["--config=/var/lib/kubelet/config.yaml"]) == 1
    assert "running with swap on is not supported" in capsys.readouterr().err


def test_every_file_is_read_in_one_sitting() -> None:
    long = [str(path) for path in Path(DOUBLES).rglob("*.py") if "apiserver" not in path.parts
            and len(path.read_text().splitlines()) >= 300]  # fmt: skip
    assert long == []
