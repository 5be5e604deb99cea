"""Which values are refused: each rule by its line, and all combinations against a table of what cannot be."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as fuzzed
from hypothesis import strategies as st

from ciliumlab.errors import DeclarationError
from ciliumlab.plan import build, doubts, render
from ciliumlab.plan.cilium.computed import values
from ciliumlab.plan.cilium.rules import refused

from .lab import plan, settings, topology

EXTRA = "cilium_extra_values: "


def lines(extra: dict[str, Any], shape: str = "", **changed: Any) -> list[str]:
    """What is told of a plan with these extra values, all of which must be told before it is made."""
    with pytest.raises(DeclarationError) as caught:
        plan(shape, cilium_extra_values=extra, **changed)
    assert caught.value.exit_status == 2
    told = [str(problem) for problem in caught.value.problems]
    assert not any("\n" in line for line in told)
    return [line.removeprefix(EXTRA) for line in told]


def ipv4_pools(*cidrs: str, mask: object = 24) -> dict[str, Any]:
    return {
        "ipam": {"operator": {"clusterPoolIPv4PodCIDRList": [*cidrs], "clusterPoolIPv4MaskSize": mask}},
    }


NO_CONNTRACK = {"installNoConntrackIptablesRules": False}
TUNNEL = {
    "routingMode": "tunnel",
    "autoDirectNodeRoutes": False,
    "directRoutingSkipUnreachable": False,
    **NO_CONNTRACK,
}
LIST = "ipam.operator.clusterPoolIPv4PodCIDRList"
MASK = "ipam.operator.clusterPoolIPv4MaskSize"


class TestRefusedByTheChart:
    """cilium.md's list, in its order."""

    @pytest.mark.parametrize("value", ["strict", "partial", "disabled", "probe", "True", 1])
    def test_kube_proxy_replacement(self, value: object) -> None:
        (line,) = lines({"kubeProxyReplacement": value})
        assert line in (
            f"kubeProxyReplacement: {value} is neither true nor false, and the chart refuses anything"
            " else; write true",
            f"kubeProxyReplacement: must be of type boolean or string, not the integer {value}; the"
            " chart's schema refuses it",
        )

    def test_hubble_s_page_without_relay(self) -> None:
        assert lines({"hubble": {"relay": {"enabled": False}}}) == [
            "hubble.relay.enabled: Hubble's web page asks the relay, and the chart refuses it without"
            " one; set hubble.relay.enabled to true, or hubble.ui.enabled to false"
        ]

    def test_relay_without_hubble(self) -> None:
        assert lines({"hubble": {"enabled": False}}) == [
            "hubble.enabled: the relay asks Hubble in the agents, and the chart refuses it without that;"
            " set hubble.enabled to true, or hubble.relay.enabled and hubble.ui.enabled to false"
        ]

    def test_tunnel(self) -> None:
        (line,) = lines({"tunnel": "vxlan"})
        assert line.startswith(
            "tunnel: was removed from Cilium's chart, which refuses it; use routingMode and"
        )

    def test_service_host_and_its_reference(self) -> None:
        assert lines({"k8sServiceHostRef": {"name": "a", "key": "b"}}) == [
            "k8sServiceHostRef.name: the chart refuses it beside k8sServiceHost, which follows from"
            " lab.yaml; leave it out"
        ]

    @pytest.mark.parametrize("name", ["", "a" * 33, "Lab", "a_b", "-a", "a-", "a.b"])
    def test_cluster_name(self, name: str) -> None:
        (line,) = lines({"cluster": {"name": name}})
        assert line.endswith(
            " is no name that the chart takes for a cluster; use 1 to 32 lower-case letters, digits and"
            " hyphens, with a letter or digit first and last"
        )

    def test_cluster_id(self) -> None:
        assert lines({"cluster": {"id": 3}}) == [
            "cluster.id: the chart refuses an id for a cluster with the name default; set cluster.name too"
        ]

    @pytest.mark.parametrize(
        "path",
        [
            ["prometheus"],
            ["operator", "prometheus"],
            ["envoy", "prometheus"],
            ["hubble", "metrics"],
        ],
    )
    def test_service_monitor(self, path: list[str]) -> None:
        extra: dict[str, Any] = {"serviceMonitor": {"enabled": True}}
        for name in reversed(path):
            extra = {name: extra}
        (line,) = lines(extra)
        assert line.startswith(
            f"{'.'.join(path)}.serviceMonitor.enabled: a ServiceMonitor is refused without the definitions"
            " of monitoring.coreos.com/v1, which this lab does not install; install them and set"
        )

    def test_pod_cidr_in_the_singular(self) -> None:
        (line,) = lines({"ipam": {"operator": {"clusterPoolIPv4PodCIDR": "172.20.0.0/16"}}})
        assert line.endswith("use ipam.operator.clusterPoolIPv4PodCIDRList")

    def test_ipv6_native_without_its_network(self) -> None:
        (line,) = lines({"ipv6": {"enabled": True}})
        assert line.startswith("ipv6.enabled: the chart refuses IPv6 in native mode without ipv6Native")

    def test_kubernetes_is_never_that_old(self) -> None:
        """Below 1.21 the chart refuses; settings want 1.31 already."""
        with pytest.raises(DeclarationError, match=r"older than 1\.31"):
            settings(kubernetes_version="1.20.15")


class TestFatalInTheAgent:
    """cilium.md's list, in its order."""

    def test_tunnel_with_direct_routes(self) -> None:
        assert lines({"autoDirectNodeRoutes": True}, datapath="vxlan") == [
            "autoDirectNodeRoutes: the agent does not start with autoDirectNodeRoutes in a tunnel, which"
            " all packets have to take; set datapath instead of routingMode, or autoDirectNodeRoutes to"
            " false"
        ]

    def test_no_conntrack_in_a_tunnel(self) -> None:
        assert lines({"installNoConntrackIptablesRules": True}, datapath="geneve") == [
            "installNoConntrackIptablesRules: the agent does not start with"
            " installNoConntrackIptablesRules in a tunnel, whose packets are not tracked anyway; set"
            " datapath instead of routingMode, or it to false"
        ]

    def test_no_conntrack_beside_kube_proxy(self) -> None:
        first, _ = lines({"kubeProxyReplacement": False})
        assert first == (
            "kubeProxyReplacement: the agent does not start with installNoConntrackIptablesRules where"
            " kube-proxy is not replaced, as its NAT needs the tracking; set it to false, or"
            " kubeProxyReplacement to true"
        )

    def test_no_conntrack_with_masquerading_by_iptables(self) -> None:
        assert lines({"bpf": {"masquerade": False}}) == [
            "bpf.masquerade: the agent does not start with installNoConntrackIptablesRules while iptables"
            " masquerades, which needs the tracking; set it to false, or bpf.masquerade to true"
        ]

    def test_bpf_masquerading_beside_kube_proxy(self) -> None:
        assert lines({"kubeProxyReplacement": False}, datapath="vxlan") == [
            "kubeProxyReplacement: the agent does not start with bpf.masquerade where kube-proxy is not"
            " replaced; set kubeProxyReplacement to true, or bpf.masquerade to false"
        ]

    def test_skipping_without_direct_routes(self) -> None:
        assert lines({"autoDirectNodeRoutes": False}) == [
            "autoDirectNodeRoutes: the agent does not start with directRoutingSkipUnreachable without"
            " autoDirectNodeRoutes, whose exception it is; set both or none of them"
        ]

    @pytest.mark.parametrize("cidr", ["", None])
    def test_native_without_its_network(self, cidr: object) -> None:
        assert lines({"ipv4NativeRoutingCIDR": cidr}) == [
            "ipv4NativeRoutingCIDR: the agent does not start in native mode without a network whose"
            " packets are not masqueraded; leave it out, then it is the pod CIDR of lab.yaml"
        ]

    @pytest.mark.parametrize(
        "cidr",
        ["172.20.0.0", "172.20.0.0/33", "172.20/16", "172.20.0.256/16", "01.2.3.0/24", "fd00::/64", "x"],
    )
    @pytest.mark.parametrize("datapath", ["native", "vxlan"])
    def test_network_that_does_not_parse(self, cidr: str, datapath: str) -> None:
        assert lines({"ipv4NativeRoutingCIDR": cidr}, datapath=datapath) == [
            f"ipv4NativeRoutingCIDR: {cidr} is no IPv4 network, and the agent does not start with it;"
            " leave it out, then it is the pod CIDR of lab.yaml"
        ]

    @pytest.mark.parametrize("mode", ["Native", "ipip", "vxlan", "disabled"])
    def test_unknown_routing_mode(self, mode: str) -> None:
        (line,) = lines({"routingMode": mode, **NO_CONNTRACK})
        assert line == (
            f"routingMode: {mode} is no routing mode, and the agent does not start with it; set datapath"
            " instead, which changes all that goes with it"
        )

    @pytest.mark.parametrize("datapath", ["native", "vxlan"])
    def test_unknown_tunnel_protocol(self, datapath: str) -> None:
        assert lines({"tunnelProtocol": "gre"}, datapath=datapath) == [
            "tunnelProtocol: gre is no tunnel protocol, and the agent does not start with it, not even in"
            " native mode; set datapath instead"
        ]

    @pytest.mark.parametrize("mode", ["dsr", "hybrid"])
    def test_direct_server_return_in_vxlan(self, mode: str) -> None:
        assert lines({"loadBalancer": {"mode": mode}}, datapath="vxlan") == [
            f"loadBalancer.mode: the agent does not start with loadBalancer.mode {mode} in a VXLAN tunnel;"
            " write snat, or set datapath to geneve and dsrDispatch too"
        ]

    def test_pools_that_overlap(self) -> None:
        assert lines(ipv4_pools("172.20.0.0/16", "172.20.4.0/22")) == [
            f"{LIST}: 172.20.4.0/22 overlaps 172.20.0.0/16, and the operator does not start with such"
            " pools; keep them apart"
        ]

    def test_pools_that_do_not_parse(self) -> None:
        assert lines(ipv4_pools("172.20.0.0/16", "172.21.0.0/36", "fd00::/64")) == [
            f"{LIST}: {text} is no IPv4 network, and the operator does not start with it; leave it out,"
            " then it is the pod CIDR of lab.yaml"
            for text in ("172.21.0.0/36", "fd00::/64")
        ]

    @pytest.mark.parametrize("mask", [33, 64, 0, -1])
    def test_masks_that_are_none(self, mask: int) -> None:
        assert lines(ipv4_pools("172.20.0.0/16", mask=mask)) == [
            f"{MASK}: {mask} is no prefix length, and the operator does not start with it; write 24"
        ]


class TestBeyondTheTables:
    """What does start, and can do nothing; and what the tables imply."""

    def test_no_pool(self) -> None:
        assert lines(ipv4_pools()) == [
            f"{LIST}: the operator does not start without any; leave it out, then it is lab.yaml's"
        ]

    @pytest.mark.parametrize(
        ("cidr", "whose"),
        [
            ("10.0.0.0/16", "10.0.2.0/24 of the NAT side (eth0 of every machine)"),
            ("10.96.0.0/24", "10.96.0.0/16 of kubernetes.service_cidr"),
            ("192.168.20.128/25", "192.168.20.0/24 of segments.net20"),
            ("10.10.3.0/24", "10.10.0.0/16 of router.summary"),
        ],
    )
    def test_pools_on_something_else(self, cidr: str, whose: str) -> None:
        (line,) = lines(ipv4_pools("172.20.0.0/16", cidr, mask=26))
        assert line == f"{LIST}: {cidr} overlaps {whose}; choose a network that is free"

    @pytest.mark.parametrize(
        ("mask", "line"),
        [
            (31, "/31 leaves a node no address for pods, as Cilium keeps two; write 24"),
            (12, "/12 is wider than the pool /16 that it is to be a share of; make the pool wider, or"
                 " the shares"
             " smaller"),
            (17, "the pools hold fewer shares of /17 than there are nodes (3); add a pool, or make the"
                 " shares"
             " smaller"),
        ],
    )  # fmt: skip
    def test_shares_without_room(self, mask: int, line: str) -> None:
        assert lines(ipv4_pools("172.20.0.0/16", mask=mask)) == [f"{MASK}: {line}"]

    @pytest.mark.parametrize(
        ("devices", "line"),
        [
            ("eth+", "devices: eth0 is the NAT side, whose address is every machine's; leave it out"),
            (["eth0", "eth1"], "devices: eth0 is the NAT side, whose address is every machine's; leave it"
             " out"),
            (["eth2"], "devices: lacks eth1, where nodes stand in the lab; leave it out, then it is in it"),
            ("", "devices: devices that the agent finds by itself would be eth0 too, whose address is every"
             " machine's; leave it out"),
        ],
    )  # fmt: skip
    def test_devices_are_never_the_nat_side(self, devices: object, line: str) -> None:
        assert lines({"devices": devices}) == [line]

    def test_devices_are_not_looked_for(self) -> None:
        (line,) = lines({"forceDeviceDetection": True})
        assert line.startswith(
            "forceDeviceDetection: devices that the agent finds by itself would be eth0 too"
        )

    def test_direct_server_return_in_geneve_needs_its_dispatch(self) -> None:
        (line,) = lines({"loadBalancer": {"mode": "dsr"}}, datapath="geneve")
        assert line.endswith("in a tunnel unless loadBalancer.dsrDispatch is geneve; set that too")

    def test_no_version_whose_keys_are_unknown(self) -> None:
        charts = {"cilium": {"version": "1.20.0", "url": "https://a.test/c.tgz", "sha256": "a" * 64}}
        with pytest.raises(DeclarationError) as caught:
            build(topology(), settings(cilium_version="1.20.0", charts=charts))
        assert str(caught.value) == (
            "cilium_version: 1.20.0: the keys of this chart are not known; known: 1.17, 1.18 and 1.19"
        )

    def test_all_at_once(self) -> None:
        told = lines(
            {
                "routingModee": "native",
                "MTU": "big",
                "kubeProxyReplacement": "strict",
                "hubble": {"enabled": False},
                "cluster": {"name": ""},
                "loadBalancer": {"mode": "fast"},
                "devices": "eth0",
                **ipv4_pools("nowhere", mask=40),
            }
        )
        assert sorted(line.partition(":")[0] for line in told) == sorted(
            [
                *("MTU", "routingModee", "kubeProxyReplacement", "hubble.enabled", "cluster.name"),
                *("devices", "devices", LIST),
            ]
        )


class TestAllowed:
    @pytest.mark.parametrize(
        ("datapath", "extra"),
        [
            ("native", {}),
            ("native", {"kubeProxyReplacement": "true"}),
            ("native", {"autoDirectNodeRoutes": "true"}),
            ("native", {"ipv4NativeRoutingCIDR": "172.16.0.0/12"}),
            ("native", {"ipv4NativeRoutingCIDR": "172.20.0.5/16"}),
            ("native", {"ipv4NativeRoutingCIDR": "", "enableIPv4Masquerade": False}),
            ("native", {"ipv4NativeRoutingCIDR": "", "ipMasqAgent": {"enabled": True}}),
            ("native", {"bpf": {"masquerade": False}, **NO_CONNTRACK}),
            ("native", {"bpf": {"masquerade": False}, "enableIPv4Masquerade": False}),
            ("native", {"kubeProxyReplacement": False, "bpf": {"masquerade": False}, **NO_CONNTRACK}),
            ("native", {"kubeProxyReplacement": False, "nodePort": {"enabled": True}, **NO_CONNTRACK}),
            ("native", {"cni": {"chainingMode": "portmap"}, "bpf": {"masquerade": False}}),
            ("native", {"loadBalancer": {"mode": "dsr"}}),
            ("native", {"loadBalancer": {"mode": "dsr", "dsrDispatch": "geneve"},
                        "tunnelProtocol": "geneve"}),
            ("native", TUNNEL),
            ("native", {"hubble": {"enabled": False, "relay": {"enabled": False}, "ui": {"enabled": False}}}),
            ("native", {"hubble": {"relay": {"enabled": False}, "ui": {"standalone": {"enabled": True}}}}),
            ("native", {"k8sServiceHostRef": {"name": "a", "key": "b"}, "k8sServiceHost": ""}),
            ("native", {"cluster": {"name": "lab", "id": 3}}),
            ("native", {"prometheus": {"serviceMonitor": {"enabled": True, "trustCRDsExist": True}}}),
            ("native", {"prometheus": {"enabled": False, "serviceMonitor": {"enabled": True}}}),
            ("native", {"ipv6": {"enabled": True}, "ipv6NativeRoutingCIDR": "fd00::/104"}),
            ("native", {"devices": ["eth1", "eth2"]}),
            ("native", {"devices": "eth1+"}),
            ("native", ipv4_pools("172.20.0.0/16", "172.21.0.0/16")),
            ("native", ipv4_pools("172.20.0.0/16", mask=18)),
            ("native", {"ipam": {"mode": "kubernetes", "operator": {"clusterPoolIPv4MaskSize": 99}}}),
            ("vxlan", {"loadBalancer": {"mode": "snat"}}),
            ("vxlan", {"loadBalancer": {"mode": "dsr"}, "kubeProxyReplacement": False,
                       "bpf": {"masquerade": False}}),
            ("vxlan", {"ipv4NativeRoutingCIDR": ""}),
            ("vxlan", {"ipv6": {"enabled": True}}),
            ("vxlan", {"tunnelProtocol": "geneve"}),
            ("geneve", {"loadBalancer": {"mode": "hybrid", "dsrDispatch": "geneve"}}),
        ],
    )  # fmt: skip
    def test_it_is_planned(self, datapath: str, extra: dict[str, Any]) -> None:
        assert plan(datapath=datapath, cilium_extra_values=extra)["helm_values"]


# All combinations of what goes together or does not. Each choice is a value for the chart, None for none.
CHOICES: dict[str, tuple[object, ...]] = {
    "routingMode": (None, "native", "tunnel"),
    "autoDirectNodeRoutes": (None, True, False),
    "directRoutingSkipUnreachable": (None, True, False),
    "installNoConntrackIptablesRules": (None, True, False),
    "kubeProxyReplacement": (None, False),
    "masquerade": (None, False),
    "enableIPv4Masquerade": (None, False),
    "ipv4NativeRoutingCIDR": (None, "", "172.20.0.0/40"),
    "loadBalancer": (None, "dsr"),
}

# What each datapath comes with in the reference lab, whose nodes stand on two segments.
COMES_WITH: dict[str, dict[str, object]] = {
    "native": {
        "routingMode": "native",
        "autoDirectNodeRoutes": True,
        "directRoutingSkipUnreachable": True,
        "installNoConntrackIptablesRules": True,
    },
    "vxlan": {
        "routingMode": "tunnel",
        "tunnelProtocol": "vxlan",
        "autoDirectNodeRoutes": False,
        "directRoutingSkipUnreachable": False,
        "installNoConntrackIptablesRules": False,
    },
}
COMES_WITH["geneve"] = {**COMES_WITH["vxlan"], "tunnelProtocol": "geneve"}
IN_ANY_CASE: dict[str, object] = {
    "tunnelProtocol": "vxlan",
    "kubeProxyReplacement": True,
    "masquerade": True,
    "enableIPv4Masquerade": True,
    "ipv4NativeRoutingCIDR": "172.20.0.0/16",
    "loadBalancer": "snat",
}

# cilium.md, "Accepted by the chart, fatal in the agent": what is together in the final values, and what the
# line about it says.
CANNOT_BE: tuple[tuple[dict[str, object], str], ...] = (
    ({"routingMode": "tunnel", "autoDirectNodeRoutes": True}, "autoDirectNodeRoutes in a tunnel"),
    ({"routingMode": "tunnel", "installNoConntrackIptablesRules": True}, "IptablesRules in a tunnel"),
    (
        {"kubeProxyReplacement": False, "installNoConntrackIptablesRules": True},
        "IptablesRules where kube-proxy",
    ),
    (
        {"enableIPv4Masquerade": True, "masquerade": False, "installNoConntrackIptablesRules": True},
        "IptablesRules while iptables masquerades",
    ),
    (
        {"enableIPv4Masquerade": True, "masquerade": True, "kubeProxyReplacement": False},
        "bpf.masquerade where kube",
    ),
    (
        {"directRoutingSkipUnreachable": True, "autoDirectNodeRoutes": False},
        "directRoutingSkipUnreachable without autoDirectNodeRoutes",
    ),
    (
        {"routingMode": "native", "enableIPv4Masquerade": True, "ipv4NativeRoutingCIDR": ""},
        "native mode without a network",
    ),
    ({"ipv4NativeRoutingCIDR": "172.20.0.0/40"}, "is no IPv4 network"),
    (
        {
            "routingMode": "tunnel",
            "tunnelProtocol": "vxlan",
            "loadBalancer": "dsr",
            "kubeProxyReplacement": True,
        },
        "in a VXLAN tunnel",
    ),
    (
        {
            "routingMode": "tunnel",
            "tunnelProtocol": "geneve",
            "loadBalancer": "dsr",
            "kubeProxyReplacement": True,
        },
        "unless loadBalancer.dsrDispatch is geneve",
    ),
)


def combinations() -> Iterator[dict[str, object]]:
    for chosen in itertools.product(*CHOICES.values()):
        yield {name: value for name, value in zip(CHOICES, chosen, strict=True) if value is not None}


def as_extra_values(chosen: dict[str, object]) -> dict[str, Any]:
    extra = dict(chosen)
    if "masquerade" in extra:
        extra["bpf"] = {"masquerade": extra.pop("masquerade")}
    if "loadBalancer" in extra:
        extra["loadBalancer"] = {"mode": extra["loadBalancer"]}
    return extra


@pytest.mark.parametrize("datapath", list(COMES_WITH))
def test_every_combination_agrees_with_the_table(datapath: str) -> None:
    lab, base = topology(), settings(datapath=datapath)
    wrong, counted, allowed = [], 0, 0
    for chosen in combinations():
        final = {**IN_ANY_CASE, **COMES_WITH[datapath], **chosen}
        expected = [said for together, said in CANNOT_BE if together.items() <= final.items()]
        with_them = replace(base, cilium_extra_values=as_extra_values(chosen))
        told = [problem.what for problem in refused(lab, with_them, values(lab, with_them))]
        matched = [said for said in expected if sum(said in what for what in told) == 1]
        if matched != expected or len(told) != len(expected):
            wrong.append((chosen, expected, told))
        counted += 1
        allowed += not expected
    assert wrong == []
    assert counted == 3888
    assert 100 < allowed < 1000


def test_a_key_that_cannot_be_printed_is_told_in_one_line_nevertheless() -> None:
    what = "is no key of Cilium's chart 1.18, which would not look at it"
    told = lines({"": 1, "bgp\x1b[2J": {"a\nb": 1}})
    assert [line.partition("; ")[0] for line in told] == [f"'': {what}", f"'bgp\\x1b[2J': {what}"]


_LEAVES = st.none() | st.booleans() | st.integers(-1, 40) | st.sampled_from(
    ["", "true", "native", "tunnel", "geneve", "dsr", "172.20.0.0/16", "eth+", "5s", "x"]
)  # fmt: skip
_KEYS = st.sampled_from(
    [
        *("routingMode", "tunnelProtocol", "autoDirectNodeRoutes", "devices", "ipv4NativeRoutingCIDR", "bpf"),
        *(
            "hubble",
            "ui",
            "relay",
            "enabled",
            "cluster",
            "name",
            "id",
            "loadBalancer",
            "mode",
            "ipam",
            "operator",
        ),
        *("clusterPoolIPv4PodCIDRList", "clusterPoolIPv4MaskSize", "l2announcements", "leaseRenewDeadline"),
        *("leaseDuration", "leaseRetryPeriod", "k8sClientRateLimit", "qps", "kubeProxyReplacement", "x"),
    ]
)
_VALUES = st.recursive(
    _LEAVES,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@fuzzed(max_examples=400)
@given(extra=st.dictionaries(_KEYS, _VALUES, max_size=6))
def test_whatever_the_values_are_there_is_a_plan_or_there_are_lines(extra: dict[str, Any]) -> None:
    lab, chosen = topology(), replace(settings(), cilium_extra_values=extra, l2_announcements=True)
    try:
        built = build(lab, chosen)
    except DeclarationError as error:
        assert len(str(error).splitlines()) == len(error.problems) > 0
    else:
        assert render(built)
    assert all("\n" not in str(doubt) for doubt in doubts(lab, chosen))
