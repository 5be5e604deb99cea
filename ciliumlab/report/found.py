"""What checks have found on the machines, as tests/states leave it in their results for a report."""

from __future__ import annotations

from typing import Final, TypedDict

# Names of properties in JUnit XML: of a whole run, and of a test.
FOUND: Final = "ciliumlab.found"
DATA: Final = "ciliumlab.data"
EVIDENCE: Final = "ciliumlab.evidence"


class Service(TypedDict):
    """``name`` with its namespace; ``leader`` is the node that answers for its addresses, or ""."""

    name: str
    addresses: list[str]
    leader: str


class Found(TypedDict):
    """Machines' names with the lines of ``ip -4 route``, and with the versions of programs; nodes' with
    their pods' networks and the datapath that their agents run. What was not looked at is left out.
    """

    routes: dict[str, list[str]]
    pod_cidrs: dict[str, list[str]]
    datapaths: dict[str, str]
    versions: dict[str, dict[str, str]]
    services: list[Service]


def nothing() -> Found:
    return {"routes": {}, "pod_cidrs": {}, "datapaths": {}, "versions": {}, "services": []}
