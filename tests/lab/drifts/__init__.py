"""Ways in which a host leaves its declared state, stage by stage, and what is to become of each."""

from __future__ import annotations

from . import base, containerd, network, router

DRIFTS = {**base.DRIFTS, **network.DRIFTS, **router.DRIFTS, **containerd.DRIFTS}
