"""Container images from a mirror, where containerd has them for Kubernetes."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from pyinfra.context import host

from ciliumlab.facts.images import NAMESPACE, Images
from ciliumlab.facts.shell import quoted
from ciliumlab.operations.api import Commands, operation, read
from ciliumlab.operations.downloads import CACHE, DURATION, download
from ciliumlab.operations.steps import Shell
from ciliumlab.sources import Image

_CTR = f"ctr --namespace {NAMESPACE} images"

# Where an archive waits for its import, one at a time: they are large.
_FILE = f"{CACHE}/image.tar"

# Compares an image that was taken, $1, with its digest, $2; its archive came from $3.
_SAME = (
    'same() { case "$taken " in *" $1 "*) ;; *) return 0 ;; esac;'
    ' echo "$there" | awk -v name="$1" -v digest="$2"'
    " '$1 == name && $3 == digest { same = 1 } END { exit !same }'"
    f' || {{ {_CTR} rm "$1" >/dev/null; echo "$3 is not $2" >&2; failed=1; }}; }}'
)


@operation
def imported(images: Iterable[Image]) -> Commands:
    """
    Have container images in containerd before anything asks a registry for them.

    + images: see `ciliumlab.sources.Image`; one with a digest has to be that very image

    An image that is there whole is left alone. The others are imported by one command, which ends at the
    first one that fails and names it; a run after that goes on from there.
    """
    wanted = list(images)
    found = read(Images) if wanted else {}
    missing = [image for image in wanted if not _there(image, found)]
    if missing:
        yield _import(missing)
    else:
        host.noop(f"{len(wanted)} images are there" if wanted else "images are left to their registries")


def _there(image: Image, found: dict[str, str]) -> bool:
    name, digest = image["name"], image["digest"]
    return name in found and (not digest or found[name] == digest)


def _import(images: Sequence[Image]) -> Shell:
    # containerd checks each blob by its digest, so that only the roots of them remain to be compared: all
    # at once, as asking for them takes longer than comparing.
    checks = [
        f"same {quoted([image['name'], image['digest'], image['url']])}"
        for image in images
        if image["digest"]
    ]
    lines = [
        "taken= failed=",
        f"{' && '.join(map(_take, images))} || failed=1",
        f"rm -f {_FILE}",
        *([_SAME, f"there=$({_CTR} list) || exit 1", *checks] if checks else []),
        '[ -z "$failed" ]',
    ]
    return Shell("\n".join(lines), seconds=DURATION)


def _take(image: Image) -> str:
    name = image["name"]
    repository = shlex.quote(name.rpartition(":")[0])
    # By its digest too, which is how charts name images.
    take = f"{_CTR} import --digests --base-name {repository} {_FILE} >/dev/null"
    failed = shlex.quote(f"{name} could not be imported")
    note = f'taken="$taken "{shlex.quote(name)}'
    return f"{{ {download(image['url'], _FILE)} && {take} && {note} || {{ echo {failed} >&2; false; }}; }}"
