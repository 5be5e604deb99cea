"""tasks/network.py: addresses and routes of the segments, in the files and in force."""

from __future__ import annotations

import posixpath
from ipaddress import IPv4Interface

import yaml

from .expect import each, expect, expect_file, expect_service, leads_to_pods, machines, rendered
from .found.network import NETPLAN_FILE, NETWORKD, NETWORKD_FILE
from .lab import Lab, Machine


def cards(lab: Lab) -> list[tuple[Machine, str]]:
    return [(machine, name) for machine in lab.machines for name in machine.cards]


# Files --------------------------------------------------------------------------------------------


@each(machines)
def test_netplan_is_installed(machine: Machine) -> None:
    expect(machine, "netplan.io is installed", True, "netplan.io" in machine.base.installed)


@each(machines)
def test_netplan_file(machine: Machine) -> None:
    entries = {}
    for name in machine.cards:
        interface = machine.interfaces[name]
        entries[name] = {"addresses": interface["addresses"]}
        if interface["routes"]:
            entries[name]["routes"] = interface["routes"]
    wanted = {"network": {"version": 2, "ethernets": entries}}
    file = machine.network.files.get(NETPLAN_FILE)
    expect(machine, NETPLAN_FILE, wanted, file and yaml.safe_load(file.text))


@each(machines)
def test_netplan_files_are_private(machine: Machine) -> None:
    """netplan(5) asks for it; those of the box and of an administrator are no exception."""
    found = {
        path: f"{file.owner} {file.mode}"
        for path, file in machine.network.files.items()
        if posixpath.dirname(path) == "/etc/netplan"
    }
    expect(machine, "owners and modes of netplan's files", dict.fromkeys(found, "root:root 600"), found)


@each(machines)
def test_netplan_files_are_those_in_force(machine: Machine) -> None:
    """One in /run takes the place of its namesake until the next boot: a change that nobody confirmed."""
    files = machine.network.files
    hidden = [path.replace("/run/", "/etc/", 1) for path in files if path.startswith("/run/")]
    found = [path for path in hidden if path in files]
    expect(machine, "files of /etc/netplan that others hide", [], found)


# systemd-networkd ---------------------------------------------------------------------------------


@each(machines)
def test_networkd_file(machine: Machine) -> None:
    text = expect_file(machine, NETWORKD_FILE, machine.network.files)
    expect(machine, NETWORKD_FILE, rendered("network/networkd.conf.j2"), text)


@each(
    lambda lab: [
        (machine, setting)
        for machine in lab.machines
        for setting in ("ManageForeignRoutes", "ManageForeignRoutingPolicyRules")
    ]
)
def test_networkd_leaves_what_is_foreign(machine: Machine, setting: str) -> None:
    """What Cilium set must outlive a restart of networkd; see systemd.networkd.conf(5)."""
    found = machine.network.networkd_settings.get(f"Network.{setting}")
    expect(machine, f"{setting} by all of networkd's files", "no", found)


@each(machines)
def test_networkd_has_read_its_file(machine: Machine) -> None:
    """networkd tells nobody how it is set, but only when it started."""
    file, started = machine.network.files.get(NETWORKD_FILE), machine.network.networkd.started
    expect(machine, f"networkd started after {NETWORKD_FILE}", True, bool(file and file.changed <= started))


@each(machines)
def test_networkd_runs(machine: Machine) -> None:
    expect_service(machine, NETWORKD, machine.network.networkd)


# In force -----------------------------------------------------------------------------------------


@each(cards)
def test_addresses(machine: Machine, interface: str) -> None:
    link = machine.network.links.get(interface)
    expect(machine, f"{interface} is up", True, bool(link and link.up))
    others = machine.network.declared_by_others(interface)
    expect(
        machine,
        f"addresses of {interface} but those that files of others give it",
        set(machine.interfaces[interface]["addresses"]),
        set(link.addresses) - others if link else None,
    )


def static_routes(machine: Machine, interface: str) -> list[str]:
    """As ``ip route`` prints them."""
    routes = machine.interfaces[interface]["routes"]
    return [f"{route['to']} via {route['via']} dev {interface} proto static" for route in routes]


@each(lambda lab: [(one, name, line) for one, name in cards(lab) for line in static_routes(one, name)])
def test_static_route(machine: Machine, interface: str, route: str) -> None:
    _expect_route(machine, route)


def _expect_route(machine: Machine, wanted: str) -> None:
    network = wanted.split()[0]
    found = [line for line in machine.network.routes if line.split()[0] == network]
    expect(machine, f"routes to {network}", [wanted], found)


@each(cards)
def test_no_other_static_route(machine: Machine, interface: str) -> None:
    wanted = static_routes(machine, interface)
    # What leads from the router to pods is a stage of its own: test_pod_routes.py.
    others = [
        line
        for line in machine.network.set_routes_of(interface)
        if line not in wanted and not ("routers" in machine.groups and leads_to_pods(machine, line))
    ]
    expect(machine, f"routes of {interface} that the plan lacks", [], others)


@each(cards)
def test_segment_is_connected(machine: Machine, interface: str) -> None:
    for address in map(IPv4Interface, machine.interfaces[interface]["addresses"]):
        _expect_route(machine, f"{address.network} dev {interface} proto kernel scope link src {address.ip}")
