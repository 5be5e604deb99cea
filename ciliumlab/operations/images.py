"""Container images from a mirror, where containerd has them for Kubernetes."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from pyinfra.context import host

from ciliumlab.facts.images import NAMESPACE, Images
from ciliumlab.operations.api import Commands, operation, read
from ciliumlab.operations.downloads import CACHE, DURATION, download
from ciliumlab.operations.steps import Shell
from ciliumlab.sources import Image


@operation
def imported(images: Iterable[Image]) -> Commands:
    """
    Have container images in containerd before anything asks a registry for them.

    + images: see `ciliumlab.sources.Image`; one with a digest has to be that very image

    An image that is there whole is left alone.
    """
    wanted = list(images)
    found = read(Images) if wanted else {}
    missing = [image for image in wanted if not _there(image, found)]
    for image in missing:
        yield _import(image)
    if not missing:
        host.noop(f"{len(wanted)} images are there" if wanted else "images are left to their registries")


def _there(image: Image, found: dict[str, str]) -> bool:
    name, digest = image["name"], image["digest"]
    return name in found and (not digest or found[name] == digest)


def _import(image: Image) -> Shell:
    ctr = f"ctr --namespace {NAMESPACE} images"
    repository, _, _tag = image["name"].rpartition(":")
    file = f"{CACHE}/{image['url'].rpartition('/')[2]}"
    name = shlex.quote(image["name"])
    # By its digest too, which is how charts name images.
    steps = [
        download(image["url"], file),
        f"{ctr} import --digests --base-name {shlex.quote(repository)} {shlex.quote(file)} >/dev/null",
    ]
    if image["digest"]:
        # containerd checks each blob by its digest, so that only the root of them remains to be compared.
        steps.append(
            f"{{ {ctr} list name=={name} | grep -qF {image['digest']} ||"
            f" {{ {ctr} rm {name} >/dev/null; echo {image['url']} is not {image['digest']} >&2; false; }}; }}"
        )
    failed = f"{{ echo {name} could not be imported >&2; rm -f {shlex.quote(file)}; exit 1; }}"
    return Shell(f"{' && '.join(steps)} && rm -f {shlex.quote(file)} || {failed}", seconds=DURATION)
