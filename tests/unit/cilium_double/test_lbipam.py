"""LB-IPAM as functions: pools and services in, addresses and conditions out."""

from __future__ import annotations

from typing import Any

import pytest
from cilium.lbipam import SATISFIED, Allocation, service_status


def pool(name: str, *blocks: Any, made: int = 0, **spec: Any) -> dict[str, Any]:
    def block(each: Any) -> dict[str, str]:
        return {"cidr": each} if isinstance(each, str) else {"start": each[0], "stop": each[1]}

    return {
        "metadata": {"name": name, "creationTimestamp": f"2025-01-01T00:00:{made:02}Z", "generation": 1},
        "spec": {"blocks": [block(each) for each in blocks], **spec},
    }


def service(
    name: str,
    port: int = 80,
    made: int = 0,
    has: str = "",
    labels: dict[str, str] | None = None,
    namespace: str = "default",
    policy: str = "Cluster",
    **annotations: str,
) -> dict[str, Any]:
    return {
        "metadata": {
            "name": name, "namespace": namespace, "labels": labels or {},
            "creationTimestamp": f"2025-01-01T00:00:{made:02}Z",
            "annotations": {f"lbipam.cilium.io/{key.replace('_', '-')}": value
                            for key, value in annotations.items()},
        },
        "spec": {"type": "LoadBalancer", "ports": [{"port": port}], "externalTrafficPolicy": policy,
                 "selector": {"app": "web"}},
        "status": {"loadBalancer": {"ingress": [{"ip": has}]}} if has else {"loadBalancer": {}},
    }  # fmt: skip


POOL = pool("lab", ("192.168.10.211", "192.168.10.215"))


def given(*services: dict[str, Any], pools: tuple[dict[str, Any], ...] = (POOL,)) -> dict[str, str]:
    """Each service's address, or the reason why it has none."""
    found = Allocation(pools, services).services
    return {each.name: ",".join(map(str, each.addresses)) or each.reason for each in found}


def test_the_first_free_one_in_the_order_of_making() -> None:
    assert given(service("b", made=2), service("a", made=1)) == {
        "a": "192.168.10.211",
        "b": "192.168.10.212",
    }


def test_what_a_service_has_it_keeps() -> None:
    assert given(service("old", made=2, has="192.168.10.211"), service("new", made=1)) == {
        "new": "192.168.10.212",
        "old": "192.168.10.211",
    }


def test_a_request_moves_it() -> None:
    assert given(service("web", has="192.168.10.211", ips="192.168.10.215")) == {"web": "192.168.10.215"}


@pytest.mark.parametrize(
    ("services", "reason", "message"),
    [
        ([service("web", ips="10.0.0.1")], "no_pool", "No pool exists with a CIDR containing '10.0.0.1'"),
        (
            [service("first", has="192.168.10.215"), service("web", made=1, ips="192.168.10.215")],
            "already_allocated",
            "The IP '192.168.10.215' is already allocated to another service",
        ),
        (
            [
                service("first", ips="192.168.10.215", sharing_key="1234"),
                service("web", made=1, ips="192.168.10.215", sharing_key="1234"),
            ],
            "already_allocated_incompatible_service",
            "The IP '192.168.10.215' is already allocated to an incompatible service. Reason: same port: 80",
        ),
        (
            [
                service("first", ips="192.168.10.215", sharing_key="1234"),
                service("web", port=8080, made=1, ips="192.168.10.215", sharing_key="other"),
            ],
            "already_allocated_incompatible_service",
            "The IP '192.168.10.215' is already allocated to an incompatible service. "
            "Reason: different sharing key",
        ),
        (
            [*(service(f"s{number}") for number in range(5)), service("web", made=9)],
            "out_of_ips",
            "All enabled CiliumLoadBalancerIPPools that match this service ran out of allocatable IPs",
        ),
    ],
)
def test_a_request_that_cannot_be_met(services, reason: str, message: str) -> None:
    found = next(each for each in Allocation([POOL], services).services if each.name == "web")
    status = service_status(found)
    assert status is not None
    (condition,) = status["conditions"]
    assert condition["type"] == SATISFIED
    assert (condition["status"], condition["reason"], condition["message"]) == ("False", reason, message)


def test_two_services_share_an_address_by_their_key() -> None:
    shared = {"ips": "192.168.10.215", "sharing_key": "1234"}
    first, second = service("a", **shared), service("b", port=8080, made=1, **shared)
    assert given(first, second) == {"a": "192.168.10.215", "b": "192.168.10.215"}
    # Without an address asked for, too.
    assert (
        len(set(given(service("a", sharing_key="k"), service("b", port=81, sharing_key="k")).values())) == 1
    )
    apart = service("b", port=8080, made=1, namespace="other", **shared)
    assert given(first, apart)["b"] == "already_allocated_incompatible_service"
    both = {**shared, "sharing_cross_namespace": "*"}
    allowed = service("a", **both), service("b", port=8080, made=1, namespace="other", **both)
    assert len(set(given(*allowed).values())) == 1


def test_a_pool_takes_the_services_that_it_selects() -> None:
    pools = (
        pool("net10", "192.168.10.0/29", serviceSelector={"matchLabels": {"segment": "net10"}}),
        pool("net20", "192.168.20.0/29", serviceSelector={"matchLabels": {"segment": "net20"}}),
    )
    assert given(service("a", labels={"segment": "net20"}), service("b", made=1), pools=pools) == {
        "a": "192.168.20.0",
        "b": "no_pool",
    }
    mismatch = service("c", labels={"segment": "net20"}, ips="192.168.10.3")
    assert given(mismatch, pools=pools) == {"c": "pool_selector_mismatch"}


def test_first_and_last_are_only_kept_of_a_network() -> None:
    kept = pool("kept", "10.0.0.0/30", allowFirstLastIPs="No")
    assert given(service("a"), pools=(kept,)) == {"a": "10.0.0.1"}
    ranged = pool("range", ("10.0.0.0", "10.0.0.3"), allowFirstLastIPs="No")
    assert given(service("a"), pools=(ranged,)) == {"a": "10.0.0.0"}


def test_a_disabled_pool_gives_no_more() -> None:
    disabled = pool("off", "10.0.0.0/30", disabled=True)
    assert given(service("a", has="10.0.0.2"), service("b", made=1), pools=(disabled,)) == {
        "a": "10.0.0.2",
        "b": "no_pool",
    }


def conditions(pools, *services) -> dict[str, dict[str, tuple[str, str, str]]]:
    allocation = Allocation(pools, services)
    return {
        name: {
            each["type"].removeprefix("cilium.io/"): (each["status"], each["reason"], each["message"])
            for each in (allocation.pool_status(name) or {"conditions": []})["conditions"]
        }
        for name in allocation.pools
    }


def test_pools_tell_their_counts() -> None:
    found = conditions([POOL], service("a"), service("b", made=1))["lab"]
    assert found == {
        "PoolConflict": ("False", "resolved", ""),
        "IPsTotal": ("Unknown", "noreason", "5"),
        "IPsAvailable": ("Unknown", "noreason", "3"),
        "IPsUsed": ("Unknown", "noreason", "2"),
    }


def test_the_younger_of_two_pools_that_overlap_is_not_used() -> None:
    younger = pool("more", ("192.168.10.215", "192.168.10.220"), made=5)
    found = conditions([younger, POOL])
    assert found["lab"]["PoolConflict"] == ("False", "resolved", "")
    assert found["more"]["PoolConflict"] == (
        "True",
        "cidr_overlap",
        "Pool conflicts since range '192.168.10.215 - 192.168.10.220' overlaps range "
        "'192.168.10.211 - 192.168.10.215' from IP Pool 'lab'",
    )
    assert given(service("a", ips="192.168.10.218"), pools=(younger, POOL)) == {"a": "no_pool"}


def test_what_is_right_is_not_written_again() -> None:
    (first,) = Allocation([POOL], [service("a")]).services
    status = service_status(first)
    assert status is not None
    settled = {**first.object, "status": status}
    (again,) = Allocation([POOL], [settled]).services
    assert service_status(again) is None
    known = {**POOL, "status": Allocation([POOL], [settled]).pool_status("lab")}
    assert Allocation([known], [settled]).pool_status("lab") is None


def test_others_services_are_left_alone() -> None:
    cluster = {**service("a"), "spec": {"type": "ClusterIP"}}
    foreign = service("b")
    foreign["spec"]["loadBalancerClass"] = "example.com/other"
    assert given(cluster, foreign) == {}
