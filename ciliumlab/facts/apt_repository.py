"""Package sources that apt has, and keys that it trusts for them."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import Any, TypedDict

from typing_extensions import override

from ciliumlab.facts.files import Texts
from ciliumlab.facts.shell import FileText, Sections, State, contents, parse_contents, sections
from ciliumlab.facts.together import Asked, Combined

SOURCES = "/etc/apt/sources.list.d"
KEYRINGS = "/etc/apt/keyrings"


class DistributionState(TypedDict):
    """What a host is: "debian", "trixie", "amd64"."""

    distribution: str
    codename: str
    architecture: str


class RepositoryState(DistributionState):
    """What a host is, and the files of a package source (None: not there)."""

    source: FileText | None
    key: FileText | None


class Distribution(State[DistributionState]):
    """What packages a host takes."""

    early = True

    @override
    def command(self) -> str:
        return sections(
            system='. /etc/os-release && echo "$ID" && echo "$VERSION_CODENAME"',
            architecture="dpkg --print-architecture",
        )

    @override
    def parse(self, found: Sections) -> DistributionState:
        distribution, codename = found["system"]
        return DistributionState(
            distribution=distribution, codename=codename, architecture=found["architecture"][0]
        )


class Repository(Combined[RepositoryState]):
    """A package source and its key.

    + file: their name, without folder and suffix
    """

    early = True

    @override
    def command(self, file: str) -> str:
        paths = (f"{SOURCES}/{file}.sources", f"{KEYRINGS}/{file}.asc")
        return self.asking(Asked(Distribution, {}), *(Asked(Texts, {"paths": [path]}) for path in paths))

    @override
    def combine(self, values: Sequence[Any]) -> RepositoryState:
        host: DistributionState = values[0]
        source, key = (next(iter(files.values()), None) for files in values[1:])
        return RepositoryState(
            distribution=host["distribution"],
            codename=host["codename"],
            architecture=host["architecture"],
            source=source,
            key=key,
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
