"""Whether what a deploy downloads can be had, asked from the controller, whose network its machines share."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import fields
from functools import partial
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from ciliumlab import preflight
from ciliumlab import sources as known
from ciliumlab.doctor.asking import together
from ciliumlab.doctor.finding import Finding
from ciliumlab.errors import Problem
from ciliumlab.findings import Answer, Reached
from ciliumlab.machines import image
from ciliumlab.plan.hosts import hosts
from ciliumlab.preflight import Wants
from ciliumlab.settings import Settings
from ciliumlab.topology import Topology

# Seconds for a connection; a mirror or a registry that is there answers a question for headers at once.
_PATIENCE = 8

# The controller's loopback, as the machines' NAT calls it, and as it does itself.
_GATEWAY, _LOOPBACK = "//10.0.2.2", "//127.0.0.1"


def wanted(topology: Topology, settings: Settings) -> dict[str, Wants]:
    """What each machine is to be, by name."""
    data = {one.name: getattr(settings, one.name) for one in fields(settings)} | known.everything(settings)
    planned = hosts(topology, settings)
    return {name: preflight.wanted({**data, **host}, host["groups"]) for name, host in planned.items()}


def sources(everyone: Sequence[Wants], settings: Settings) -> Iterator[Finding]:
    """Sources that cannot be had, of what any machine needs; of a mirror that is not there, that alone."""
    if settings.mirror and not (answer := ask(settings.mirror))["status"]:
        what = f"does not answer ({answer['trouble']}); run ciliumlab mirror serve DIR, or unset mirror"
        yield Finding(settings.mirror, what, settings.cluster == "required")
        return
    # Which distribution the machines will have shows when they are made; what is asked for is there for any.
    reached = Reached(distribution="ubuntu", codename="noble", arch=image.architecture(), answers={})
    asked = [preflight.addresses(reached, wants) for wants in everyone]
    reached["answers"] = _asked({address for addresses in asked for address in addresses})
    for wants in everyone:
        for problems in preflight.unreachable(reached, wants).values():
            yield from (lost(problem, wants) for problem in problems)


def lost(problem: Problem, wants: Wants) -> Finding:
    """A source that cannot be had; with ``cluster`` "auto" a deploy does without."""
    return Finding(problem.where, problem.what, wants["cluster"] == "required")


def _asked(addresses: Collection[str]) -> dict[str, Answer]:
    silent = Answer(status=0, trouble=f"no answer within {2 * _PATIENCE} s")
    answers = together({address: partial(ask, address) for address in addresses}, 2 * _PATIENCE)
    return {address: answers.get(address, silent) for address in addresses}


def ask(address: str) -> Answer:
    """What is answered at an address to a question for its headers."""
    try:
        request = Request(address.replace(_GATEWAY, _LOOPBACK, 1), method="HEAD")
        with urlopen(request, timeout=_PATIENCE) as answer:
            return Answer(status=answer.status, trouble="")
    except HTTPError as error:
        return Answer(status=error.code, trouble="")
    except (OSError, ValueError) as error:
        return Answer(status=0, trouble=" ".join(str(getattr(error, "reason", error)).split()))
