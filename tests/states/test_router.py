"""tasks/router.py: the router between the segments, its dummy networks and its web server."""

from __future__ import annotations

from .expect import (
    each,
    expect,
    expect_file,
    expect_service,
    expect_sysctl,
    expect_sysctl_file,
    routers,
)
from .found.network import dummies_at_boot
from .found.web import APACHE, PAGE_FILE
from .lab import Lab, Machine


@each(lambda lab: [(router, key) for router in lab.routers for key in router.data["sysctls"]])
def test_sysctl(machine: Machine, key: str) -> None:
    expect_sysctl(machine, key)


@each(routers)
def test_sysctl_file(machine: Machine) -> None:
    expect_sysctl_file(machine)


# Dummy interfaces ---------------------------------------------------------------------------------


@each(lambda lab: [(router, name) for router in lab.routers for name in router.dummies])
def test_dummy(machine: Machine, interface: str) -> None:
    link = machine.network.links.get(interface)
    wanted = ("dummy", "up", *machine.interfaces[interface]["addresses"])
    found = (link.kind, "up" if link.up else "down", *link.addresses) if link else None
    expect(machine, f"interface {interface}", wanted, found)


@each(routers)
def test_dummies_at_boot(machine: Machine) -> None:
    """Made by netplan where it knows dummy devices, by networkd itself where not."""
    wanted = {name: machine.interfaces[name]["addresses"] for name in machine.dummies}
    expect(machine, "dummy interfaces in the files", wanted, dummies_at_boot(machine.network.files))


# Web server ---------------------------------------------------------------------------------------


@each(routers)
def test_apache_runs(machine: Machine) -> None:
    expect_service(machine, APACHE, machine.web.apache)


def page(router: Machine) -> str:
    return f"<h1>Web Server : {router}</h1>\n"


@each(routers)
def test_page_file(machine: Machine) -> None:
    expect(machine, PAGE_FILE, page(machine), expect_file(machine, PAGE_FILE, machine.web.files))


@each(Lab.fetches)
def test_page(machine: Machine, router: Machine, address: str) -> None:
    found = machine.pages.get(address, "").strip()
    expect(machine, f"page of {router} at {address}", page(router).strip(), found)
