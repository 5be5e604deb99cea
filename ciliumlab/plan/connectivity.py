"""What connectivity tests take for the world outside."""

from __future__ import annotations

from typing import Protocol, TypedDict

from ciliumlab.topology import Topology


class Settings(Protocol):
    """The settings that this module reads."""

    @property
    def mirror(self) -> str: ...


class Outside(TypedDict):
    """Two addresses that are no node's, and a network that has both."""

    address: str
    other: str
    network: str


def outside(topology: Topology, settings: Settings) -> Outside | None:
    """The router's dummies, where there is a mirror and so no internet; None where the internet is.

    Without a summary no network has them all, and without dummies nothing can stand for the world.
    """
    router = topology.router
    if not settings.mirror or not router.dummies or router.summary is None:
        return None
    first, *rest = [str(dummy.cidr.ip) for dummy in router.dummies]
    return Outside(address=first, other=rest[0] if rest else first, network=str(router.summary))
