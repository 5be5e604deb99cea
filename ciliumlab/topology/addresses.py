"""How addresses and networks are written, and what each by itself may be. IPv4 only.

The functions raise ValueError with what is wrong and how to mend it. Where they parse a text, the message
follows it: ``is not an IPv4 address: …``.
"""

from __future__ import annotations

import re

from netaddr import INET_PTON, AddrFormatError, IPAddress, IPNetwork, valid_ipv6

_IPV4 = re.compile(r"(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3}")
_PREFIX = re.compile(r"[0-9]|[12][0-9]|3[0-2]")

# RFC 6890, RFC 5771: "this" network, loopback, and multicast with all that is reserved above it. The
# kernel accepts no packet to or from a host there.
_NOT_FOR_HOSTS = tuple(map(IPNetwork, ("0.0.0.0/8", "127.0.0.0/8", "224.0.0.0/3")))


def address(text: str) -> IPAddress:
    """``192.168.10.100``, and only so: no missing part, no leading zero, no hexadecimal."""
    _refuse_ipv6(text)
    if _IPV4.fullmatch(text):
        try:
            return IPAddress(text, flags=INET_PTON)
        except AddrFormatError:
            pass
    raise ValueError("is not an IPv4 address: write four decimal numbers from 0 to 255, as in 192.168.10.100")


def interface_address(text: str) -> IPNetwork:
    """An address with its network's prefix length, ``10.10.1.200/24``."""
    written, _, prefix = text.partition("/")
    host = address(written)
    if not _PREFIX.fullmatch(prefix):
        raise ValueError("needs a prefix length from 0 to 32, as in 192.168.10.0/24")
    cidr = IPNetwork(f"{host}/{prefix}")
    if any(cidr.first <= block.last and block.first <= cidr.last for block in _NOT_FOR_HOSTS):
        raise ValueError("has addresses that no host can use (RFC 6890); choose a private network")
    return cidr


def network(text: str) -> IPNetwork:
    """A network without host bits, ``192.168.10.0/24``."""
    cidr = interface_address(text)
    if cidr.value != cidr.first:
        raise ValueError(f"is not a network, as host bits are set; write {cidr.cidr}")
    return cidr


def pod_network(text: str) -> IPNetwork:
    """The pod CIDR: a network of 16 addresses at least, as kubeadm asks for 14
    (MinimumAddressesInPodSubnet in cmd/kubeadm/app/constants).
    """
    cidr = network(text)
    if cidr.prefixlen > 28:
        raise ValueError("is too small for pods, kubeadm refuses it; choose /28 or wider")
    return cidr


def service_network(text: str) -> IPNetwork:
    """The service CIDR: from /12 to /28, as kubeadm takes 20 host bits at most and 10 addresses at least
    (MaximumBitsForServiceSubnet, MinimumAddressesInServiceSubnet).
    """
    cidr = network(text)
    if not 12 <= cidr.prefixlen <= 28:
        raise ValueError("is not between /12 and /28, kubeadm refuses it; choose one of these")
    return cidr


def check_shares(pod_cidr: IPNetwork, mask_size: int, nodes: int) -> None:
    """Refuse a pod CIDR unless each of ``nodes`` gets a network of prefix length ``mask_size``.

    Cilium keeps two addresses of each share and wants /30 or wider (Cilium's documentation, "Cluster
    Scope"); kubeadm refuses more than 16 bits between the two (PodSubnetNodeMaskMaxDiff).
    """
    least, most = pod_cidr.prefixlen, min(pod_cidr.prefixlen + 16, 30)
    if not least <= mask_size <= most:
        raise ValueError(
            f"must be from {least} to {most}, not {mask_size}: kubeadm takes 16 bits more than in {pod_cidr} "
            "at most, and Cilium a /30 at least"
        )
    shares = 1 << (mask_size - least)
    if shares < nodes:
        raise ValueError(
            f"{pod_cidr} holds {shares} of /{mask_size}, and each of the {nodes} nodes needs one; "
            "widen pod_cidr or make the shares smaller"
        )


def check_host_address(host: IPAddress, cidr: IPNetwork) -> None:
    """Refuse an address that no machine on the network ``cidr`` can have."""
    first, last = cidr.first, cidr.last
    # RFC 3021: a /31 has neither a network nor a broadcast address; a /32 is one host.
    if cidr.prefixlen <= 30:
        first, last = first + 1, last - 1
    if first <= host.value <= last:
        return
    if host not in cidr:
        what = f"is not inside {cidr.cidr}"
    else:
        what = f"is the {'network' if host.value < first else 'broadcast'} address of {cidr.cidr}"
    raise ValueError(f"{host} {what}; choose one from {IPAddress(first)} to {IPAddress(last)}")


def _refuse_ipv6(text: str) -> None:
    if ":" in text and text.isprintable() and valid_ipv6(text):
        raise ValueError("is an IPv6 address, which is not supported yet; use IPv4")
