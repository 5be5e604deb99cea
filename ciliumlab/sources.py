"""Where things come from: what group_data/all.py says of it, with versions and mirror applied.

Pure. Addresses and names keep ``{distribution}``, ``{codename}`` and ``{arch}``, which an operation fills
in from facts of the host.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Mapping
from typing import Any, NotRequired, Protocol, TypedDict
from urllib.parse import unquote, urlsplit

from ciliumlab.errors import Problem

ARCHITECTURES = ("amd64", "arm64")

# What a mirror can hold.
KINDS = ("apt", "archives", "charts", "manifests", "images")

# The distributions that a lab's machines may have, with their codenames.
DISTRIBUTIONS = (("debian", "bookworm"), ("debian", "trixie"), ("ubuntu", "noble"))


class Repository(TypedDict):
    """An apt repository. ``fingerprint``: 40 hex digits of the one key that signs it; ``key``: where that is.

    ``suite`` is a path that ends with "/", and ``components`` is empty, for a flat repository. ``packages``
    ("name" or "name=version") is what a mirror takes of it.
    """

    url: str
    suite: str
    components: list[str]
    key: str
    fingerprint: str
    packages: NotRequired[list[str]]


class Download(TypedDict):
    """A file with its SHA-256 in hex digits."""

    url: str
    sha256: str


class Archive(TypedDict):
    """A release archive (tar) of programs: members by path, and the names they get in /usr/local/bin.

    The member "" stands for the download itself, which then is the program and no archive.
    """

    version: str
    programs: dict[str, str]
    amd64: Download
    arm64: Download


class Pinned(Download):
    """A file of one version: a chart or a manifest. In the settings, ``sha256`` may be one by version."""

    version: str


class Image(TypedDict):
    """A container image: ``name`` with registry and tag, its digest where one is published ("" where not),
    and the ``url`` of the OCI archive that has it.
    """

    name: str
    digest: str
    url: str


class Sources(Protocol):
    """The settings that this module reads."""

    @property
    def mirror(self) -> str: ...
    @property
    def kubernetes_version(self) -> str: ...
    @property
    def containerd_version(self) -> str: ...
    @property
    def cilium_version(self) -> str: ...
    @property
    def apt_repositories(self) -> Mapping[str, Any]: ...
    @property
    def archives(self) -> Mapping[str, Any]: ...
    @property
    def charts(self) -> Mapping[str, Any]: ...
    @property
    def manifests(self) -> Mapping[str, Any]: ...
    @property
    def images(self) -> list[str]: ...
    @property
    def workloads(self) -> bool: ...
    @property
    def workload_images(self) -> Mapping[str, str]: ...
    @property
    def image_digests(self) -> Mapping[str, str]: ...


def filled(text: str, **values: str) -> str:
    """``text`` with these placeholders filled in, and all others as they are."""
    return re.sub(r"{(\w+)}", lambda found: values.get(found[1], found[0]), text)


def everything(settings: Sources) -> dict[str, Any]:
    """All of them, by the names that a host's data has them under."""
    return {
        "repositories": repositories(settings),
        "release_archives": archives(settings),
        "mirrored_images": images(settings),
        # Not under the settings' own names: what `--data` says of these would take the place of it.
        "helm_charts": charts(settings),
        "pinned_manifests": manifests(settings),
    }


def repositories(settings: Sources) -> dict[str, Repository]:
    """The apt repositories by name."""
    found = {}
    for name, declared in settings.apt_repositories.items():
        repository: dict[str, Any] = _filled_all(declared, **_versions(settings))
        if settings.mirror:
            repository["url"] = f"{settings.mirror}/{repository_folder(name, declared['url'], settings)}/"
            repository["key"] = f"{settings.mirror}/{key_file(name, declared['key'], settings)}"
        found[name] = Repository(**repository)  # type: ignore[typeddict-item]
    return found


def archives(settings: Sources) -> dict[str, Archive]:
    """The release archives by name."""
    found = {}
    for name, declared in settings.archives.items():
        archive: dict[str, Any] = _filled_all(
            declared, **_versions(settings) | {"version": declared["version"]}
        )
        for architecture in ARCHITECTURES:
            download = archive[architecture]
            if settings.mirror:
                download["url"] = f"{settings.mirror}/{archive_file(download['url'])}"
        found[name] = Archive(**archive)  # type: ignore[typeddict-item]
    return found


def charts(settings: Sources) -> dict[str, Pinned]:
    """The Helm charts by name."""
    return _pinned(settings, settings.charts, chart_file)


def manifests(settings: Sources) -> dict[str, Pinned]:
    """The Kubernetes manifests by name."""
    return _pinned(settings, settings.manifests, manifest_file)


def images(settings: Sources) -> list[Image]:
    """The images that hosts take from a mirror; without one none, since a host's runtime then pulls them
    itself.
    """
    left_out = () if settings.workloads else settings.workload_images.values()
    return [
        Image(name=name, digest=digest, url=f"{settings.mirror}/{image_file(name)}")
        for name, digest in image_names(settings).items()
        if settings.mirror and name not in left_out
    ]


def image_names(settings: Sources) -> dict[str, str]:
    """All images that a mirror holds, with their published digests ("" where none is)."""
    declared = [*settings.images, *settings.workload_images.values()]
    names = [filled(name, **_versions(settings)) for name in declared]
    return {name: settings.image_digests.get(name, "") for name in names}


def unpublished(settings: Sources) -> list[Problem]:
    """Charts and manifests in a version that no digest is known of; ``where`` is the setting to change."""
    problems = []
    for setting, declared in (("charts", settings.charts), ("manifests", settings.manifests)):
        for name, entry in declared.items():
            version = filled(entry["version"], **_versions(settings))
            digests = entry["sha256"]
            if isinstance(digests, Mapping) and version not in digests:
                chosen = re.fullmatch(r"{(\w+_version)}", entry["version"])
                what = f"no published digest of {name} {version} is in {setting}; known: {', '.join(digests)}"
                problems.append(Problem(chosen[1] if chosen else setting, what))
    return problems


# A mirror's layout, docs/mirror.md. Each is a path below its base URL.


def repository_folder(name: str, url: str, settings: Sources) -> str:
    """``apt/kubernetes/v1.33``, ``apt/docker/{distribution}``: what upstream has by minor or distribution, a
    mirror has so too.
    """
    parts = ["apt", name]
    if "{minor}" in url:
        parts.append(f"v{_versions(settings)['minor']}")
    if "{distribution}" in url:
        parts.append("{distribution}")
    return "/".join(parts)


def key_file(name: str, url: str, settings: Sources) -> str:
    """``keys/kubernetes-v1.33.asc``, ``keys/docker.asc``."""
    minor = f"-v{_versions(settings)['minor']}" if "{minor}" in url else ""
    return f"keys/{name}{minor}.asc"


def archive_file(url: str) -> str:
    return f"archives/{file_name(url)}"


def chart_file(name: str, version: str) -> str:
    return f"charts/{name}-{version}.tgz"


def manifest_file(name: str, version: str) -> str:
    return f"manifests/{name}-{version}.yaml"


def image_file(name: str) -> str:
    return f"images/{re.sub('[/:]', '_', name)}.tar"


def file_name(url: str) -> str:
    """The last part of a URL's path."""
    return posixpath.basename(unquote(urlsplit(url).path))


def _versions(settings: Sources) -> dict[str, str]:
    return {
        "kubernetes_version": settings.kubernetes_version,
        "minor": settings.kubernetes_version.rpartition(".")[0],
        "containerd_version": settings.containerd_version,
        "cilium_version": settings.cilium_version,
    }


def _filled_all(value: Any, **values: str) -> Any:
    """A copy of plain data with the placeholders filled in, in the keys of mappings too."""
    if isinstance(value, Mapping):
        return {filled(key, **values): _filled_all(item, **values) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_filled_all(item, **values) for item in value]
    return filled(value, **values) if isinstance(value, str) else value


def _pinned(settings: Sources, declared: Mapping[str, Any], path: Any) -> dict[str, Pinned]:
    found = {}
    for name, entry in declared.items():
        version = filled(entry["version"], **_versions(settings))
        pinned: dict[str, Any] = _filled_all(entry, **_versions(settings) | {"version": version})
        if isinstance(entry["sha256"], Mapping):
            pinned["sha256"] = entry["sha256"][version]
        if settings.mirror:
            pinned["url"] = f"{settings.mirror}/{path(name, pinned['version'])}"
        found[name] = Pinned(**pinned)  # type: ignore[typeddict-item]
    return found
