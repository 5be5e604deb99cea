"""Debian packages: installed whatever was interrupted before, and held."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from typing import Literal

from pyinfra.context import host

from ciliumlab.facts.apt import Package, Packages, PackageState
from ciliumlab.facts.shell import quoted
from ciliumlab.operations.api import Commands, operation, read
from ciliumlab.operations.steps import Shell

# Seconds to wait for another package manager where a host's data have no ``apt_lock_timeout``.
_PATIENCE = 600

# Seconds that a package manager may take: hundreds of megabytes, on a machine without acceleration.
_DURATION = 7200

# What apt and dpkg say when somebody else has their lock; newer ones name who that is.
_LOCKED = "could not get lock|unable to lock|locked by"

# Questions are answered by the package's default, an administrator's changed configuration files stay,
# and needrestart(1) restarts nothing of its own accord in the middle of a run.
_ENVIRONMENT = {"DEBIAN_FRONTEND": "noninteractive", "NEEDRESTART_MODE": "l", "LC_ALL": "C.UTF-8"}
_APT = (
    "apt-get -y -q -o DPkg::Lock::Timeout={patience} -o Acquire::Retries=3"
    " -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold"
)


@operation
def installed(
    packages: Collection[str], lacking: Callable[[str], Collection[str]] = lambda distribution: ()
) -> Commands:
    """
    Install packages, without those that they merely recommend.

    + packages: names, or ``name=version`` for exactly that version (also a lower one, also when held)
    + lacking: which of them a distribution does not have, given as "debian-12" or "ubuntu-24.04"

    Package lists are fetched only when something is to be installed. What an interrupted dpkg left
    half done is finished first, whichever packages it was. Another package manager that is at work is
    waited for, as many seconds as ``apt_lock_timeout`` of the host's data says.
    """
    yield from having(packages, read(Packages), lacking)


def having(
    packages: Collection[str],
    found: PackageState,
    lacking: Callable[[str], Collection[str]] = lambda distribution: (),
) -> Commands:
    """What installs packages, see ``installed``, where their state is known."""
    names = _names(packages)
    absent = lacking(found["distribution"])
    wanted = [package for package in packages if package.partition("=")[0] not in absent]
    to_install = [package for package in wanted if not satisfies(found["packages"], package)]
    yield from _recovered(found)
    if to_install:
        yield from install(to_install)
    elif not unfinished(found):
        skipped = sorted(set(names) & set(absent))
        host.noop(
            f"{len(wanted)} packages are installed"
            + (f"; {found['distribution']} does not have {', '.join(skipped)}" if skipped else "")
        )


def _names(packages: Iterable[str]) -> list[str]:
    return [package.partition("=")[0] for package in packages]


@operation
def held(packages: Iterable[str], present: bool = True) -> Commands:
    """
    Keep packages at their version, whatever is upgraded.

    + packages: names of installed packages
    + present: False lets them be upgraded again
    """
    names = list(packages)
    found = read(Packages)["packages"]
    to_change = [name for name in names if (name in found and found[name]["held"]) != present]
    if to_change:
        yield mark("hold" if present else "unhold", to_change)
    else:
        host.noop(f"{', '.join(names)}: {'held' if present else 'not held'}")


def install(packages: Iterable[str]) -> Commands:
    """What installs packages, "name" or "name=version", also a lower version and one that is held."""
    yield _patient("apt-get -q -o Acquire::Retries=3 update")
    yield Shell(
        f"{_apt()} install --no-install-recommends --allow-downgrades --allow-change-held-packages"
        f" {quoted(packages)}",
        seconds=_DURATION,
        _env=_ENVIRONMENT,
    )


def mark(how: Literal["hold", "unhold"], packages: Iterable[str]) -> Shell:
    """What keeps installed packages at their version, or no longer does."""
    return _patient(f"apt-mark {how} {quoted(packages)}")


def satisfies(packages: dict[str, Package], wanted: str) -> bool:
    """Whether ``wanted``, "name" or "name=version", is installed."""
    name, _, version = wanted.partition("=")
    found = packages.get(name)
    return found is not None and found["installed"] and version in ("", found["version"])


def unfinished(found: PackageState) -> bool:
    """Whether dpkg was interrupted."""
    return found["interrupted"] or bool(found["broken"])


def _recovered(found: PackageState) -> Commands:
    if not unfinished(found):
        return
    yield _patient("dpkg --force-confdef --force-confold --configure -a")
    yield Shell(f"{_apt()} --fix-broken install", seconds=_DURATION, _env=_ENVIRONMENT)
    # After these two a package is still marked so when its files themselves are incomplete.
    yield Shell(
        "damaged=$(dpkg-query -W -f '${db:Status-Abbrev}|${Package}\\n' | sed -n 's/^..R|//p');"
        f' [ -z "$damaged" ] || {_apt()} --reinstall install $damaged',
        seconds=_DURATION,
        _env=_ENVIRONMENT,
    )


def _apt() -> str:
    return _APT.format(patience=_patience())


def _patience() -> int:
    return int(host.data.get("apt_lock_timeout", _PATIENCE))


def _patient(command: str) -> Shell:
    # Only apt-get install waits for locks by itself. Tried again while somebody else holds one; anything else
    # fails at once, in its own words.
    return Shell(
        f"until=$(($(date +%s) + {_patience()})); while ! said=$({command} 2>&1); do"
        f' if ! echo "$said" | grep -qiE "{_LOCKED}" || [ "$(date +%s)" -gt "$until" ]; then'
        ' echo "$said" >&2; exit 1; fi; sleep 3; done; echo "$said"',
        seconds=_DURATION,
        _env=_ENVIRONMENT,
    )
