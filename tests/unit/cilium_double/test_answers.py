"""What the agent's socket answers, the policies of L2, the rules of services, and the CRDs."""

from __future__ import annotations

from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any

import pytest
import yaml
from cilium import crds, l2, services, status
from cilium.configuration import Configuration

from .test_configuration import NATIVE, VXLAN
from .test_routes import ME

REAL = Path(__file__).parents[4] / "shared/cilium-1.18.0/crds"
DEVICES = {"eth1": [IPv4Interface("192.168.10.100/24")]}


@pytest.mark.parametrize(
    ("data", "routing", "mtu"),
    [
        (NATIVE, {"inter-host-routing-mode": "Native", "intra-host-routing-mode": "BPF"}, 1500),
        (
            VXLAN,
            {
                "inter-host-routing-mode": "Tunnel",
                "intra-host-routing-mode": "BPF",
                "tunnel-protocol": "vxlan",
            },
            1450,
        ),
        (
            {**VXLAN, "tunnel-protocol": "geneve", "enable-bpf-masquerade": "false"},
            {
                "inter-host-routing-mode": "Tunnel",
                "intra-host-routing-mode": "Legacy",
                "tunnel-protocol": "geneve",
            },
            1450,
        ),
    ],
)
def test_modes(data, routing, mtu: int) -> None:
    config = Configuration(data)
    assert status.health(config, ME, DEVICES, [])["routing"] == routing
    assert status.configuration(config, ME)["status"]["routeMTU"] == mtu


def test_replacement_and_masquerading() -> None:
    found = status.health(Configuration(NATIVE), ME, DEVICES, ["172.20.0.5"])
    assert found["kube-proxy-replacement"]["mode"] == "True"
    assert found["kube-proxy-replacement"]["devices"] == ["eth1"]
    assert found["kube-proxy-replacement"]["directRoutingDevice"] == "eth1"
    assert (found["masquerading"]["enabled"], found["masquerading"]["mode"]) == (True, "BPF")
    assert found["ipam"]["status"] == "IPv4: 2/254 allocated from 172.20.0.0/24, "
    without = {**VXLAN, "kube-proxy-replacement": "false", "enable-bpf-masquerade": "false"}
    found = status.health(Configuration(without), ME, DEVICES, [])
    assert found["kube-proxy-replacement"]["mode"] == "False"
    assert found["masquerading"]["mode"] == "iptables"
    off = status.health(Configuration({**without, "enable-ipv4-masquerade": "false"}), ME, DEVICES, [])
    assert off["masquerading"]["enabled"] is False


def test_a_problem_is_told() -> None:
    found = status.health(Configuration(NATIVE), ME, DEVICES, [], "required IPv4 PodCIDR not available")
    assert found["cilium"] == {"state": "Failure", "msg": "required IPv4 PodCIDR not available"}


def test_options_in_use() -> None:
    data = {**NATIVE, "enable-l2-announcements": "true"}
    in_use = status.configuration(Configuration(data), ME)["status"]["daemonConfigurationMap"]
    assert in_use["EnableL2Announcements"] is True
    assert in_use["L2AnnouncerLeaseDuration"] == 15_000_000_000
    assert in_use["EnableAutoDirectRouting"] is True
    assert in_use["IPv4NativeRoutingCIDR"] == {"IP": "172.20.0.0", "Mask": "//8AAA=="}


def service(name: str, address: str, **more: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default", "labels": {"app": name}},
        "spec": {"type": "LoadBalancer", "clusterIP": "10.96.0.9", "selector": {"app": name},
                 "ports": [{"port": 80, "targetPort": 8080, "nodePort": 30080}], **more},
        "status": {"loadBalancer": {"ingress": [{"ip": address}]}},
    }  # fmt: skip


def policy(**spec: Any) -> dict[str, Any]:
    return {"metadata": {"name": "p"}, "spec": spec}


WEB = service("web", "192.168.10.211")


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"loadBalancerIPs": True}, (("192.168.10.211",), ("eth1", "eth2"))),
        ({"loadBalancerIPs": True, "interfaces": ["^eth1$"]}, (("192.168.10.211",), ("eth1",))),
        ({"loadBalancerIPs": True, "interfaces": ["^eth3$", "^eth2$"]}, (("192.168.10.211",), ("eth2",))),
        ({"externalIPs": True}, None),
        ({}, None),
        ({"loadBalancerIPs": True, "serviceSelector": {"matchLabels": {"app": "other"}}}, None),
        (
            {
                "loadBalancerIPs": True,
                "nodeSelector": {
                    "matchExpressions": [
                        {"key": "kubernetes.io/hostname", "operator": "NotIn", "values": ["k8s-w0"]}
                    ]
                },
            },
            None,
        ),
    ],
)
def test_what_a_policy_announces(spec, expected) -> None:
    found = l2.entries([policy(**spec)], [WEB], {"kubernetes.io/hostname": "k8s-w0"}, ["eth1", "eth2"])
    lease = "cilium-l2announce-default-web"
    assert found == ([l2.Entry(lease, *expected)] if expected else [])


def pod(name: str, address: str, ready: bool = True) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "namespace": "default", "labels": {"app": "web"}},
        "spec": {"containers": [{"ports": [{"name": "http", "containerPort": 8080}]}]},
        "status": {"podIP": address, "conditions": [{"type": "Ready", "status": str(ready)}]},
    }


def test_services_are_spread_over_ready_pods() -> None:
    pods = [pod("a", "172.20.0.5"), pod("b", "172.20.1.5"), pod("c", "172.20.2.5", ready=False)]
    found = services.frontends([WEB], pods)
    behind = (("172.20.0.5", 8080), ("172.20.1.5", 8080))
    assert {(each.address, each.port): each.backends for each in found} == {
        ("10.96.0.9", 80): behind,
        ("192.168.10.211", 80): behind,
        ("", 30080): behind,
    }
    text = services.rules(found, ["172.20.0.0/16"])
    assert "--probability 0.5000000000 -j DNAT --to-destination 172.20.0.5:8080" in text
    assert "172.20.2.5" not in text
    assert text.splitlines()[0] == "*nat"
    assert text.endswith("COMMIT\n")


def test_a_port_by_name() -> None:
    named = service("web", "192.168.10.211", ports=[{"port": 80, "targetPort": "http"}])
    (cluster, outside) = services.frontends([named], [pod("a", "172.20.0.5")])
    assert cluster.backends == outside.backends == (("172.20.0.5", 8080),)


def _real() -> dict[str, Any]:
    if not REAL.is_dir():
        pytest.skip(f"{REAL} is not here: the real CRDs to compare with")
    found = (yaml.safe_load(path.read_text()) for path in REAL.glob("*.yaml"))
    return {each["metadata"]["name"]: each["spec"] for each in found}


def test_crds_are_named_as_the_real_ones() -> None:
    ours = {each["metadata"]["name"]: each["spec"] for each in crds.definitions()}
    real = _real()
    assert real.keys() <= ours.keys()
    for name, theirs in real.items():
        mine = ours[name]
        assert mine["scope"] == theirs["scope"], name
        assert mine["names"] == theirs["names"], name

        def versions(spec: Any) -> Any:
            return {
                each["name"]: (
                    each["storage"],
                    bool(each.get("subresources")),
                    [(one["name"], one["jsonPath"]) for one in each["additionalPrinterColumns"]],
                )
                for each in spec["versions"]
            }

        assert versions(mine) == versions(theirs), name


def test_fields_of_a_spec_are_the_real_ones() -> None:
    real = _real()

    def fields(schema: Any, at: str, found: set[str]) -> set[str]:
        for name, below in (schema.get("properties") or {}).items():
            found.add(f"{at}.{name}")
            fields(below, f"{at}.{name}", found)
        if isinstance(schema.get("items"), dict):
            fields(schema["items"], f"{at}[]", found)
        return found

    for each in crds.definitions():
        name = each["metadata"]["name"]
        spec = each["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
        if name not in real or "x-kubernetes-preserve-unknown-fields" in str(spec):
            continue
        theirs = next(one for one in real[name]["versions"] if one["storage"])
        wanted = theirs["schema"]["openAPIV3Schema"]["properties"]["spec"]
        assert fields(spec, "spec", set()) == fields(wanted, "spec", set()), name
