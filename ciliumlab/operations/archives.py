"""Programs from release archives, in /usr/local/bin."""

from __future__ import annotations

import shlex
from collections.abc import Mapping

from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from ciliumlab.facts.archives import NOTES, Programs, ProgramState
from ciliumlab.facts.shell import quoted
from ciliumlab.operations.api import Commands, Refused, operation, read
from ciliumlab.operations.downloads import CACHE, DURATION, download
from ciliumlab.operations.files import permissions
from ciliumlab.operations.steps import Shell
from ciliumlab.sources import ARCHITECTURES, Archive, Download, filled

_FOLDER = "/usr/local/bin"


@operation
def installed(archives: Mapping[str, Archive]) -> Commands:
    """
    Have the programs of release archives in /usr/local/bin, each exactly as its archive has it.

    + archives: see `ciliumlab.sources.Archive`; {arch} is the host's

    An archive is checked against its SHA-256 before anything of it is unpacked. What was installed is noted
    on the host with each program's checksum, so that one that was changed or removed is seen, and mended.
    """
    found = read(Programs, paths=[path for archive in archives.values() for path in _paths(archive)])
    if found["architecture"] not in ARCHITECTURES:
        raise Refused(
            f"{found['architecture']} is no architecture that the archives are for;"
            f" use a machine that is {' or '.join(ARCHITECTURES)}"
        )
    changes: list[PyinfraCommand] = []
    for name, archive in archives.items():
        if _intact(name, archive, found):
            for path in _paths(archive):
                changes += permissions(path, found["programs"][path], "755", "root:root")
        else:
            changes.append(_install(name, archive, found["architecture"]))
    yield from changes
    if not changes:
        versions = (f"{name} {archive['version']}" for name, archive in archives.items())
        host.noop(f"{', '.join(versions)}: installed")


def _paths(archive: Archive) -> list[str]:
    return [f"{_FOLDER}/{program}" for program in archive["programs"].values()]


def _download(archive: Archive, architecture: str) -> Download:
    return archive["amd64"] if architecture == "amd64" else archive["arm64"]


def _source(archive: Archive, architecture: str) -> str:
    """How a note names what was installed."""
    return f"{archive['version']} {_download(archive, architecture)['sha256']}"


def _intact(name: str, archive: Archive, found: ProgramState) -> bool:
    """Whether the programs are what this archive has, as far as their contents go."""
    note = found["notes"].get(name)
    return (
        note is not None
        and note["source"] == _source(archive, found["architecture"])
        and sorted(note["programs"]) == sorted(_paths(archive))
        and all(
            path in found["programs"] and found["programs"][path]["sha256"] == digest
            for path, digest in note["programs"].items()
        )
    )


def _install(name: str, archive: Archive, architecture: str) -> Shell:
    source = _download(archive, architecture)
    work = f"{CACHE}/{name}"
    members = {filled(member, arch=architecture): program for member, program in archive["programs"].items()}
    steps = [
        f"work={shlex.quote(work)} note={shlex.quote(f'{NOTES}/{name}')}",
        download(source["url"], f"{work}.download", source["sha256"]),
        'rm -rf "$work" && mkdir "$work"',
    ]
    if "" in members:
        members = {program: program for program in members.values()}
        steps.append(f'mv "$work.download" "$work"/{quoted(members)}')
    else:
        steps.append(f'tar -xf "$work.download" --no-same-owner -C "$work" -- {quoted(members)}')
    for member, program in members.items():
        # A program that runs cannot be written to, but another may take its name.
        new, path = quoted([_beside(program)]), quoted([f"{_FOLDER}/{program}"])
        steps.append(f'install -m 755 -o root -g root -T "$work"/{shlex.quote(member)} {new}')
        steps.append(f"sync {new} && mv -fT {new} {path}")
    # The note comes last, so that an installation that was cut off is done again.
    steps += [
        f'umask 022 && mkdir -p {NOTES} && echo {shlex.quote(_source(archive, architecture))} > "$work.note"',
        f'sha256sum {quoted(_paths(archive))} >> "$work.note" && mv -fT "$work.note" "$note"',
        'rm -rf "$work" "$work.download"',
    ]
    failed = f"{name} {archive['version']} could not be installed"
    # What was begun goes first: where the connection has been cut, to say anything is the end.
    begun = f'"$work" "$work".* {quoted(map(_beside, members.values()))}'
    return Shell(
        f"{' && '.join(steps)} || {{ rm -rf {begun}; echo {shlex.quote(failed)} >&2; exit 1; }}",
        seconds=DURATION,
    )


def _beside(program: str) -> str:
    """Where a program is written before it gets its name."""
    return f"{_FOLDER}/.{program}.ciliumlab"
