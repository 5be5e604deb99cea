"""How SSH connections are made."""

import socket

from paramiko import Transport

from ciliumlab.transport import without_delay


def test_packets_are_sent_at_once() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()) as sock,
    ):
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 0
        transport = without_delay(sock, disabled_algorithms={"keys": ["ssh-dss"]})
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0
    assert isinstance(transport, Transport)
    assert transport.disabled_algorithms == {"keys": ["ssh-dss"]}


class Tunnel:
    """What leads through another host or program is no socket."""

    def settimeout(self, seconds: float) -> None:
        """Transport asks for that."""


def test_a_tunnel_is_taken_as_it_is() -> None:
    tunnel = Tunnel()
    assert without_delay(tunnel).sock is tunnel  # type: ignore[arg-type]
