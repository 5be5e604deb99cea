"""The doubles as modules of their own, as on a host, over a host's files in a folder of the test's."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

DOUBLES = Path(__file__).resolve().parents[2] / "doubles"
sys.path.insert(0, str(DOUBLES))

from common import host  # noqa: E402


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A host's files, with kubeadm and kubelet 1.33.2 installed."""
    monkeypatch.setattr(host, "ROOT", tmp_path)
    versions = tmp_path / "usr/lib/kubernetes-double/versions"
    versions.mkdir(parents=True)
    for program in ("kubeadm", "kubelet"):
        (versions / program).write_text("v1.33.2\n")
    return tmp_path


@pytest.fixture
def fault(root: Path):
    """Injects a fault."""

    def inject(name: str, said: str = "") -> None:
        folder = root / "etc/kubernetes-double/faults"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(said)

    return inject
