"""How SSH connections to hosts are made, as far as that is not pyinfra's: each packet is sent at once."""

from __future__ import annotations

import contextlib
import socket
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from paramiko import Transport


def without_delay(sock: socket.socket, **arguments: Any) -> Transport:
    """paramiko's ``transport_factory``, such that no packet waits for the one before it.

    A command is several small packets: a channel, the command, its input, the input's end. By Nagle's
    algorithm (RFC 896) each would wait until the host has acknowledged the one before, and a host takes its
    time for that (RFC 1122, 4.2.3.2; 40 ms on Linux).
    """
    # Not every reader of the inventory connects.
    from paramiko import Transport

    with contextlib.suppress(AttributeError):  # what ProxyJump and ProxyCommand give is no socket
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return Transport(sock, **arguments)
