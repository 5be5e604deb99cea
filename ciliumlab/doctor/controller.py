"""What the controller lacks: Python packages, programs, hardware acceleration, ports, memory, disk."""

from __future__ import annotations

import getpass
import platform
import subprocess
from collections.abc import Iterator, Sequence
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet

from ciliumlab import download
from ciliumlab.doctor.finding import Finding, against, note
from ciliumlab.errors import LabError, Problem
from ciliumlab.machines import accelerator, debian, image, programs, ubuntu
from ciliumlab.machines import host as hosts
from ciliumlab.machines.container import Containers
from ciliumlab.machines.guest import Guests
from ciliumlab.machines.lab import Lab
from ciliumlab.topology import Machine

_PREREQUISITES = "prerequisites.sh"
_SECONDS = 20


def environment() -> Iterator[Finding]:
    """Python, and the packages that this one needs, against the ranges that it declares."""
    try:
        declared = metadata.metadata("ciliumlab")
        needed = metadata.requires("ciliumlab") or []
    except metadata.PackageNotFoundError:
        yield Finding("ciliumlab", "runs without being installed; pip install -e . in its folder", False)
        return
    if not SpecifierSet(declared["Requires-Python"] or "").contains(platform.python_version()):
        what = (
            f"{platform.python_version()} runs, and {declared['Requires-Python']} is needed; make .venv anew"
        )
        yield Finding("Python", what, True)
    for requirement in map(Requirement, needed):
        if requirement.marker and not requirement.marker.evaluate({"extra": ""}):
            continue
        try:
            version = metadata.version(requirement.name)
        except metadata.PackageNotFoundError:
            version = ""
        if not version or not requirement.specifier.contains(version, prereleases=True):
            is_ = f"version {version} is installed" if version else "is not installed"
            what = f"{is_}, and {requirement.specifier} is needed; pip install '{requirement}'"
            yield Finding(requirement.name, what, True)


def host(lab: Lab, project: Path) -> Iterator[Finding]:
    """What keeps this host from running its machines; ``project`` is where prerequisites.sh may be."""
    local = lab.local()
    if not local:
        yield from map(against, programs.missing(["ssh"]))
        return
    made = lab.kind()
    kinds: list[Guests | Containers] = [made] if made else [*lab.kinds.values()]
    missing = {kind.kind: kind.problems(local) for kind in kinds}
    if "guest" in missing:
        missing["guest"] += _emulation()
    usable = [name for name, problems in missing.items() if not problems]
    judge = note if usable else against
    told = _prerequisites(project)
    if told:
        yield judge(told)
    # A program may keep both kinds from running, and be among those that are told of already.
    for problem in dict.fromkeys(problem for problems in missing.values() for problem in problems):
        if not told or programs.PACKAGES.get(problem.where) not in told.what.replace(";", " ").split():
            yield judge(problem)
    if "guest" in usable:
        yield from _acceleration()
    if made is None:
        yield from _image()
    yield from _room(lab, [one for one in local if not (made and made.running(one))], usable)


def _prerequisites(project: Path) -> Problem | None:
    """What prerequisites.sh says is missing; None where nothing is, or it is not there."""
    script = project / _PREREQUISITES
    if not script.exists():
        return None
    try:
        done = subprocess.run(
            [str(script), "--list"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return Problem(_PREREQUISITES, f"could not be asked ({error}); run ./{_PREREQUISITES} --list")
    said = " ".join(f"{done.stdout} {done.stderr}".split()).removeprefix("prerequisites: ")
    return Problem(_PREREQUISITES, f"{said}; run ./{_PREREQUISITES}, or make lab") if said else None


def _emulation() -> list[Problem]:
    """Whether guests can run at all: without hardware acceleration a QEMU that is new enough."""
    target = accelerator.TARGETS.get(image.architecture())
    if target is None or programs.find(target.program) is None or accelerator.why_no_device() is None:
        return []
    try:
        accelerator.choose(target, Path())
    except LabError as error:
        return [*error.problems]
    return []


def _acceleration() -> Iterator[Finding]:
    """Why guests are emulated. Whether a device that is there can run a kernel shows only with an image's."""
    target = accelerator.TARGETS[image.architecture()]
    reason = accelerator.why_no_device()
    kernels = sorted(image.cache().glob(f"*-{image.architecture()}-*/vmlinuz"))
    if reason is None and kernels:
        reason = accelerator.why_no_hardware(target, kernels[-1])
    if reason is None:
        return
    if "may not be opened" in reason:
        fix = f"sudo usermod -aG kvm {getpass.getuser()}, and log in again"
    elif "there is no" in reason:
        fix = "switch virtualisation on in the firmware, or of a virtual machine its nesting"
    else:
        fix = "another host can"
    yield Finding("acceleration", f"{reason}, so that guests are emulated, many times slower; {fix}", False)


def _image() -> Iterator[Finding]:
    """Whether the machines' image can be had: Ubuntu's downloaded, or Debian's built."""
    missing = debian.problems()
    try:
        download.read_text(f"{ubuntu.BASE_URL}/SHA256SUMS")
    except LabError as error:
        if missing:
            yield from map(against, [*error.problems, *missing])
        else:
            what = "; ".join(problem.what for problem in error.problems)
            yield Finding("Ubuntu's image", f"{what}; Debian's is built instead", False)


def _room(lab: Lab, down: Sequence[Machine], usable: Sequence[str]) -> Iterator[Finding]:
    if not down:
        return
    folder = next(folder for folder in [lab.state.root, *lab.state.root.parents] if folder.exists())
    yield from map(against, [*hosts.ports(down, lab.where), *hosts.disk(down, folder)])
    # Containers take what they use, guests what lab.yaml says.
    judge = note if "container" in usable else against
    yield from map(judge, hosts.memory(down, lab.where))
