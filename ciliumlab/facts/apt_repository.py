"""Package sources that apt has, and keys that it trusts for them."""

from __future__ import annotations

import shlex
from typing import TypedDict

from typing_extensions import override

from ciliumlab.facts.shell import FileText, Sections, State, contents, parse_contents, sections

SOURCES = "/etc/apt/sources.list.d"
KEYRINGS = "/etc/apt/keyrings"


class RepositoryState(TypedDict):
    """What a host is ("debian", "trixie", "amd64"), and the files of a package source (None: not there)."""

    distribution: str
    codename: str
    architecture: str
    source: FileText | None
    key: FileText | None


class Repository(State[RepositoryState]):
    """A package source and its key.

    + file: their name, without folder and suffix
    """

    early = True

    @override
    def command(self, file: str) -> str:
        return sections(
            system='. /etc/os-release && echo "$ID" && echo "$VERSION_CODENAME"',
            architecture="dpkg --print-architecture",
            source=contents(shlex.quote(f"{SOURCES}/{file}.sources")),
            key=contents(shlex.quote(f"{KEYRINGS}/{file}.asc")),
        )

    @override
    def parse(self, found: Sections) -> RepositoryState:
        distribution, codename = found["system"]
        return RepositoryState(
            distribution=distribution,
            codename=codename,
            architecture=found["architecture"][0],
            source=_only(found["source"]),
            key=_only(found["key"]),
        )


class Downloaded(State[FileText]):
    """A small text file that a step has just downloaded.

    + path: where it is; the fact is unreadable where there is none
    """

    @override
    def command(self, path: str) -> str:
        return sections(file=contents(shlex.quote(path)))

    @override
    def parse(self, found: Sections) -> FileText:
        (file,) = parse_contents(found["file"]).values()
        return file


def _only(lines: list[str]) -> FileText | None:
    return next(iter(parse_contents(lines).values()), None)
