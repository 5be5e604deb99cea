"""What real Helm makes of the values with the real chart: the agents' configuration, cilium-config.

It needs ``CILIUMLAB_TEST_CHART``, a cilium-1.18.0.tgz, and Helm, by npm or in PATH.
"""

from __future__ import annotations

import json
import subprocess
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from ciliumlab.plan.cilium.computed import values
from ciliumlab.plan.cilium.rules import refused
from tests.unit.real import program

from .lab import chart, plan, settings, topology

LIMITS = {"k8s-client-qps": ("absent", "11"), "k8s-client-burst": ("absent", "22")}


def template(folder: Path, final: dict[str, Any]) -> subprocess.CompletedProcess[str]:
    """`helm template` with these values, as a release of it would be made."""
    path = folder / "values.json"
    path.write_text(json.dumps(final))
    version = settings().kubernetes_version
    arguments = ["template", "cilium", str(chart()), "--namespace", "kube-system", "--kube-version", version]
    return subprocess.run(
        [program("helm"), *arguments, "--values", str(path)], capture_output=True, text=True, check=False
    )


@cache
def rendered(folder: Path, **changed: Any) -> tuple[dict[str, Any], ...]:
    ran = template(folder, plan(**changed)["helm_values"])
    assert ran.returncode == 0, ran.stderr
    return tuple(filter(None, yaml.safe_load_all(ran.stdout)))


def named(objects: tuple[dict[str, Any], ...], kind: str, name: str) -> dict[str, Any]:
    (found,) = [made for made in objects if made["kind"] == kind and made["metadata"]["name"] == name]
    return found


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("values")


def config(folder: Path, **changed: Any) -> dict[str, str]:
    found: dict[str, str] = named(rendered(folder, **changed), "ConfigMap", "cilium-config")["data"]
    return found


def switched(folder: Path, before: dict[str, Any], **after: Any) -> dict[str, tuple[str, str]]:
    """What differs between two configurations, (before, after) by key."""
    old, new = config(folder, **before), config(folder, **after)
    both = {key: (old.get(key, "absent"), new.get(key, "absent")) for key in {**old, **new}}
    return {key: pair for key, pair in both.items() if pair[0] != pair[1]}


def test_native(folder: Path) -> None:
    found = config(folder)
    expected = {
        "routing-mode": "native",
        "tunnel-protocol": "vxlan",
        "auto-direct-node-routes": "true",
        "direct-routing-skip-unreachable": "true",
        "ipv4-native-routing-cidr": "172.20.0.0/16",
        "ipam": "cluster-pool",
        "cluster-pool-ipv4-cidr": "172.20.0.0/16",
        "cluster-pool-ipv4-mask-size": "24",
        "kube-proxy-replacement": "true",
        "enable-bpf-masquerade": "true",
        "enable-ipv4-masquerade": "true",
        "install-no-conntrack-iptables-rules": "true",
        "devices": "eth1",
        "enable-health-checking": "false",
        "enable-endpoint-health-checking": "false",
        "enable-hubble": "true",
        "hubble-metrics-server": ":9965",
        "hubble-metrics": "dns drop tcp flow port-distribution icmp httpV2:exemplars=true;labelsContext="
        "source_ip,source_namespace,source_workload,destination_ip,destination_namespace,destination_workload,"
        "traffic_direction",
        "enable-hubble-open-metrics": "true",
        "prometheus-serve-addr": ":9962",
        "operator-prometheus-serve-addr": ":9963",
        "debug": "true",
    }
    assert {key: found.get(key) for key in expected} == expected
    assert not {"enable-l2-announcements", "enable-bgp-control-plane", "k8s-client-qps", "mtu"} & set(found)


def test_native_to_vxlan(folder: Path) -> None:
    assert switched(folder, {}, datapath="vxlan") == {
        "routing-mode": ("native", "tunnel"),
        "auto-direct-node-routes": ("true", "false"),
        "install-no-conntrack-iptables-rules": ("true", "false"),
        # What only is there for nodes on two segments in native mode.
        "direct-routing-skip-unreachable": ("true", "false"),
    }


def test_vxlan_to_geneve(folder: Path) -> None:
    changed = switched(folder, {"datapath": "vxlan"}, datapath="geneve")
    assert changed == {"tunnel-protocol": ("vxlan", "geneve")}


@pytest.mark.parametrize("datapath", ["native", "geneve"])
def test_l2_announcements(folder: Path, datapath: str) -> None:
    changed = switched(folder, {"datapath": datapath}, datapath=datapath, l2_announcements=True)
    assert changed == {"enable-l2-announcements": ("absent", "true"), **LIMITS}


def test_leases_may_be_taken_with_l2_announcements_only(folder: Path) -> None:
    def taken(**changed: Any) -> list[str]:
        rules = [rule for made in rendered(folder, **changed) for rule in made.get("rules") or ()]
        return [verb for rule in rules if "leases" in rule.get("resources", ()) for verb in rule["verbs"]]

    assert len(taken(l2_announcements=True)) > len(taken())


def test_bgp(folder: Path) -> None:
    changed = switched(folder, {}, pod_routes="bgp")
    assert changed.pop("enable-bgp-control-plane") == ("absent", "true")
    assert {key for key in changed if not key.startswith(("bgp-", "enable-bgp-"))} == set()


def test_agents_find_the_api_server_without_a_service(folder: Path) -> None:
    pod = named(rendered(folder), "DaemonSet", "cilium")["spec"]["template"]["spec"]
    (agent,) = [container for container in pod["containers"] if container["name"] == "cilium-agent"]
    environment = {variable["name"]: variable.get("value") for variable in agent["env"]}
    assert environment["KUBERNETES_SERVICE_HOST"] == "192.168.10.100"
    assert environment["KUBERNETES_SERVICE_PORT"] == "6443"


@pytest.mark.parametrize(("kind", "name"), [("DaemonSet", "cilium"), ("Deployment", "cilium-operator")])
def test_pods_are_rolled_out_with_their_configuration(folder: Path, kind: str, name: str) -> None:
    def annotations(**changed: Any) -> dict[str, str]:
        found: dict[str, str] = named(rendered(folder, **changed), kind, name)["spec"]["template"][
            "metadata"
        ]["annotations"]
        return found

    native, vxlan = annotations(), annotations(datapath="vxlan")
    key = "cilium.io/cilium-configmap-checksum"
    assert native[key] != vxlan[key]


def test_hubble_s_page_has_its_port(folder: Path) -> None:
    spec = named(rendered(folder), "Service", "hubble-ui")["spec"]
    assert spec["type"] == "NodePort"
    assert [port["nodePort"] for port in spec["ports"]] == [30003]
    assert not [made for made in rendered(folder, hubble_ui=False) if made["metadata"]["name"] == "hubble-ui"]


def test_images_are_those_of_the_settings(folder: Path) -> None:
    """So that a mirror holds what pods ask for."""
    text = json.dumps(rendered(folder))
    images = {part.partition('"')[0] for part in text.split('"image": "')[1:]}
    chosen = settings()
    names = [image.replace("{cilium_version}", chosen.cilium_version) for image in chosen.images]
    pinned = {f"{name}@{chosen.image_digests[name]}" for name in names if name in chosen.image_digests}
    assert images
    assert images <= pinned


@pytest.mark.parametrize(
    "extra",
    [
        {"kubeProxyReplacement": "strict"},
        {"kubeProxyReplacement": "True"},
        {"hubble": {"relay": {"enabled": False}}},
        {"hubble": {"enabled": False}},
        {"tunnel": "vxlan"},
        {"k8sServiceHostRef": {"name": "a", "key": "b"}},
        {"cluster": {"name": ""}},
        {"cluster": {"name": "a" * 33}},
        {"cluster": {"name": "Lab"}},
        {"cluster": {"id": 3}},
        {"prometheus": {"serviceMonitor": {"enabled": True}}},
        {"operator": {"prometheus": {"serviceMonitor": {"enabled": True}}}},
        {"envoy": {"prometheus": {"serviceMonitor": {"enabled": True}}}},
        {"ipam": {"operator": {"clusterPoolIPv4PodCIDR": "172.20.0.0/16"}}},
        {"ipv6": {"enabled": True}},
        {"MTU": "1400"},
        {"hubble": {"enabled": "yes"}},
        {"ipam": {"operator": {"clusterPoolIPv4MaskSize": "24"}}},
    ],
    ids=json.dumps,
)
def test_what_the_chart_refuses_is_refused_before(tmp_path: Path, extra: dict[str, Any]) -> None:
    """By Helm with the chart, and by the plan without either."""
    lab, chosen = topology(), settings(cilium_extra_values=extra)
    final = values(lab, chosen)
    assert refused(lab, chosen, final)
    assert template(tmp_path, final).returncode != 0


@pytest.mark.parametrize(
    "extra",
    [
        {"routingModee": "native"},
        {"l2announcement": {"enabled": True}},
        {"routingMode": "ipip"},
        {"tunnelProtocol": "gre"},
        {"routingMode": "tunnel"},
        {"bpf": {"masquerade": False}},
        {"kubeProxyReplacement": False},
        {"autoDirectNodeRoutes": False},
        {"ipv4NativeRoutingCIDR": ""},
        {"ipv4NativeRoutingCIDR": "172.20.0.0/33"},
        {"loadBalancer": {"mode": "dsr", "dsrDispatch": "ipip"}},
        {"ipam": {"operator": {"clusterPoolIPv4PodCIDRList": ["172.20.0.0/16", "172.20.0.0/24"]}}},
        {"ipam": {"operator": {"clusterPoolIPv4MaskSize": 33}}},
    ],
    ids=json.dumps,
)
def test_what_the_chart_takes_is_refused_nevertheless(tmp_path: Path, extra: dict[str, Any]) -> None:
    """Helm would install it, and the agents or the operator end."""
    lab, chosen = topology(), settings(cilium_extra_values=extra)
    final = values(lab, chosen)
    assert refused(lab, chosen, final)
    assert template(tmp_path, final).returncode == 0
