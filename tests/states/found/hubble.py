"""What Hubble's server on a node tells of the packets that it saw."""

from __future__ import annotations

import json
from dataclasses import dataclass

from .shell import Answers

_SOCKET = "/var/run/cilium/hubble.sock"

# More than all pings of these tests are, on one node.
_LAST = 2000


@dataclass(frozen=True)
class Flows:
    """``trouble`` is why there are none. Each flow: source, destination, where it was seen ("TO_OVERLAY"),
    and what became of it ("FORWARDED"); names as of api/v1/flow/flow.proto of cilium/cilium.
    """

    trouble: str
    flows: set[tuple[str, str, str, str]]

    def seen(self, source: str, target: str) -> set[tuple[str, str]]:
        return {
            (where, verdict) for one, other, where, verdict in self.flows if (one, other) == (source, target)
        }


def questions() -> dict[str, str]:
    return {
        "server": f"test -S {_SOCKET} && echo there",
        "program": "PATH=$PATH:/usr/local/bin hubble version 2>&1 | head -n 1",
        "flows": (
            f"PATH=$PATH:/usr/local/bin hubble observe --server unix://{_SOCKET} --last {_LAST}"
            " --protocol icmp --type trace --output jsonpb 2>&1"
        ),
    }


def read(found: Answers) -> Flows:
    if not found["server"].strip():
        return Flows(f"there is no Hubble server at {_SOCKET}", set())
    flows, others = set(), []
    for line in found["flows"].splitlines():
        try:
            flow = json.loads(line)["flow"]
        except (ValueError, LookupError, TypeError):
            others.append(line)
            continue
        ends = flow.get("IP", {})
        flows.add(
            (
                ends.get("source", ""),
                ends.get("destination", ""),
                flow.get("trace_observation_point", ""),
                flow.get("verdict", ""),
            )
        )
    if not flows:
        program = found["program"].strip() or "no program hubble"
        return Flows(f"{program}: {' '.join(others)[-200:] or 'it knows of no packet'}", set())
    return Flows("", flows)
