"""Our chart through the real Helm: which value becomes which key, and what is refused."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.doubles import build, chart, programs

REAL_VALUES = Path(__file__).parents[4] / "shared/cilium-1.18.0/values.yaml"

NATIVE: dict[str, Any] = {
    "k8sServiceHost": "192.168.10.100",
    "k8sServicePort": 6443,
    "ipam": {"mode": "cluster-pool", "operator": {"clusterPoolIPv4PodCIDRList": ["172.20.0.0/16"]}},
    "ipv4NativeRoutingCIDR": "172.20.0.0/16",
    "routingMode": "native",
    "autoDirectNodeRoutes": True,
    "kubeProxyReplacement": True,
    "bpf": {"masquerade": True},
    "installNoConntrackIptablesRules": True,
    "endpointHealthChecking": {"enabled": False},
    "healthChecking": False,
    "rollOutCiliumPods": True,
    "hubble": {
        "relay": {"enabled": True},
        "ui": {"enabled": True, "service": {"type": "NodePort", "nodePort": 30003}},
        "metrics": {"enabled": ["dns", "httpV2:exemplars=true;labelsContext=source_ip,source_namespace"]},
    },
    "prometheus": {"enabled": True},
    "operator": {"replicas": 1, "rollOutPods": True},
    "debug": {"enabled": True},
}
TUNNEL = {
    **NATIVE,
    "routingMode": "tunnel",
    "tunnelProtocol": "vxlan",
    "autoDirectNodeRoutes": False,
    "installNoConntrackIptablesRules": False,
}
GENEVE = {**TUNNEL, "tunnelProtocol": "geneve"}


@pytest.fixture(scope="module")
def helm(tmp_path_factory: pytest.TempPathFactory):
    kept = programs.helm(build.CACHE)
    if not kept:
        pytest.skip("neither a kept Helm nor npm to get it with")
    folder = tmp_path_factory.mktemp("charts")
    program = Path(shutil.copy(kept, folder / "helm"))
    program.chmod(0o755)

    def run(values: dict[str, Any], version: str = "1.18.0") -> subprocess.CompletedProcess[str]:
        packed = folder / f"cilium-{version}.tgz"
        packed.write_bytes(chart.package(version))
        (folder / "values.yaml").write_text(yaml.safe_dump(values))
        command = [program, "template", "cilium", packed, "--namespace=kube-system", "--kube-version=1.33.2"]
        return subprocess.run(
            [*command, f"--values={folder}/values.yaml"], capture_output=True, text=True, check=False
        )

    return run


@pytest.fixture
def render(helm):
    def objects(values: dict[str, Any], version: str = "1.18.0") -> dict[tuple[str, str], dict[str, Any]]:
        done = helm(values, version)
        assert done.returncode == 0, done.stderr
        found = (document for document in yaml.safe_load_all(done.stdout) if document)
        return {(each["kind"], each["metadata"]["name"]): each for each in found}

    return objects


def config(objects) -> dict[str, str]:
    found: dict[str, str] = objects["ConfigMap", "cilium-config"]["data"]
    return found


def test_native_is_what_the_reference_lab_shows(render) -> None:
    expected = {
        "routing-mode": "native",
        "tunnel-protocol": "vxlan",
        "auto-direct-node-routes": "true",
        "direct-routing-skip-unreachable": "false",
        "ipv4-native-routing-cidr": "172.20.0.0/16",
        "ipam": "cluster-pool",
        "cluster-pool-ipv4-cidr": "172.20.0.0/16",
        "cluster-pool-ipv4-mask-size": "24",
        "kube-proxy-replacement": "true",
        "enable-bpf-masquerade": "true",
        "install-no-conntrack-iptables-rules": "true",
        "enable-health-checking": "false",
        "enable-endpoint-health-checking": "false",
        "enable-hubble": "true",
        "hubble-metrics": "dns httpV2:exemplars=true;labelsContext=source_ip,source_namespace",
        "hubble-metrics-server": ":9965",
        "prometheus-serve-addr": ":9962",
        "operator-prometheus-serve-addr": ":9963",
        "debug": "true",
    }
    found = config(render(NATIVE))
    assert {key: found.get(key) for key in expected} == expected
    for key in ("enable-l2-announcements", "enable-bgp-control-plane", "mtu", "devices", "k8s-client-qps"):
        assert key not in found


@pytest.mark.parametrize(
    ("before", "after", "keys"),
    [
        (
            NATIVE,
            TUNNEL,
            {"routing-mode", "auto-direct-node-routes", "install-no-conntrack-iptables-rules"},
        ),
        (TUNNEL, GENEVE, {"tunnel-protocol"}),
        (GENEVE, {**GENEVE, "l2announcements": {"enabled": True}}, {"enable-l2-announcements"}),
        (NATIVE, {**NATIVE, "MTU": 1400}, {"mtu"}),
        (NATIVE, {**NATIVE, "devices": ["eth1", "eth2"]}, {"devices"}),
        (
            NATIVE,
            {**NATIVE, "k8sClientRateLimit": {"qps": 20, "burst": 40}},
            {"k8s-client-qps", "k8s-client-burst"},
        ),
        (NATIVE, {**NATIVE, "upgradeCompatibility": "1.18"}, set()),
        (NATIVE, {**NATIVE, "routingModee": "tunnel"}, set()),
    ],
)
def test_a_switch_changes_these_keys_and_no_others(render, before, after, keys) -> None:
    old, new = config(render(before)), config(render(after))
    assert {key for key in old | new if old.get(key) != new.get(key)} == keys


def test_bgp_adds_its_keys(render) -> None:
    found = config(render({**NATIVE, "bgpControlPlane": {"enabled": True}}))
    assert found["enable-bgp-control-plane"] == "true"


def test_pods_are_rolled_out_only_when_asked(render) -> None:
    def template(values, kind: str, name: str):
        return render(values)[kind, name]["spec"]["template"]

    for kind, name in (("DaemonSet", "cilium"), ("Deployment", "cilium-operator")):
        assert template(NATIVE, kind, name) != template(TUNNEL, kind, name)
        still = {"rollOutCiliumPods": False, "operator": {"rollOutPods": False}}
        assert template(NATIVE | still, kind, name) == template(TUNNEL | still, kind, name)


def test_the_agent_is_what_a_lab_relies_on(render) -> None:
    spec = render(NATIVE, "1.18.3")["DaemonSet", "cilium"]["spec"]
    pod = spec["template"]["spec"]
    (container,) = pod["containers"]
    assert spec["updateStrategy"]["rollingUpdate"] == {"maxUnavailable": 2}
    assert spec["template"]["metadata"]["labels"]["k8s-app"] == "cilium"
    assert pod["hostNetwork"]
    assert pod["tolerations"] == [{"operator": "Exists"}]
    assert container["image"] == "quay.io/cilium/cilium:v1.18.3"
    assert container["terminationMessagePolicy"] == "FallbackToLogsOnError"
    given = {each["name"]: each.get("value") for each in container["env"]}
    assert (given["KUBERNETES_SERVICE_HOST"], given["KUBERNETES_SERVICE_PORT"]) == ("192.168.10.100", "6443")


def test_preflight_checks_beside_what_runs(render) -> None:
    found = render(
        {"preflight": {"enabled": True}, "agent": False, "operator": {"enabled": False},
         "k8sServiceHost": "192.168.10.100", "k8sServicePort": 6443},
        "1.19.0",
    )  # fmt: skip
    assert set(found) == {
        ("ServiceAccount", "cilium-pre-flight"),
        ("DaemonSet", "cilium-pre-flight-check"),
        ("Deployment", "cilium-pre-flight-check"),
    }
    (container,) = found["DaemonSet", "cilium-pre-flight-check"]["spec"]["template"]["spec"]["containers"]
    assert container["image"] == "quay.io/cilium/cilium:v1.19.0"


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"kubeProxyReplacement": "strict"}, "kubeProxyReplacement must be explicitly set"),
        ({"hubble": {"ui": {"enabled": True}}}, "Hubble UI requires"),
        ({"hubble": {"enabled": False, "relay": {"enabled": True}}}, "Hubble Relay requires"),
        ({"tunnel": "vxlan"}, "tunnel was deprecated"),
        ({"k8sServiceHost": "a", "k8sServiceHostRef": {"name": "b", "key": "c"}}, "Both k8sServiceHostRef"),
        ({"cluster": {"name": "Upper"}}, "cluster name is invalid"),
        ({"cluster": {"id": 1}}, "cluster name is invalid"),
        ({"prometheus": {"enabled": True, "serviceMonitor": {"enabled": True}}}, "Service Monitor requires"),
        ({"ipam": {"operator": {"clusterPoolIPv4PodCIDR": "10.0.0.0/8"}}}, "clusterPoolIPv4PodCIDR removed"),
        ({"ipv6": {"enabled": True}, "routingMode": "native"}, "ipv6NativeRoutingCIDR must be set"),
    ],
)
def test_the_chart_refuses(helm, values, said: str) -> None:
    done = helm(values)
    assert done.returncode == 1
    assert said in done.stderr


def test_its_values_are_the_real_ones() -> None:
    if not REAL_VALUES.exists():
        pytest.skip(f"{REAL_VALUES} is not here: the real chart's values to compare with")
    real = yaml.safe_load(REAL_VALUES.read_text())
    ours = yaml.safe_load((chart.SOURCE / "values.yaml").read_text())
    # Tags are empty for the chart's own version, and nothing of Google's or Amazon's is here.
    leave = {"image", "maxUnavailable"}

    def differences(mine: Any, theirs: Any, at: str) -> list[str]:
        if not isinstance(mine, dict):
            return [] if mine == theirs else [f"{at}: {mine!r} is {theirs!r}"]
        return [
            each
            for key, value in mine.items()
            if key not in leave
            for each in (
                differences(value, theirs[key], f"{at}.{key}")
                if key in theirs
                else [f"{at}.{key} is not there"]
            )
        ]

    assert differences(ours, real, "values") == []
