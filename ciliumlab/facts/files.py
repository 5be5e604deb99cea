"""Files as they are on a host."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Mapping
from typing import Any

from typing_extensions import override

from ciliumlab.facts.shell import (
    FileState,
    FileText,
    Joined,
    Sections,
    contents,
    listing,
    parse_contents,
    parse_listing,
    sections,
)


class Files(Joined[dict[str, FileState]]):
    """Mode, owner and SHA-256 of any number of files.

    + paths: absolute paths; one that does not exist is not in the answer
    """

    early = True

    @override
    def command(self, paths: list[str]) -> str:
        return sections(files=listing(paths))

    @override
    def parse(self, found: Sections) -> dict[str, FileState]:
        return parse_listing(found["files"])

    @override
    def part(self, value: dict[str, FileState], arguments: Mapping[str, Any]) -> dict[str, FileState]:
        return {path: value[path] for path in arguments["paths"] if path in value}


class Texts(Joined[dict[str, FileText]]):
    """Mode, owner and text of small files.

    + paths: absolute paths, whose names may have a ``*``; one that does not exist is not in the answer
    """

    early = True

    @override
    def command(self, paths: list[str]) -> str:
        return sections(files=contents(*map(_pattern, paths)))

    @override
    def parse(self, found: Sections) -> dict[str, FileText]:
        return parse_contents(found["files"])

    @override
    def part(self, value: dict[str, FileText], arguments: Mapping[str, Any]) -> dict[str, FileText]:
        return {path: text for path, text in value.items() if _named(path, arguments["paths"])}


def _pattern(path: str) -> str:
    """For a shell, to which nothing in it but ``*`` means something."""
    return "*".join(map(shlex.quote, path.split("*")))


def _named(path: str, patterns: Iterable[str]) -> bool:
    expressions = ("[^/]*".join(map(re.escape, pattern.split("*"))) for pattern in patterns)
    return any(re.fullmatch(expression, path) for expression in expressions)
