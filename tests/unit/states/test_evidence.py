"""What the states leave for a report: all that they have asked for, and nothing that they have not."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ciliumlab.report.found import EVIDENCE, nothing
from tests.states import evidence, lab
from tests.states.expect import expect
from tests.states.found import cilium, containerd, kubernetes, network, objects

ROOT = Path(__file__).parents[3]


@pytest.fixture
def seen() -> Iterator[lab.Lab]:
    """The reference lab with workloads, that nobody has looked at yet."""
    seen = lab.read(ROOT / "inventory" / "lab.py", ["workloads=true"])
    yield seen
    seen.close()


def test_nothing_is_asked(seen: lab.Lab) -> None:
    """There is no such lab, and a question would fail."""
    assert evidence.found(seen) == nothing()


def test_all_that_was_seen(seen: lab.Lab) -> None:
    first, router = seen.first, seen.routers[0]
    routes = ["default via 10.0.2.2 dev eth0 proto dhcp src 10.0.2.15 metric 100"]
    service = {
        "metadata": {"namespace": "default", "name": "webpod"},
        "spec": {},
        "status": {"loadBalancer": {"ingress": [{"ip": "192.168.10.211"}]}},
    }
    lease = {"metadata": {"name": "cilium-l2announce-default-webpod"}, "spec": {"holderIdentity": "k8s-w1"}}
    kinds = {**dict.fromkeys(objects.questions(), ""), "Service": [service], "Lease": [lease]}
    found = objects.Objects(
        {kind: items or [] for kind, items in kinds.items()}, {"default/webpod": "k8s-w1"}
    )
    told = {"health": '{"cilium": {"state": "Ok", "msg": "1.18.0 (v1.18.0-abc)"}, "routing": ROUTING}'}
    routing = '{"inter-host-routing-mode": "Tunnel", "tunnel-protocol": "geneve"}'
    agent = cilium.read_agent({"health": told["health"].replace("ROUTING", routing), "config": "{}"})
    release = cilium.Release("", "", {}, {}, _NONE, _NONE, {}, {"k8s-ctr": ["172.20.0.0/24"]})
    for machine, topic, value in (
        (router, "network", _made(network.Network, routes=routes)),
        (first, "_agent", agent),
        (first, "_kubelet", _made(kubernetes.Kubelet, packages={"kubelet": "1.33.2-1.1"})),
        (first, "_containerd", _made(containerd.Containerd, packages={"containerd.io": "1.7.27-1"})),
        (first, "_release", release),
        (first, "_objects", found),
    ):
        machine.told[vars(lab.Machine)[topic]] = value
    assert evidence.found(seen) == {
        "routes": {"router": routes},
        "pod_cidrs": {"k8s-ctr": ["172.20.0.0/24"]},
        "datapaths": {"k8s-ctr": "geneve"},
        "versions": {"k8s-ctr": {"Kubernetes": "1.33.2", "Cilium": "1.18.0", "containerd": "1.7.27"}},
        "services": [{"name": "default/webpod", "addresses": ["192.168.10.211"], "leader": "k8s-w1"}],
    }


def test_each_comparison_is_kept(seen: lab.Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    kept: evidence.Properties = []
    monkeypatch.setattr(evidence, "_kept", kept)
    expect(seen.first, "zone", "Asia/Seoul", "Asia/Seoul")
    with pytest.raises(pytest.fail.Exception):
        expect(seen.first, "swap", [], ["/swap.img" * 1000])
    assert kept[0] == (EVIDENCE, "k8s-ctr: zone: expected Asia/Seoul, found Asia/Seoul")
    assert str(kept[1][1]).startswith("k8s-ctr: swap: expected none, found /swap.img")
    assert len(str(kept[1][1])) < 2100


_NONE = cilium.Rollout(0, 0, 0)


def _made(kind: type, **values: object) -> object:
    """One of which only these fields matter."""
    one = object.__new__(kind)
    for name, value in values.items():
        object.__setattr__(one, name, value)
    return one
