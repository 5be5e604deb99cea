"""The mirror of doubles: real packages, signed repositories and archives with real checksums."""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest
import yaml

from tests.doubles import build, debian, oci, packages, programs

pytestmark = pytest.mark.skipif(
    not (shutil.which("dpkg-deb") and shutil.which("gpg")), reason="dpkg-deb and gpg build the mirror"
)


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    """A mirror for which nothing need be fetched, and what a deploy has to be told of it."""
    patch = pytest.MonkeyPatch()
    patch.setattr(programs, "helm", lambda cache: None)
    real = tmp_path_factory.mktemp("kubectl") / "kubectl"
    real.write_text("#!/bin/sh\n")
    patch.setattr(debian, "program", lambda name, cache: real)
    patch.setattr(build, "CACHE", tmp_path_factory.mktemp("cache"))
    root = tmp_path_factory.mktemp("mirror")
    yield root, build.build(root, ("1.33.2", "1.34.0"))
    patch.undo()


def test_the_layout_is_that_of_a_mirror(mirror) -> None:
    root, _ = mirror
    for path in (
        "apt/kubernetes/v1.33/InRelease",
        "apt/kubernetes/v1.34/Packages.gz",
        "apt/docker/debian/dists/trixie/stable/binary-amd64/Packages",
        "apt/docker/ubuntu/dists/noble/InRelease",
        "keys/kubernetes-v1.34.asc",
        "keys/docker.asc",
        "images/registry.k8s.io_kube-apiserver_v1.34.0.tar",
    ):
        assert (root / path).is_file(), path


def test_the_manifest_holds_every_file(mirror) -> None:
    root, _ = mirror
    noted = json.loads((root / "manifest.json").read_text())["files"]
    assert {*noted, "manifest.json"} == {
        str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()
    }
    for path, entry in noted.items():
        content = (root / path).read_bytes()
        assert (entry["size"], entry["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())


@pytest.mark.parametrize("name", ["kubernetes", "docker"])
def test_repositories_are_signed_by_the_key_that_is_told(mirror, tmp_path, name: str) -> None:
    root, data = mirror
    release, key = {
        "kubernetes": ("apt/kubernetes/v1.33/InRelease", "keys/kubernetes-v1.33.asc"),
        "docker": ("apt/docker/debian/dists/trixie/InRelease", "keys/docker.asc"),
    }[name]
    keyring = tmp_path / "key.gpg"
    gpg = ["gpg", "--homedir", str(tmp_path), "--batch"]
    subprocess.run([*gpg, "--dearmor", "--output", keyring, root / key], check=True, capture_output=True)
    done = subprocess.run(
        [*gpg, "--no-default-keyring", "--keyring", keyring, "--status-fd", "1", "--verify", root / release],
        check=True, capture_output=True, text=True,
    )  # fmt: skip
    assert f"VALIDSIG {data['apt_repositories'][name]['fingerprint']}" in done.stdout


def test_packages_depend_on_one_another_as_the_real_ones(mirror) -> None:
    root, _ = mirror
    found = {}
    for path in (root / "apt/kubernetes/v1.33").glob("*.deb"):
        said = subprocess.run(
            ["dpkg-deb", "-f", path, "Package", "Version", "Depends"],
            capture_output=True,
            text=True,
            check=True,
        )
        fields = dict(line.split(": ", 1) for line in said.stdout.splitlines())
        found[fields["Package"]] = fields
    assert {found[name]["Version"] for name in ("kubeadm", "kubelet", "kubectl")} == {"1.33.2-1.1"}
    assert "kubernetes-cni" in found["kubelet"]["Depends"]
    assert "cri-tools" in found["kubeadm"]["Depends"]
    assert "kubectl-double" in found["kubectl"]["Depends"]


def test_kubeadm_brings_the_drop_in_and_kubelet_the_unit(mirror) -> None:
    root, _ = mirror

    def contents(name: str) -> str:
        path = next((root / "apt/kubernetes/v1.33").glob(f"{name}_*.deb"))
        return subprocess.run(["dpkg-deb", "-c", path], check=True, capture_output=True, text=True).stdout

    assert "./usr/lib/systemd/system/kubelet.service.d/10-kubeadm.conf" in contents("kubeadm")
    assert "./usr/lib/systemd/system/kubelet.service\n" in contents("kubelet")
    library = contents("kubernetes-double")
    for name in packages.LIBRARIES:
        assert f"./usr/lib/kubernetes-double/{name}/__init__.py" in library
    assert "__pycache__" not in library


def test_archives_have_the_checksums_that_are_told(mirror) -> None:
    root, data = mirror
    for archive in data["archives"].values():
        for architecture in ("amd64", "arm64"):
            url = archive[architecture]["url"].format(version=archive["version"])
            path = root / "archives" / Path(url).name
            assert hashlib.sha256(path.read_bytes()).hexdigest() == archive[architecture]["sha256"]
            with tarfile.open(path) as tar:
                for member in archive["programs"]:
                    name = member.format(version=archive["version"], arch=architecture)
                    assert tar.getmember(name).mode == 0o755


def test_charts_are_a_repository_of_helm(mirror) -> None:
    root, data = mirror
    index = yaml.safe_load((root / "charts/index.yaml").read_text())["entries"]["cilium"]
    told = data["charts"]["cilium"]["sha256"]
    assert {entry["version"]: entry["digest"] for entry in index} == told
    assert {"1.17.9", "1.18.0", "1.18.3", "1.19.0"} <= told.keys()
    for version, digest in told.items():
        content = (root / f"charts/cilium-{version}.tgz").read_bytes()
        assert hashlib.sha256(content).hexdigest() == digest


def test_a_double_says_that_it_is_one(mirror, tmp_path) -> None:
    root, data = mirror
    with tarfile.open(root / "archives/cilium-linux-amd64.tar.gz") as tar:
        member = tar.extractfile("cilium")
        assert member is not None
        (tmp_path / "cilium").write_bytes(member.read())
    version = data["archives"]["cilium"]["version"]
    said = subprocess.run(
        ["sh", tmp_path / "cilium", "version"], capture_output=True, text=True, check=True
    ).stdout
    assert said == f"cilium v{version} (a test double)\n"
    refused = subprocess.run(["sh", tmp_path / "cilium", "install"], capture_output=True, check=False)
    assert refused.returncode == 1


def test_an_image_has_one_digest(mirror, tmp_path) -> None:
    root, data = mirror
    name = "registry.k8s.io/pause:3.10"
    assert data["image_digests"][name] == oci.write(tmp_path / "again.tar", name)
    with tarfile.open(root / "images/registry.k8s.io_pause_3.10.tar") as tar:
        index = json.load(tar.extractfile("index.json"))  # type: ignore[arg-type]
        (root_entry,) = index["manifests"]
        assert root_entry["digest"] == data["image_digests"][name]
        assert root_entry["annotations"]["io.containerd.image.name"] == name
        for member in tar.getmembers():
            if member.name.startswith("blobs/"):
                content = tar.extractfile(member).read()  # type: ignore[union-attr]
                assert hashlib.sha256(content).hexdigest() == Path(member.name).name


def test_a_deploy_is_told_all_of_it(mirror) -> None:
    _, data = mirror
    told = build.overrides(data, "http://10.0.2.2:8000")
    assert told[:2] == ["--data", "mirror=http://10.0.2.2:8000"]
    keys = [entry.partition("=")[0] for entry in told[1::2]]
    assert keys == ["mirror", "apt_repositories", "archives", "charts", "images", "image_digests"]


def test_nothing_is_overwritten(mirror) -> None:
    root, _ = mirror
    with pytest.raises(FileExistsError, match="is not empty"):
        build.build(root)
