"""What passes a router while others talk: recorded by tcpdump(8), and read afterwards."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .shell import Answers

# UDP ports of the tunnels, as Cilium has them by default.
TUNNEL_PORTS = {"vxlan": 8472, "geneve": 6081}

# The folder is made by root alone; a recording ends with its time if nobody ends it.
_FOLDER = "/run/ciliumlab-capture"
_FILE = f"{_FOLDER}/packets.pcap"
_SECONDS = 120

_PACKET = re.compile(r"\bIP (\d+(?:\.\d+){3})\S* > (\d+(?:\.\d+){3})")


@dataclass(frozen=True)
class Capture:
    """Packets as pairs of source and destination: ``tunnelled`` by the tunnel's name, and ``bare``, which
    are ICMP of pods that anybody can read.
    """

    tunnelled: dict[str, set[tuple[str, str]]]
    bare: set[tuple[str, str]]
    said: str


def start(pods: Sequence[str]) -> dict[str, str]:
    """A question after which all is recorded that ``read`` tells; ``pods`` are the networks of all pods."""
    ports = " or ".join(f"udp port {port}" for port in TUNNEL_PORTS.values())
    return {
        "started": (
            f"rm -rf {_FOLDER}; mkdir -m 0700 {_FOLDER} && cd {_FOLDER} && {{"
            f" setsid timeout {_SECONDS} tcpdump -i any -n -U --immediate-mode -Z root -w {_FILE}"
            f" '{ports} or (icmp and ({_either('net', pods)}))' < /dev/null > said 2>&1 & echo $! > process;"
            # Packets that come before it says so are missed.
            " for try in $(seq 150); do grep -q 'listening on' said && break; sleep 0.2; done; cat said; }"
        )
    }


def read_start(found: Answers) -> None:
    """ValueError when nothing is being recorded."""
    if "listening on" not in found["started"]:
        raise ValueError("tcpdump has not begun")


def stop(pods: Sequence[str]) -> dict[str, str]:
    """Questions that end the recording and tell what is in it."""
    read = f"tcpdump -n -q -t -Z root -r {_FILE}"
    return {
        # What was seen is written at once, but may still be on its way to tcpdump.
        "ended": (
            f"cd {_FOLDER} && sleep 1 && process=$(cat process) && kill $process;"
            " for try in $(seq 50); do kill -0 $process || break; sleep 0.1; done; cat said"
        ),
        **{name: f"{read} 'udp port {port}'" for name, port in TUNNEL_PORTS.items()},
        "bare": f"{read} 'icmp and ({_either('src net', pods)}) and ({_either('dst net', pods)})'",
        "removed": f"rm -rf {_FOLDER}",
    }


def _either(what: str, networks: Sequence[str]) -> str:
    return " or ".join(f"{what} {network}" for network in networks)


def read(found: Answers) -> Capture:
    return Capture(
        tunnelled={name: _packets(found[name]) for name in TUNNEL_PORTS},
        bare=_packets(found["bare"]),
        said="\n".join(found[name] for name in ("ended", *TUNNEL_PORTS, "bare")).strip(),
    )


def _packets(text: str) -> set[tuple[str, str]]:
    """Lines such as "eth1  In  IP 192.168.10.100.42424 > 192.168.20.100.8472: UDP, length 106"."""
    return {(source, target) for source, target in _PACKET.findall(text)}
