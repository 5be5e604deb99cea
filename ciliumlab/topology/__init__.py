"""lab.yaml, read and validated: which machines and networks exist.

``load`` gives the declaration as frozen dataclasses, or every problem in it at once.
"""

from __future__ import annotations

from pathlib import Path

from ciliumlab.topology import document
from ciliumlab.topology.model import (
    Dummy,
    Interface,
    Kubernetes,
    Machine,
    Node,
    Pool,
    Role,
    Router,
    Segment,
    Topology,
)
from ciliumlab.topology.reader import Reader

__all__ = [
    "Dummy",
    "Interface",
    "Kubernetes",
    "Machine",
    "Node",
    "Pool",
    "Role",
    "Router",
    "Segment",
    "Topology",
    "load",
]


def load(path: Path) -> Topology:
    """Read and validate lab.yaml.

    Raises DeclarationError with every problem in the file, one line each.
    """
    return Reader(document.read(path)).topology()
