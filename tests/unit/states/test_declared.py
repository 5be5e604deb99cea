"""What the states expect of Cilium, against what the real chart makes of the same values."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.states import declared
from tests.unit.plan.lab import plan
from tests.unit.plan.test_rendering import named, template

MODES: list[dict[str, Any]] = [
    {},
    {"datapath": "vxlan"},
    {"datapath": "geneve", "l2_announcements": True},
    {"pod_routes": "bgp"},
    {
        "cilium_extra_values": {
            "MTU": 1400,
            "hubble": {"metrics": {"enabled": []}},
            "debug": {"enabled": False},
        }
    },
]


@pytest.mark.parametrize("changed", MODES, ids=str)
def test_configuration(tmp_path: Path, changed: dict[str, Any]) -> None:
    values = plan(**changed)["helm_values"]
    made = template(tmp_path, values)
    assert made.returncode == 0, made.stderr
    objects = tuple(filter(None, yaml.safe_load_all(made.stdout)))
    found = named(objects, "ConfigMap", "cilium-config")["data"]
    wanted = declared.configuration(values)
    assert {key: declared.same_word(found.get(key, "")) for key in wanted} == wanted


def node(name: str, shape: str = "", **changed: Any) -> dict[str, Any]:
    """A host's data, as far as it is asked for here."""
    found = plan(shape, **changed)
    settings = {"pod_routes": "none", "l2_announcements": False, "bgp_load_balancer_ips": False, **changed}
    return {
        **found["hosts"][name],
        **settings,
        "helm_values": found["helm_values"],
        "kubernetes_objects": found["manifests"],
    }


@pytest.mark.parametrize(
    ("changed", "beside", "across"),
    [
        ({}, True, False),
        ({"pod_routes": "static"}, True, True),
        ({"pod_routes": "bgp"}, True, True),
        ({"datapath": "vxlan"}, True, True),
        (
            {"cilium_extra_values": {"autoDirectNodeRoutes": False, "directRoutingSkipUnreachable": False}},
            False,
            False,
        ),
    ],
    ids=str,
)
def test_who_reaches_whose_pods(changed: dict[str, Any], beside: bool, across: bool) -> None:
    first, second, third = (node(name, **changed) for name in ("k8s-ctr", "k8s-w1", "k8s-w0"))
    assert declared.reaches_pods(first, first)
    assert (declared.reaches_pods(first, second), declared.reaches_pods(first, third)) == (beside, across)


@pytest.mark.parametrize(
    ("changed", "mtu"),
    [
        ({}, 1500),
        ({"datapath": "geneve"}, 1450),
        ({"cilium_extra_values": {"MTU": 1400}}, 1400),
        (
            {
                "datapath": "vxlan",
                "cilium_extra_values": {"encryption": {"enabled": True, "type": "wireguard"}},
            },
            1370,
        ),
    ],
    ids=str,
)
def test_route_mtu(changed: dict[str, Any], mtu: int) -> None:
    assert declared.route_mtu(node("k8s-ctr", **changed)) == mtu


def test_places() -> None:
    found = declared.places(node("k8s-ctr", workloads=True))
    webs = [f"{app} {number}" for app in ("webpod", "netshoot-web") for number in (1, 2, 3)]
    assert list(map(str, found)) == ["curl", *webs]
    assert declared.places(node("k8s-ctr")) == []


def test_names_are_the_plans() -> None:
    """Those that stand in the states' own words."""
    data = node("k8s-ctr", workloads=True)
    assert declared.WEB in [one["metadata"]["name"] for one in declared.objects(data, "Service")]
    assert declared.ASKER in {place.app for place in declared.places(data) if place.of == 1}


def test_who_knows_of_addresses() -> None:
    assert not declared.announced(node("k8s-ctr"))
    assert declared.announced(node("k8s-ctr", l2_announcements=True))
    assert not declared.announced(node("k8s-ctr", pod_routes="bgp"))
    assert declared.announced(node("k8s-ctr", pod_routes="bgp", bgp_load_balancer_ips=True))
