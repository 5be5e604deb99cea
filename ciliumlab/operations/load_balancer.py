"""LoadBalancer addresses: that every service has what it asks for, and no pool is in another's way."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from pyinfra.context import host

from ciliumlab.facts.load_balancer import LoadBalancer, LoadBalancerState
from ciliumlab.operations.api import Commands, Refused, operation, preparing, read
from ciliumlab.operations.waits import Until

# How to mend what LB-IPAM says, by its reasons (satisfyService in operator/pkg/lbipam/lbipam.go).
_FIXES = {
    "no_pool": "declare a pool that has it and selects this service",
    "pool_selector_mismatch": "give the service the labels that the pool selects, or ask for another address",
    "already_allocated": "ask for another address, or give both services one lbipam.cilium.io/sharing-key",
    "already_allocated_incompatible_service": "ask for another address, or make the services fit together",
    "out_of_ips": "widen the pool, or delete a service",
}


@operation
def served(timeout: int = 60) -> Commands:
    """
    Make sure that every service of type LoadBalancer has its address, and that no pools overlap.

    + timeout: seconds in which Cilium's operator has to have seen to what was changed just before

    What is wrong is said with what mends it, a line each. Nothing is changed.
    """
    found = read(LoadBalancer)
    if preparing():
        host.noop("to be seen once everything is applied")
    elif found["trouble"]:
        raise Refused(f"the cluster does not answer ({found['trouble'][0].strip()}); nothing was changed")
    elif not list(against(found)):
        host.noop(f"{len(found['services'])} services have their addresses")
    else:
        yield Until(
            "LoadBalancer addresses are given out", lambda: list(against(read(LoadBalancer))), timeout
        )


def against(found: LoadBalancerState) -> Iterator[str]:
    """What is wrong, a line each."""
    for trouble in found["trouble"][:1]:
        yield f"the cluster does not answer ({trouble.strip()})"
    for pool in found["pools"]:
        if pool["conflict"]["status"] == "True":
            yield (
                f"pool {pool['name']}: {pool['conflict']['message']}; change or delete one of the two:"
                " no address of this one is given out"
            )
        elif not pool["conflict"]["status"]:
            yield f"pool {pool['name']}: {_UNSEEN}"
    for service in found["services"]:
        verdict = service["satisfied"]
        if verdict["status"] == "False":
            fix = _FIXES.get(verdict["reason"], "kubectl describe service says more")
            yield f"service {service['name']}: {verdict['message']} ({verdict['reason']}); {fix}"
        elif not verdict["status"] and not found["pools"]:
            yield f"service {service['name']}: there is no pool at all; {_FIXES['no_pool']}"
        elif not verdict["status"]:
            yield f"service {service['name']}: {_UNSEEN}"
    # Where they ask for no address, LB-IPAM gives each of these one of its own without a word.
    for one, other in combinations(found["services"], 2):
        if one["key"] and one["key"] == other["key"] and (both := {*one["ports"]} & {*other["ports"]}):
            yield (
                f"services {one['name']} and {other['name']} have the sharing key {one['key']!r}, and cannot"
                f" share an address, as both have port {', '.join(sorted(both))}; give one of them another"
            )


_UNSEEN = "Cilium's operator has not seen to it; kubectl -n kube-system logs deployment/cilium-operator"
