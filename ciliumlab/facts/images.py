"""Container images that containerd has for Kubernetes."""

from __future__ import annotations

from typing_extensions import override

from ciliumlab.facts.shell import Sections, State, sections

NAMESPACE = "k8s.io"  # the one that containerd's CRI works in


class Images(State[dict[str, str]]):
    """Digests of images by name; one whose content is not all there is not in the answer."""

    @override
    def command(self) -> str:
        # An unpacked one is also usable at once; one that is not will be, when it is first used.
        return sections(images=f"ctr --namespace {NAMESPACE} images check")

    @override
    def parse(self, found: Sections) -> dict[str, str]:
        images = {}
        for line in found["images"][1:]:
            # REF TYPE DIGEST STATUS SIZE UNPACKED, where the status is "complete (5/5)" or "incomplete …".
            name, _type, digest, status, *_rest = line.split()
            if status == "complete":
                images[name] = digest
        return images
