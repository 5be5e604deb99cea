"""Programs from release archives, and what was noted when they were installed."""

from __future__ import annotations

import posixpath
from typing import TypedDict

from typing_extensions import override

from ciliumlab.facts.shell import (
    FileState,
    Sections,
    State,
    contents,
    listing,
    parse_contents,
    parse_listing,
    sections,
)

# A note an archive: what was installed, and the checksum of every program as it then was.
NOTES = "/var/lib/ciliumlab/archives"


class Note(TypedDict):
    """``source`` is version and SHA-256 of the archive; ``programs`` are paths with their SHA-256."""

    source: str
    programs: dict[str, str]


class ProgramState(TypedDict):
    """The host's architecture ("amd64"), notes by archive, and programs as they are, by path."""

    architecture: str
    notes: dict[str, Note]
    programs: dict[str, FileState]


class Programs(State[ProgramState]):
    """Programs that were installed from archives.

    + paths: absolute paths of programs; one that does not exist is not in the answer
    """

    @override
    def command(self, paths: list[str]) -> str:
        return sections(
            architecture="dpkg --print-architecture",
            notes=contents(f"{NOTES}/*"),
            programs=listing(paths),
        )

    @override
    def parse(self, found: Sections) -> ProgramState:
        return ProgramState(
            architecture=found["architecture"][0],
            notes={
                posixpath.basename(path): _note(file["text"])
                for path, file in parse_contents(found["notes"]).items()
            },
            programs=parse_listing(found["programs"]),
        )


def _note(text: str) -> Note:
    """A line that says what it is, and then sha256sum's lines."""
    source, *programs = text.splitlines() or [""]
    return Note(source=source, programs={line[66:]: line[:64] for line in programs})
