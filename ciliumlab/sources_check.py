"""What is wrong with the sources in group_data/all.py: checks as ciliumlab/settings.py uses them.

Each takes a value from outside, whatever it is, and says on one line what is wrong in it and how to mend it,
or returns None.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from ciliumlab.sources import ARCHITECTURES, file_name, filled
from ciliumlab.wording import instead, shown

# Where in a value, as keys from the outside in, and what is wrong there.
_Wrong = Iterator[tuple[tuple[str, ...], str]]
_Check = Callable[[object], _Wrong]

_VERSIONS = "version|kubernetes_version|containerd_version|cilium_version|minor"
_PLACEHOLDERS = f"{_VERSIONS}|distribution|codename|arch"
# Printable ASCII: what is in a source becomes part of URLs, of file names and of lines for people.
_SIGN = rf"(?:[!-z|~]|{{(?:{_PLACEHOLDERS})}})"
_SIGNS = f"{_SIGN}+"
_IMAGE = rf"[a-z0-9.-]+(?::\d+)?(?:/[a-z0-9._-]+)+:(?=[\w{{]){_SIGNS}"


def _text(pattern: str, description: str) -> _Check:
    compiled = re.compile(pattern, re.ASCII)

    def check(value: object) -> _Wrong:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            yield (), f"must be {description}, not {shown(value)}"

    return check


def _list(item: _Check) -> _Check:
    def check(value: object) -> _Wrong:
        if isinstance(value, list | tuple):
            for each in value:
                yield from item(each)
        else:
            yield (), f"must be a list, not {shown(value)}"

    return check


def _mapping(required: Mapping[str, _Check], optional: Mapping[str, _Check] | None = None) -> _Check:
    """A mapping with these keys."""
    checks = {**required, **(optional or {})}

    def check(value: object) -> _Wrong:
        if not isinstance(value, dict):
            yield (), f"must be a mapping with {', '.join(required)}, not {shown(value)}"
            return
        for key in value:
            if key not in checks:
                yield (shown(key),), f"is not known here; {instead(str(key), checks)}"
        for key, judge in checks.items():
            if key in value:
                yield from _below(key, judge(value[key]))
            elif key in required:
                yield (key,), "is missing"

    return check


def _by(name: _Check, item: _Check) -> _Check:
    """A mapping of any names to entries of one form."""

    def check(value: object) -> _Wrong:
        if not isinstance(value, dict):
            yield (), f"must be a mapping, not {shown(value)}"
            return
        for key, entry in value.items():
            yield from name(key)
            yield from _below(shown(key), item(entry))

    return check


def _below(key: str, wrong: _Wrong) -> _Wrong:
    return (((key, *where), what) for where, what in wrong)


# What becomes part of a file's name, on hosts and in a mirror.
_name = _text(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", "a name of lower-case letters, digits, dots and hyphens")
# Brackets in a host are IPv6's, and urlsplit refuses what else may be in them.
_url = _text(
    rf"https?://(?:(?![/?#\[\]]){_SIGN})+(?:[/?#]{_SIGN}*)?", "a URL, with no placeholder that is not known"
)
_version = _text(rf"(?=[\w{{])(?:[\w.:+~-]|{{(?:{_PLACEHOLDERS})}})+", "a version")
_image = _text(_IMAGE, "an image with registry and tag, such as registry.k8s.io/pause:3.10")
_sha256 = _text("[0-9a-f]{64}", "the 64 hex digits (lower case) of a published SHA-256")
_download = {"url": _url, "sha256": _sha256}
_repository = _mapping(
    {
        "url": _url,
        "suite": _text(_SIGNS, "a suite such as {codename}, or / for a flat repository"),
        "components": _list(_text(_SIGNS, "a component such as main")),
        "key": _url,
        "fingerprint": _text("[0-9A-Fa-f]{40}", "the 40 hex digits of a key's fingerprint"),
    },
    {"packages": _list(_text(rf"[a-z0-9][a-z0-9+.-]+(={_SIGNS})?", "a package, name or name=version"))},
)
_programs = _by(
    _text(rf"(?!/)(?!(?:.*/)?\.\.(?:/|$)){_SIGNS}|", "a path in the archive, or empty for no archive"),
    _text(r"\w[\w.-]*", "the name of a program in /usr/local/bin"),
)
_archive = _mapping(
    {"version": _version, "programs": _programs, **dict.fromkeys(ARCHITECTURES, _mapping(_download))}
)


_sha256_by_version = _by(_version, _sha256)


def _sha256_or_by_version(value: object) -> _Wrong:
    yield from (_sha256_by_version if isinstance(value, dict) else _sha256)(value)


def _archives(value: object) -> _Wrong:
    wrong = list(_by(_name, _archive)(value))
    yield from wrong
    if wrong or not isinstance(value, dict):
        return
    # A mirror keeps archives by the names of their files, and so holds one of each name.
    owners: dict[str, tuple[str, str]] = {}
    for name, archive in value.items():
        for architecture in ARCHITECTURES:
            download = archive[architecture]
            file = file_name(filled(download["url"], version=archive["version"]))
            owner, digest = owners.setdefault(file, (name, download["sha256"]))
            if digest != download["sha256"]:
                what = f"is another file than {owner}'s, also named {file}; a mirror holds one of a name"
                yield (name, architecture), what


def _told(check: _Check) -> Callable[[object], str | None]:
    def told(value: object) -> str | None:
        lines = [": ".join([*filter(None, [".".join(where)]), what]) for where, what in check(value)]
        return "; ".join(lines) or None

    return told


apt_repositories = _told(_by(_name, _repository))
"""What is wrong with a mapping of names to `sources.Repository`."""

archives = _told(_archives)
"""What is wrong with a mapping of names to `sources.Archive`."""

pinned = _told(_by(_name, _mapping({"version": _version, "url": _url, "sha256": _sha256_or_by_version})))
"""What is wrong with a mapping of names to `sources.Pinned`: charts, manifests."""

images = _told(_list(_image))
"""What is wrong with a list of images."""

workload_images = _told(_mapping({"whoami": _image, "netshoot": _image}))
"""What is wrong with the images of the example workloads."""

image_digests = _told(_by(_image, _text("sha256:[0-9a-f]{64}", "sha256: and 64 hex digits")))
"""What is wrong with a mapping of images to digests."""
