"""What is against LoadBalancer addresses, and what mends it."""

from __future__ import annotations

from typing import Any

import pytest

from ciliumlab.operations.load_balancer import against

WELL = {"status": "True", "reason": "satisfied", "message": ""}
APART = {"status": "False", "reason": "resolved", "message": ""}
NOT_SEEN = {"status": "", "reason": "", "message": ""}
LOGS = "Cilium's operator has not seen to it; kubectl -n kube-system logs deployment/cilium-operator"


def refused(reason: str, message: str) -> dict[str, str]:
    return {"status": "False", "reason": reason, "message": message}


def pool(verdict: Any) -> dict[str, Any]:
    return {"name": "lan", "conflict": verdict}


def service(name: str, verdict: Any, key: str = "", *ports: str) -> dict[str, Any]:
    return {"name": name, "key": key, "ports": list(ports), "satisfied": verdict}


@pytest.mark.parametrize(
    ("pools", "services", "lines"),
    [
        ([pool(APART)], [service("a/b", WELL)], []),
        ([], [], []),
        (
            [pool({"status": "True", "reason": "cidr_overlap", "message": "Pool conflicts since …"})],
            [],
            [
                "pool lan: Pool conflicts since …; change or delete one of the two: no address of this one"
                " is given out"
            ],
        ),
        ([pool(NOT_SEEN)], [], [f"pool lan: {LOGS}"]),
        ([pool(APART)], [service("a/b", NOT_SEEN)], [f"service a/b: {LOGS}"]),
        (
            [],
            [service("a/b", NOT_SEEN)],
            [
                "service a/b: there is no pool at all; declare a pool that has it and selects this service",
            ],
        ),
        (
            [pool(APART)],
            [service("a/b", refused("already_allocated", "The IP '1.2.3.4' is already allocated"))],
            [
                "service a/b: The IP '1.2.3.4' is already allocated (already_allocated); ask for another"
                " address, or give both services one lbipam.cilium.io/sharing-key"
            ],
        ),
        (
            [pool(APART)],
            [service("a/b", refused("novel", "Why"))],
            ["service a/b: Why (novel); kubectl describe service says more"],
        ),
        (
            [pool(APART)],
            [
                service("a/b", WELL, "k", "80/TCP", "81/TCP"),
                service("a/c", WELL, "k", "80/UDP"),
                service("a/d", WELL, "k", "80/TCP"),
                service("a/e", WELL, "", "80/TCP"),
            ],
            [
                "services a/b and a/d have the sharing key 'k', and cannot share an address, as both have"
                " port 80/TCP; give one of them another"
            ],
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_fix(pools: Any, services: Any, lines: list[str]) -> None:
    assert list(against({"pools": pools, "services": services, "trouble": []})) == lines
