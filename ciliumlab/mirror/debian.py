"""Debian's package indices: their stanzas, versions and dependencies. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cmp_to_key

_RELATION = re.compile(r"\s*([a-z0-9][a-z0-9+.-]+)(?::\w+)?\s*(?:\(\s*(<<|<=|=|>=|>>)\s*([^)\s]+)\s*\))?")


@dataclass(frozen=True)
class Package:
    """A package of an index; ``path`` is relative to the repository, ``size`` in bytes."""

    name: str
    version: str
    architecture: str
    path: str
    size: int
    sha256: str
    depends: str


def stanzas(text: str) -> Iterator[dict[str, str]]:
    """The paragraphs of a control file, deb822(5); lines that go on are joined by newlines."""
    for paragraph in re.split(r"\n\s*\n", text.replace("\r\n", "\n").strip("\n")):
        fields: dict[str, str] = {}
        name = ""
        for line in paragraph.split("\n"):
            if line[:1] in (" ", "\t") and name:
                fields[name] += f"\n{line.strip()}"
            elif not line.startswith("#") and ":" in line:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
        if fields:
            yield fields


def packages(text: str) -> list[Package]:
    """The packages of a ``Packages`` file. ValueError when one lacks what it needs."""
    found = []
    for fields in stanzas(text):
        try:
            found.append(
                Package(
                    name=fields["Package"],
                    version=fields["Version"],
                    architecture=fields["Architecture"],
                    path=fields["Filename"].removeprefix("./"),
                    size=int(fields["Size"]),
                    sha256=fields["SHA256"],
                    depends=", ".join(filter(None, map(fields.get, ("Pre-Depends", "Depends")))),
                )
            )
        except KeyError as error:
            raise ValueError(f"{fields.get('Package', 'a package')} has no {error.args[0]}") from error
    return found


def checksums(release: str) -> dict[str, tuple[str, int]]:
    """SHA-256 and size of the indices that a ``Release`` file names, by path."""
    found = {}
    for fields in stanzas(release):
        for line in fields.get("SHA256", "").split("\n"):
            if len(words := line.split()) == 3:
                found[words[2]] = (words[0], int(words[1]))
    return found


def selected(index: Sequence[Package], wanted: Sequence[str]) -> list[Package]:
    """The wanted packages ("name", "name=version") and what they need of the same index, newest versions.

    A version without Debian's revision ("1.33.2") stands for the newest package of it ("1.33.2-1.1").
    LookupError names those that are not in the index.
    """
    chosen: dict[str, Package] = {}
    lacking = []
    for want in wanted:
        name, _, version = want.partition("=")
        versions = [package for package in index if package.name == name]
        fitting = [p for p in versions if version in ("", p.version) or p.version.startswith(f"{version}-")]
        if not fitting:
            has = (
                f"it has {newest(versions).version} as its newest" if versions else "it has none of that name"
            )
            lacking.append(f"{want} is not in it; {has}")
        else:
            chosen[name] = newest(fitting)
    if lacking:
        raise LookupError("; ".join(lacking))
    open_ones = list(chosen.values())
    while open_ones:
        for needed in _needed(open_ones.pop(), index, chosen):
            chosen[needed.name] = needed
            open_ones.append(needed)
    return sorted(chosen.values(), key=lambda package: package.name)


def _needed(package: Package, index: Sequence[Package], chosen: dict[str, Package]) -> Iterator[Package]:
    """What a package depends on and this index has; the rest is the distribution's own."""
    for clause in filter(None, package.depends.split(",")):
        for alternative in clause.split("|"):
            relation = _RELATION.match(alternative)
            if relation is None:
                continue
            name, operator, version = relation.groups()
            if name in chosen:
                break
            fitting = [p for p in index if p.name == name and _holds(p.version, operator, version)]
            if fitting:
                yield newest(fitting)
                break


def newest(found: Sequence[Package]) -> Package:
    return max(found, key=lambda package: cmp_to_key(compare)(package.version))


def _holds(version: str, operator: str | None, other: str) -> bool:
    if operator is None:
        return True
    order = compare(version, other)
    return {"<<": order < 0, "<=": order <= 0, "=": order == 0, ">=": order >= 0, ">>": order > 0}[operator]


def compare(one: str, other: str) -> int:
    """Below zero, zero or above it, as version ``one`` is older, the same or newer; deb-version(7)."""
    for left, right in zip(_parts(one), _parts(other), strict=True):
        if order := _order(left, right):
            return order
    return 0


def _parts(version: str) -> tuple[str, str, str]:
    epoch, colon, rest = version.partition(":")
    upstream, _, revision = (rest if colon else version).rpartition("-")
    whole = rest if colon else version
    return (epoch if colon else "0", upstream or whole, revision if upstream else "0")


def _order(one: str, other: str) -> int:
    """dpkg's comparison: letters before other signs, a tilde before everything, numbers as numbers."""
    while one or other:
        left, right = re.match(r"\D*", one), re.match(r"\D*", other)
        assert left and right
        one, other = one[left.end() :], other[right.end() :]
        for index in range(max(left.end(), right.end())):
            difference = _weight(left[0], index) - _weight(right[0], index)
            if difference:
                return difference
        left, right = re.match(r"\d*", one), re.match(r"\d*", other)
        assert left and right
        one, other = one[left.end() :], other[right.end() :]
        if difference := int(left[0] or 0) - int(right[0] or 0):
            return difference
    return 0


def _weight(text: str, index: int) -> int:
    if index >= len(text):
        return 0
    sign = text[index]
    if sign == "~":
        return -1
    return ord(sign) if sign.isalpha() else ord(sign) + 256
