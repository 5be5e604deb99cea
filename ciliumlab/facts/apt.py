"""Debian packages."""

from __future__ import annotations

import shlex
from typing import TypedDict

from typing_extensions import override

from ciliumlab.facts.shell import Sections, State, sections


class Package(TypedDict):
    """A package that dpkg knows. ``installed`` is true only for one that is configured and whole."""

    version: str
    installed: bool
    held: bool


class PackageState(TypedDict):
    """``distribution`` is "debian-12" or "ubuntu-24.04"; ``broken`` names packages left half done.

    ``interrupted`` is true when dpkg was cut off and left a journal, after which apt refuses to work.
    """

    distribution: str
    packages: dict[str, Package]
    broken: list[str]
    interrupted: bool


# dpkg-query(1), db:Status-Abbrev: desired action, status, error flag. U is unpacked, F half-configured,
# H half-installed, W and t wait for triggers, R must be installed again.
_HALF_DONE = "UFHWt"


class Packages(State[PackageState]):
    """State of all packages, and of dpkg itself: one answer for all operations, whatever they want."""

    early = True

    @override
    def command(self) -> str:
        return sections(
            distribution='. /etc/os-release && echo "$ID-$VERSION_ID"',
            packages="dpkg-query -W -f '${db:Status-Abbrev}|${Package}|${Version}\\n'",
            # Of dpkg's journal each entry has a number; a file with another name is none yet.
            journal=(
                'for entry in /var/lib/dpkg/updates/*; do case "${entry##*/}" in *[!0-9]*) ;;'
                ' *) echo "${entry##*/}";; esac; done'
            ),
        )

    @override
    def parse(self, found: Sections) -> PackageState:
        packages: dict[str, Package] = {}
        broken = []
        for line in found["packages"]:
            status, name, version = line.split("|")
            half_done = status[1] in _HALF_DONE or "R" in status[2:]
            if half_done:
                broken.append(name)
            installed = status[1] == "i" and not half_done
            # Where a name is known for several architectures, one that is installed decides.
            if installed or name not in packages:
                packages[name] = Package(version=version, installed=installed, held=status[0] == "h")
        return PackageState(
            distribution=found["distribution"][0],
            packages=packages,
            broken=broken,
            interrupted=bool(found["journal"]),
        )


class Offered(State[list[str]]):
    """What an apt repository has of some packages, as "name=version"; empty when it cannot be read.

    + index: URL of its Packages file
    + names: the packages to report on
    """

    @override
    def command(self, index: str, names: list[str]) -> str:
        # apt's own downloader, as a host that is just installed may have no other.
        download = (
            "/usr/lib/apt/apt-helper -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20 download-file"
        )
        return sections(
            offered=(
                f"folder=$(mktemp -d) && {download} {shlex.quote(index)} $folder/index > /dev/null"
                f" && awk -v wanted=' {' '.join(names)} ' '/^Package: / {{ name = $2 }}"
                """ /^Version: / && index(wanted, " " name " ") { print name "=" $2 }' $folder/index"""
                "; rm -rf $folder"
            )
        )

    @override
    def parse(self, found: Sections) -> list[str]:
        return found["offered"]
