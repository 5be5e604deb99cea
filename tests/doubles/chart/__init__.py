"""A small chart called cilium, of our own: it turns values into cilium-config as the real one does."""

from __future__ import annotations

import gzip
import io
import tarfile
from pathlib import Path

import yaml

SOURCE = Path(__file__).parent / "cilium"

# The first is what a lab installs; the others are for upgrades: the last patch with and the first without
# the bug of stale routes, a minor before and one after.
VERSIONS = ("1.18.0", "1.17.9", "1.18.3", "1.19.0")


def package(version: str) -> bytes:
    """The chart as `helm package` packs it, always the same bytes for one version."""
    target = io.BytesIO()
    with (
        gzip.GzipFile(fileobj=target, mode="wb", mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for path in sorted(path for path in SOURCE.rglob("*") if path.is_file()):
            content = path.read_bytes()
            if path.name == "Chart.yaml":
                content = metadata(version).encode()
            entry = tarfile.TarInfo(f"cilium/{path.relative_to(SOURCE).as_posix()}")
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return target.getvalue()


def metadata(version: str) -> str:
    """Chart.yaml of one version."""
    found = yaml.safe_load((SOURCE / "Chart.yaml").read_text())
    return yaml.safe_dump({**found, "version": version, "appVersion": version}, sort_keys=False)
