"""The shape of a plan: plain data, as `ciliumlab plan --json` prints it."""

from __future__ import annotations

from typing import Any, NotRequired, TypedDict


class Route(TypedDict):
    """A static route; ``to`` is a network, ``via`` the next hop's address."""

    to: str
    via: str


class Interface(TypedDict):
    """``addresses`` carry their network's prefix length: ``192.168.10.100/24``."""

    addresses: list[str]
    routes: list[Route]
    dummy: NotRequired[bool]


class Host(TypedDict):
    """What one machine must be. Lists that are the same on several hosts are one shared object."""

    groups: list[str]
    interfaces: dict[str, Interface]
    sysctls: dict[str, int]
    kernel_modules: list[str]
    packages: list[str]


class HostsEntry(TypedDict):
    """A line of /etc/hosts."""

    address: str
    name: str


class Kubeadm(TypedDict):
    """kubeadm's configuration documents: for the first control-plane node, and for each that joins."""

    init: list[dict[str, Any]]
    join: dict[str, list[dict[str, Any]]]


class Plan(TypedDict):
    hosts: dict[str, Host]
    etc_hosts: list[HostsEntry]
    kubeadm: Kubeadm
    helm_values: dict[str, Any]
    manifests: list[dict[str, Any]]
