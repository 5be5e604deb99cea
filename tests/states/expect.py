"""What the tests are made of: a test for each thing of each machine, and one clear line if it is not so."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from ipaddress import IPv4Network
from typing import Any

import jinja2
import pytest

from . import evidence
from .found.base import SYSCTL_FILE
from .found.shell import File, Unit, assignments
from .lab import ROOT, Lab, Machine


def each(cases: Callable[[Lab], Iterable[Any]], none: str = "") -> pytest.MarkDecorator:
    """Run the test for each case: a machine, or a tuple of a machine and more, as the test's arguments.

    ``none`` says why there may be no case at all, when that is by a setting.
    """
    return pytest.mark.each.with_args(cases, none)


def first(lab: Lab) -> list[Machine]:
    return [lab.first]


def machines(lab: Lab) -> list[Machine]:
    return lab.machines


def nodes(lab: Lab) -> list[Machine]:
    return lab.nodes


def control_plane(lab: Lab) -> list[Machine]:
    return lab.control_plane


def routers(lab: Lab) -> list[Machine]:
    return lab.routers


def expect(machine: Machine, what: str, wanted: object, found: object, said: str = "") -> None:
    """Fail when what was found is not what the plan wants, naming the host and both.

    ``said`` is what the program printed that was asked.
    """
    evidence.keep(f"{machine}: {what}: expected {_shown(wanted)}, found {_shown(found)}")
    if found != wanted:
        line = f"{machine}: {what}: expected {_shown(wanted)}, found {_shown(found)}"
        pytest.fail("\n".join([line, *said.splitlines()]), pytrace=False)


def expect_file(machine: Machine, path: str, files: Mapping[str, File]) -> str:
    """The text of a file that must be root's and readable for all."""
    file = files.get(path)
    found = f"{file.owner} {file.mode}" if file else None
    expect(machine, f"owner and mode of {path}", "root:root 644", found)
    return files[path].text


def expect_sysctl(machine: Machine, key: str) -> None:
    """A kernel setting that is in force, and that no file of sysctl.d sets otherwise at boot."""
    wanted = str(machine.data["sysctls"][key])
    expect(machine, f"{key} by all of sysctl.d", wanted, machine.base.sysctls_at_boot.get(key))
    if not key.startswith("net."):
        needs_own_kernel(machine, "sysctls but those of net")
    expect(machine, key, wanted, machine.base.sysctls.get(key))


def expect_sysctl_file(machine: Machine) -> None:
    """The file that carries the kernel settings over a reboot, and nothing else in it."""
    wanted = {key: [str(value)] for key, value in machine.data["sysctls"].items()}
    found = assignments(expect_file(machine, SYSCTL_FILE, machine.base.files))
    expect(machine, SYSCTL_FILE, wanted, found)


def expect_service(machine: Machine, name: str, found: Unit) -> None:
    """A service that runs now and after every boot."""
    expect(machine, f"{name} runs", True, found.active)
    expect(machine, f"{name} at boot", "enabled", found.at_boot)


def leads_to_pods(machine: Machine, line: str) -> bool:
    """Whether a line of ``ip -4 route`` is a route to some of the cluster's pods."""
    to = line.split()[0]
    if not to[0].isdigit():
        return False
    pods = machine.data["pod_routing"]["announced"][0].split()[0]
    return IPv4Network(to, strict=False).subnet_of(IPv4Network(pods))


def rendered(source: str, **data: object) -> str:
    """The text of a template below files/."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    return environment.from_string((ROOT / "files" / source).read_text()).render(data)


def needs_own_kernel(machine: Machine, what: str) -> None:
    """Skip, in a container, what belongs to the kernel that it shares with its host."""
    if machine.base.container:
        kind = machine.base.container
        pytest.skip(f"{machine} is a container ({kind}) on its host's kernel: no {what} of its own")


def _shown(value: object) -> str:
    if isinstance(value, str) and "\n" in value:
        return f"\n---\n{value}---\n"
    if isinstance(value, list | tuple | set | frozenset):
        return ", ".join(map(str, sorted(value) if isinstance(value, set | frozenset) else value)) or "none"
    return "nothing" if value in (None, "") else str(value)
