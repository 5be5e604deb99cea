"""A Vagrantfile for a lab's machines, on VirtualBox or libvirt. Pure: topology in, text out."""

from __future__ import annotations

from collections.abc import Iterator

from jinja2 import Environment, PackageLoader, StrictUndefined

from ciliumlab.errors import DeclarationError, Problem
from ciliumlab.topology import Interface, Machine, Topology
from ciliumlab.topology.claims import NAT
from ciliumlab.wording import listed, shown

BOX = "bento/ubuntu-24.04"
_USER = "vagrant"  # whom the box lets in, with sudo without a password


def vagrantfile(topology: Topology, where: str, lab_key: str) -> str:
    """The text of a Vagrantfile with the machines that this host runs.

    ``where`` names the topology's file; ``lab_key`` is the lab's own private key, seen from the folder of the
    Vagrantfile, for machines that declare none. Raises DeclarationError with all that the box cannot be.
    """
    machines = [machine for machine in topology.machines if machine.runs_here]
    problems = [problem for machine in machines for problem in _unfit(machine, where)]
    if not machines:
        problems = [Problem(where, "every machine is reached directly (ssh_host); Vagrant has none to make")]
    if problems:
        raise DeclarationError(problems)
    environment = Environment(
        loader=PackageLoader("ciliumlab.vagrant", "."),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,
    )
    environment.filters |= {"ruby": _ruby, "cards": _cards}
    return environment.get_template("Vagrantfile.j2").render(
        topology=topology,
        machines=machines,
        where=shown(where),
        lab_key=lab_key if any(machine.ssh_key is None for machine in machines) else None,
        box=BOX,
        nat=NAT.text,
    )


def _unfit(machine: Machine, where: str) -> Iterator[Problem]:
    """What lab.yaml says of a machine, and the box is not."""
    here = f"{where}: {machine.name}"
    if machine.ssh_user != _USER:
        what = f"ssh_user is {machine.ssh_user}, and the box {BOX} knows {_USER} alone; leave ssh_user out"
        yield Problem(here, what)
    names = [f"eth{number + 1}" for number in range(len(machine.interfaces))]
    found = [interface.name for interface in machine.interfaces]
    if sorted(found) != sorted(names):
        what = f"has {listed(found)}, and the box {BOX} calls its cards {listed(names)}; name them so"
        yield Problem(here, what)


def _cards(machine: Machine) -> list[Interface]:
    """A machine's interfaces in the order of eth1, eth2, …"""
    return sorted(machine.interfaces, key=lambda interface: int(interface.name.removeprefix("eth")))


def _ruby(text: str) -> str:
    """A string of Ruby's in which nothing is interpolated."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
