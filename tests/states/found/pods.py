"""What a node and the pods on it reach, by the node's own programs in the pods' network namespaces."""

from __future__ import annotations

import re
import shlex
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

_SENT = re.compile(r"(\d+) packets? transmitted, (\d+) received")
_TOO_LONG = re.compile(r"message too l(?:ong|arge)", re.IGNORECASE)
_ANSWER = re.compile(r"^(?:Hostname: |OK from )(\S+)", re.MULTILINE)
_SHARE = re.compile(r"^ *(\d+) (?:Hostname: |OK from )(\S+)", re.MULTILINE)
_MAC = re.compile(r" lladdr ([0-9a-f:]{17})\b")

# So many questions are asked at a time on one node.
AT_ONCE = 12

# IPv4's header and ICMP's, which a packet has beside its data.
_HEADERS = 28
# Seconds in which a packet that is expected to be lost has time to come back, and one that is not. The
# latter is sent until the first answer, as in reach.py.
_LOST, _PATIENCE = 3, 15
# Seconds after which a connection is taken to go to a pod that is out of reach. What a busy pod did not take
# is sent once more after 1 s, for which only those have time that are not tried again.
_TRIED_AGAIN, _TRIED_ONCE = 1, 3
# Between the answers to several commands in one question.
_THEN = "==then=="


# `inside ADDRESS COMMAND…` runs it in the network namespace that has the address: the one that CNI's
# plugins have filled, below /run/netns.
FUNCTIONS = r"""
namespaces=$(for one in /run/netns/*; do
    nsenter --net="$one" ip -oneline -4 address 2>/dev/null | sed -n "s|.* inet \([0-9.]*\)/.*|\1 $one|p"
done)
inside() {
    address=$1; shift
    namespace=$(echo "$namespaces" | sed -n "s|^$address ||p" | head -n 1)
    [ "$namespace" ] || { echo "no network namespace below /run/netns has $address"; return 1; }
    nsenter --net="$namespace" "$@"
}
""".strip()


@dataclass(frozen=True)
class Pinged:
    """``whole`` says what becomes of a packet of each size in bytes that must not be divided."""

    answered: bool
    whole: dict[int, str]
    said: str


def ping(source: str, target: str, sizes: Sequence[int], *, lost: bool) -> str:
    """A question; ``lost`` is what is expected, and only then a short time is enough."""
    inside = f"inside {source} ping -n"
    wait = f"-c {_LOST} -w {_LOST}" if lost else f"-c 1 -w {_PATIENCE}"
    tries = [f"{inside} {wait} {target}"]
    tries += [f"{inside} -M do -c 2 -i 0.3 -w 4 -s {size - _HEADERS} {target}" for size in sizes]
    return f"; echo {_THEN}; ".join(tries)


def read_ping(said: str, sizes: Sequence[int]) -> Pinged:
    first, *rest = said.split(_THEN)
    return Pinged(
        answered=_received(first) > 0,
        whole={size: _fate(one) for size, one in zip(sizes, rest, strict=False)},
        said=said.strip(),
    )


def _fate(said: str) -> str:
    if _TOO_LONG.search(said):
        return "is refused before it leaves"
    return "arrives" if _received(said) else "is lost"


def _received(said: str) -> int:
    found = _SENT.search(said)
    return int(found[2]) if found else 0


def _curl(seconds: int) -> str:
    return f"curl --silent --connect-timeout {seconds} -m {seconds + 4}"


def fetch(source: str, url: str, tries: int) -> str:
    """A question after the first answer in so many tries; ``source`` is a pod's address, "" the host."""
    inside = f"inside {source} " if source else ""
    page = f"{inside}{_curl(_TRIED_AGAIN)} --show-error {shlex.quote(url)}"
    return f"for try in $(seq {tries}); do {page} && break; sleep 0.3; done"


def fetches(source: str, url: str, count: int) -> str:
    """A question after who gives so many answers, each on a connection of its own; a few at a time."""
    numbered = shlex.quote(f"{url}?[1-{count}]")
    # In HTTP/1.1 a connection stays open, and with it the choice of its pod.
    pages = f"inside {source} {_curl(_TRIED_ONCE)} --http1.0 --parallel --parallel-max 8 {numbered}"
    # Several at a time, curl tells of its progress even when it is to be silent.
    return f"{pages} 2>/dev/null | grep -E '^(Hostname: |OK from |no network)' | sort | uniq -c"


def shares(said: str) -> Counter[str]:
    """How many of the answers each pod gave, by its name."""
    found = Counter[str]()
    for count, pod in _SHARE.findall(said):
        found[pod] += int(count)
    return found


def fetch_outside(url: str, address: str, tries: int) -> str:
    """As ``fetch`` for a host outside the cluster, and then whose address it has found it to be."""
    # Nodes take what comes to them; who was told to once would still send it to one that tells nobody.
    forget = f"ip -4 neighbour flush to {address}"
    # Services that share the address are asked at the same time, and one makes the other forget.
    again = f"for try in 1 2 3; do {fetch('', url, tries)}; ip -4 neighbour show to {address} |"
    return f"{forget}; {again} grep -q lladdr && break; done; echo {_THEN}; ip -4 neighbour show to {address}"


def read_outside(said: str) -> tuple[list[str], set[str]]:
    """The names of the pods that answered, and the MAC addresses that the neighbour's address has."""
    pages, _, neighbours = said.partition(_THEN)
    return answering(pages), set(_MAC.findall(neighbours))


def answering(said: str) -> list[str]:
    """The names of the pods that answered, one for each answer."""
    return _ANSWER.findall(said)
