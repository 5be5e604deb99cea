"""apt repositories, each with the one key that may sign it."""

from __future__ import annotations

import shlex

from pyinfra.context import host

from ciliumlab.facts.apt_repository import KEYRINGS, SOURCES, Downloaded, RepositoryState
from ciliumlab.facts.apt_repository import Repository as RepositoryFact
from ciliumlab.facts.shell import FileText
from ciliumlab.openpgp import fingerprints
from ciliumlab.operations.api import Commands, Refused, operation, read, show_difference
from ciliumlab.operations.downloads import CACHE, DURATION, download
from ciliumlab.operations.files import permissions
from ciliumlab.operations.steps import Shell, Write
from ciliumlab.sources import Repository, filled


@operation
def present(repository: Repository, file: str) -> Commands:
    """
    Have apt know a repository, and trust for it one key and no other.

    + repository: see `ciliumlab.sources.Repository`; {distribution}, {codename} and {arch} are the host's
    + file: name of its files, without folder and suffix; a repository that was there before under this name
      is replaced

    The key is downloaded by the host and used only if its fingerprint is the declared one. Package lists are
    left to the operation that installs.
    """
    found = read(RepositoryFact, file=file)
    key_path, source_path = f"{KEYRINGS}/{file}.asc", f"{SOURCES}/{file}.sources"
    wanted = _source(repository, found, key_path)
    right = {
        key_path: found["key"] if _trusted(found["key"], repository) else None,
        source_path: found["source"] if _says(found["source"], wanted) else None,
    }
    if right[key_path] is None:
        yield from _key(repository, found, key_path, f"{CACHE}/{file}.asc")
    if right[source_path] is None:
        show_difference(source_path, wanted)
        yield Write(source_path, wanted)
    repairs = [
        step
        for path, there in right.items()
        if there is not None
        for step in permissions(path, there, "644", "root:root")
    ]
    yield from repairs
    if None not in right.values() and not repairs:
        host.noop(f"{source_path}: as declared, with its key")


def _key(repository: Repository, found: RepositoryState, path: str, downloaded: str) -> Commands:
    url = _for_host(repository["key"], found)
    yield Shell(download(url, downloaded), seconds=DURATION)
    text = read(Downloaded, path=downloaded)["text"]
    yield Shell(f"rm -f {shlex.quote(downloaded)}")
    yield Write(path, _only_key(url, text, repository))


def _says(found: FileText | None, text: str) -> bool:
    return found is not None and found["text"] == text


def _trusted(found: FileText | None, repository: Repository) -> bool:
    """Whether the key that is there is the declared one, with no other beside it."""
    try:
        return found is not None and fingerprints(found["text"]) == [repository["fingerprint"].upper()]
    except ValueError:
        return False


def _only_key(url: str, text: str, repository: Repository) -> str:
    expected = repository["fingerprint"].upper()
    try:
        found = fingerprints(text)
    except ValueError as error:
        raise Refused(f"{url}: is no key ({error}); it was not trusted") from error
    if found != [expected]:
        raise Refused(
            f"{url}: has the key {', '.join(found)}, and {expected} is declared; it was not trusted."
            " If the key was changed on purpose, set the new fingerprint in apt_repositories"
        )
    return text


def _source(repository: Repository, found: RepositoryState, key: str) -> str:
    """The source in deb822 style, sources.list(5)."""
    lines = {
        "Types": "deb",
        "URIs": _for_host(repository["url"], found),
        "Suites": _for_host(repository["suite"], found),
        "Components": _for_host(" ".join(repository["components"]), found),
        "Architectures": found["architecture"],
        "Signed-By": key,
    }
    return "".join(f"{name}: {value}\n" for name, value in lines.items() if value)


def _for_host(text: str, found: RepositoryState) -> str:
    return filled(
        text, distribution=found["distribution"], codename=found["codename"], arch=found["architecture"]
    )
