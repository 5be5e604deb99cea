"""One ICMP echo: `python3 -m cilium.ping ADDRESS [SIZE]`; with a size of its data it is not fragmented."""

from __future__ import annotations

import os
import socket
import struct
import sys
import time

ECHO, REPLY = 8, 0
IP_MTU_DISCOVER, IP_PMTUDISC_DO = 10, 2  # linux/in.h


def checksum(data: bytes) -> int:
    """RFC 1071."""
    padded = data + b"\0" * (len(data) % 2)
    total: int = sum(struct.unpack(f"!{len(padded) // 2}H", padded))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return 0xFFFF - total


def ping(address: str, size: int = 0, seconds: float = 1) -> bool:
    """Whether an answer came in time. OSError where it cannot even be sent, such as one that is too long."""
    mine = os.getpid() & 0xFFFF
    data = b"\0" * (size or 56)
    head = struct.pack("!BBHHH", ECHO, 0, 0, mine, 1)
    packet = struct.pack("!BBHHH", ECHO, 0, checksum(head + data), mine, 1) + data
    with socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP) as probe:
        if size:
            probe.setsockopt(socket.IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO)
        probe.connect((address, 0))
        probe.send(packet)
        end = time.monotonic() + seconds
        while (left := end - time.monotonic()) > 0:
            probe.settimeout(left)
            try:
                answer = probe.recv(65535)
            except TimeoutError:
                return False
            offset = (answer[0] & 0xF) * 4
            kind, _, _, whose, _ = struct.unpack("!BBHHH", answer[offset : offset + 8])
            if (kind, whose) == (REPLY, mine):
                return True
    return False


if __name__ == "__main__":
    try:
        found = ping(sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 0)
    except OSError as error:
        sys.exit(f"ping: {error.strerror}")
    sys.exit(0 if found else 1)
