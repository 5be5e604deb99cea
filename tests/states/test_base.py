"""tasks/base.py: tools, names, time zone, and a kernel fit for its part."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from ciliumlab.plan.packages import missing_from
from ciliumlab.preflight import CLOCK_SECONDS

from .expect import (
    each,
    expect,
    expect_file,
    expect_sysctl,
    expect_sysctl_file,
    machines,
    needs_own_kernel,
    nodes,
    rendered,
)
from .found.base import LOGIN_FILE, MODULES_FILE, OFF, fstab_swaps, hosts_block, loopback_names
from .lab import Machine


@each(machines)
def test_answers(machine: Machine) -> None:
    machine.answers()


# Packages -----------------------------------------------------------------------------------------


@each(lambda lab: [(machine, package) for machine in lab.machines for package in machine.data["packages"]])
def test_package_is_installed(machine: Machine, package: str) -> None:
    if package in missing_from(machine.base.distribution):
        pytest.skip(f"{machine.base.distribution} does not have {package}")
    expect(machine, f"{package} is installed", True, package in machine.base.installed)


@each(machines)
def test_no_package_is_half_done(machine: Machine) -> None:
    expect(machine, "packages left half done", [], machine.base.half_done)


# Kernel -------------------------------------------------------------------------------------------


@each(lambda lab: [(node, module) for node in lab.nodes for module in node.data["kernel_modules"]])
def test_module_is_loaded(machine: Machine, module: str) -> None:
    needs_own_kernel(machine, "kernel modules")
    expect(machine, f"module {module} is there", True, module.replace("-", "_") in machine.base.modules)


@each(nodes)
def test_modules_are_loaded_at_boot(machine: Machine) -> None:
    listed = expect_file(machine, MODULES_FILE, machine.base.files).split()
    expect(machine, MODULES_FILE, machine.data["kernel_modules"], listed)


@each(lambda lab: [(node, key) for node in lab.nodes for key in node.data["sysctls"]])
def test_sysctl(machine: Machine, key: str) -> None:
    expect_sysctl(machine, key)


@each(nodes)
def test_sysctl_file(machine: Machine) -> None:
    expect_sysctl_file(machine)


# Swap ---------------------------------------------------------------------------------------------


@each(nodes)
def test_swap_is_off(machine: Machine) -> None:
    needs_own_kernel(machine, "swap")
    expect(machine, "swap in use", [], machine.base.swaps)


@each(nodes)
def test_fstab_brings_no_swap(machine: Machine) -> None:
    needs_own_kernel(machine, "swap")
    fstab = machine.base.files.get("/etc/fstab")
    expect(machine, "swap in /etc/fstab", [], fstab_swaps(fstab.text) if fstab else [])


@each(nodes)
def test_no_unit_brings_swap(machine: Machine) -> None:
    needs_own_kernel(machine, "swap")
    found = {
        unit: state
        for unit, state in machine.base.swap_units.items()
        if (state != "masked" if unit.endswith((".swap", "swap.target")) else state.startswith("enabled"))
    }
    expect(machine, "units that bring swap at boot", {}, found)
    expect(machine, "swap.target", "masked", machine.base.swap_units.get("swap.target"))


# Time and names -----------------------------------------------------------------------------------


@each(machines)
def test_time_zone(machine: Machine) -> None:
    zone = machine.data["timezone"]
    expect(machine, "zone of /etc/localtime", zone, machine.base.zone)
    # A zone that the host has no data of is taken for UTC.
    expect(machine, "offset of its clock", f"{datetime.now(ZoneInfo(zone)):%z}", machine.base.utc_offset)


@each(machines)
def test_clock(machine: Machine) -> None:
    off = machine.clock_off
    expect(machine, "seconds that its clock is off", 0, 0 if abs(off) <= CLOCK_SECONDS else round(off))


@each(machines)
def test_timezone_file(machine: Machine) -> None:
    if "/etc/timezone" not in machine.base.files:
        pytest.skip(f"{machine} has no /etc/timezone (Debian 13 gave it up)")
    text = expect_file(machine, "/etc/timezone", machine.base.files)
    expect(machine, "/etc/timezone", machine.data["timezone"], text.strip())


@each(machines)
def test_hosts_file(machine: Machine) -> None:
    entries = [f"{entry['address']} {entry['name']}" for entry in machine.data["etc_hosts"]]
    found = hosts_block(expect_file(machine, "/etc/hosts", machine.base.files))
    wanted = ["# BEGIN ciliumlab", *entries, "# END ciliumlab"]
    expect(machine, "managed block of /etc/hosts", wanted, found)


@each(machines)
def test_names_resolve(machine: Machine) -> None:
    for entry in machine.data["etc_hosts"]:
        found = machine.base.names.get(entry["name"], set())
        expect(machine, f"address of {entry['name']}", {entry["address"]}, found)


@each(machines)
def test_no_name_is_loopback(machine: Machine) -> None:
    names = {entry["name"] for entry in machine.data["etc_hosts"]}
    file = machine.base.files.get("/etc/hosts")
    found = loopback_names(file.text) if file else set()
    expect(machine, "machines that /etc/hosts names as loopback", set(), names & found)


# Services and logins ------------------------------------------------------------------------------


@each(lambda lab: [(machine, unit) for machine in lab.machines for unit in OFF])
def test_service_is_off(machine: Machine, unit: str) -> None:
    found = machine.base.units[unit]
    expect(machine, f"{unit} runs", False, found.active)
    expect(machine, f"{unit} starts at boot", False, found.at_boot.startswith("enabled"))


@each(machines)
def test_login_file(machine: Machine) -> None:
    text = rendered("base/login.sh.j2", user=machine.connection.user)
    expect(machine, LOGIN_FILE, text, expect_file(machine, LOGIN_FILE, machine.base.files))


@each(machines)
def test_login_leads_to_root(machine: Machine) -> None:
    shown = machine.login["shown"]
    expect(machine, "who one is after a login", "root", machine.login.get("who"), shown)


@each(machines)
def test_command_stays_the_users(machine: Machine) -> None:
    expect(machine, "who a command over SSH runs as", machine.connection.user, machine.base.user)


@each(machines)
def test_vi_is_vim(machine: Machine) -> None:
    found = machine.login.get("vi", "").partition(" - ")[0]
    expect(machine, "what vi is after a login", "VIM", found, machine.login["shown"])
