"""Build a mirror of doubles in the layout of `ciliumlab mirror`: `python -m tests.doubles.build DIR`.

It prints the `--data` that a deploy needs to use it, as one JSON object: fingerprints, checksums and digests
of what was built instead of those of the real sources.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from ciliumlab.errors import LabError
from tests.doubles import chart, debian, oci, packages, programs, repositories

REPOSITORY = Path(__file__).resolve().parents[2]
CACHE = Path.home() / ".cache/ciliumlab/doubles"

# Of Debian's packages dpkg, gnupg and apt, which Debian's and Ubuntu's hosts have.
PROGRAMS = ("dpkg-deb", "gpg", "apt-get")

RELEASES = ("1.33.2", "1.33.3", "1.34.0")
CONTAINERD = "1.7.27"
SUITES = (("debian", "bookworm"), ("debian", "trixie"), ("ubuntu", "noble"))

# What kubeadm 1.34 wants beside the images of Kubernetes' own, where that is not what 1.33 wants.
NEWER = (
    "registry.k8s.io/coredns/coredns:v1.12.1",
    "registry.k8s.io/pause:3.10.1",
    "registry.k8s.io/etcd:3.6.4-0",
)

Data = dict[str, Any]


def build(root: Path, releases: Sequence[str] = RELEASES) -> Data:
    """Make the mirror in ``root``, which must be empty or absent; the settings that it changes, by name."""
    root.mkdir(parents=True, exist_ok=True)
    if any(root.iterdir()):
        raise FileExistsError(f"{root} is not empty")
    settings = _settings()
    data = {
        "apt_repositories": _repositories(root, settings["apt_repositories"], releases),
        "archives": _archives(root, settings["archives"]),
        "charts": _charts(root, settings["charts"]),
        **_images(root, settings, releases),
    }
    _note(root)
    return data


def overrides(data: Data, mirror: str) -> list[str]:
    """The arguments for pyinfra and `ciliumlab plan`: `--data`, key=<json>, …"""
    found = ["--data", f"mirror={mirror}"]
    for name, value in data.items():
        found += ["--data", f"{name}={json.dumps(value, separators=(',', ':'))}"]
    return found


def _settings() -> Data:
    """The defaults of the settings, of which a mirror of doubles replaces a part."""
    found: Data = {}
    path = REPOSITORY / "group_data/all.py"
    exec(compile(path.read_text(), str(path), "exec"), found)
    return found


def _repositories(root: Path, declared: Data, releases: Sequence[str]) -> Data:
    data = json.loads(json.dumps(declared))
    (root / "keys").mkdir()
    with repositories.Signer("Kubernetes (test double)") as signer, TemporaryDirectory() as large:
        real = packages.real_kubectl(debian.program("kubectl", CACHE)).build(Path(large))
        for minor in sorted({release.rpartition(".")[0] for release in releases}):
            folder = root / f"apt/kubernetes/v{minor}"
            folder.mkdir(parents=True)
            wanted = [release for release in releases if release.startswith(f"{minor}.")]
            debs = [package.build(folder) for package in packages.kubernetes(wanted)]
            debs.append(Path(shutil.copy(real, folder)))
            repositories.flat(folder, debs, signer, f"kubernetes-v{minor}")
            (root / f"keys/kubernetes-v{minor}.asc").write_text(signer.armored)
        data["kubernetes"]["fingerprint"] = signer.fingerprint
    with repositories.Signer("Docker (test double)") as signer:
        for distribution in sorted({distribution for distribution, _ in SUITES}):
            folder = root / f"apt/docker/{distribution}"
            pool = folder / "pool"
            pool.mkdir(parents=True)
            debs = [package.build(pool) for package in packages.docker(CONTAINERD)]
            for _, codename in (suite for suite in SUITES if suite[0] == distribution):
                repositories.suite(folder, codename, "stable", debs, signer, "Docker CE")
        (root / "keys/docker.asc").write_text(signer.armored)
        data["docker"]["fingerprint"] = signer.fingerprint
    return dict(data)


def _archives(root: Path, declared: Data) -> Data:
    data = json.loads(json.dumps(declared))
    (root / "archives").mkdir()
    for name, archive in data.items():
        for architecture in ("amd64", "arm64"):
            version = archive["version"]
            content = programs.archive(archive["programs"], name, version, architecture, CACHE)
            file = archive[architecture]["url"].format(version=version, arch=architecture).rpartition("/")[2]
            (root / "archives" / file).write_bytes(content)
            archive[architecture]["sha256"] = hashlib.sha256(content).hexdigest()
    return dict(data)


def _charts(root: Path, declared: Data) -> Data:
    """Cilium's chart in all versions that the doubles know, as a Helm repository (its index.yaml)."""
    folder = root / "charts"
    folder.mkdir()
    digests, entries = {}, []
    for version in chart.VERSIONS:
        content = chart.package(version)
        digests[version] = hashlib.sha256(content).hexdigest()
        (folder / f"cilium-{version}.tgz").write_bytes(content)
        known = yaml.safe_load(chart.metadata(version))
        entries.append({**known, "urls": [f"cilium-{version}.tgz"], "digest": digests[version]})
    index = {"apiVersion": "v1", "entries": {"cilium": entries}, "generated": "2025-01-01T00:00:00Z"}
    (folder / "index.yaml").write_text(yaml.safe_dump(index, sort_keys=False))
    return {**declared, "cilium": {**declared["cilium"], "sha256": digests}}


def _images(root: Path, settings: Data, releases: Sequence[str]) -> Data:
    declared = [*settings["images"], *NEWER]
    references = {
        name.format(kubernetes_version=release, cilium_version=version): None
        for release in releases
        for version in chart.VERSIONS
        for name in [*declared, *settings["workload_images"].values()]
    }
    digests = {name: oci.write(root / f"images/{re.sub('[/:]', '_', name)}.tar", name) for name in references}
    return {"images": declared, "image_digests": digests}


def _note(root: Path) -> None:
    """manifest.json: what the mirror holds."""
    files = {}
    for path in sorted(path for path in root.rglob("*") if path.is_file()):
        content = path.read_bytes()
        files[path.relative_to(root).as_posix()] = {
            "size": len(content),
            "sha256": hashlib.sha256(content).hexdigest(),
            "source": "test double",
        }
    (root / "manifest.json").write_text(json.dumps({"files": files}, indent=1) + "\n")


def main(arguments: Sequence[str]) -> int:
    if len(arguments) != 1:
        print("usage: python -m tests.doubles.build DIR", file=sys.stderr)
        return 2
    lacking = [name for name in PROGRAMS if not shutil.which(name)]
    if lacking:
        print(f"build: {' and '.join(lacking)} must be installed", file=sys.stderr)
        return 1
    try:
        data = build(Path(arguments[0]))
    except FileExistsError as error:
        print(f"build: {error}; give an empty or a new directory", file=sys.stderr)
        return 1
    except LabError as error:
        print(error, file=sys.stderr)
        return 1
    except subprocess.CalledProcessError as error:
        said = (error.stderr or b"").decode().strip() if isinstance(error.stderr, bytes) else error.stderr
        print(f"build: {' '.join(map(str, error.cmd))} failed: {said}", file=sys.stderr)
        return 1
    print(json.dumps(data))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
