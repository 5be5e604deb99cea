"""Filling, verifying and using a mirror: real gpg and apt, and an upstream on loopback."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tarfile
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from ciliumlab import cli
from ciliumlab.errors import LabError
from ciliumlab.mirror.contents import Contents
from ciliumlab.mirror.fetch import fetch
from ciliumlab.mirror.serve import Server
from ciliumlab.progress import Progress
from ciliumlab.settings import Settings
from ciliumlab.sources import KINDS

from .upstream import Debs, Key, Upstream, deb, image, publish, sha256, tgz

for _program in ("gpg", "dpkg-deb"):
    if shutil.which(_program) is None:
        pytest.skip(f"{_program} is not installed", allow_module_level=True)

ALL = Path(__file__).parents[3] / "group_data" / "all.py"
TRIXIE = [("debian", "trixie")]


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Key]]:
    made = [Key(tmp_path_factory.mktemp("gpg") / name) for name in ("right", "other")]
    yield made
    for key in made:
        key.close()


@dataclass
class World:
    """An upstream with one of everything, and settings that name it."""

    upstream: Upstream
    key: Key
    settings: Settings
    root: Path

    def fetch(self, *architectures: str, kinds: tuple[str, ...] = KINDS) -> Contents:
        with Progress() as progress:
            chosen = architectures or ("amd64", "arm64")
            return fetch(self.root, self.settings, chosen, TRIXIE, kinds, progress)

    def fails(self, **arguments: Any) -> list[str]:
        with pytest.raises(LabError) as caught:
            self.fetch(**arguments)
        return str(caught.value).splitlines()


@pytest.fixture(scope="module")
def debs(tmp_path_factory: pytest.TempPathFactory) -> Debs:
    """Packages by path, with their control fields."""
    folder = tmp_path_factory.mktemp("debs")
    made = {}
    for name, version, depends in (
        ("kubelet", "1.33.2-1.1", "kubernetes-cni (>= 1.2.0), iptables (>= 1.4.21)"),
        ("kubelet", "1.33.10-1.1", "kubernetes-cni (>= 1.2.0)"),
        ("kubernetes-cni", "1.1.0-1.1", ""),
        ("kubernetes-cni", "1.6.0-1.1", ""),
        ("cri-tools", "1.33.0-1.1", ""),
    ):
        for architecture in ("amd64", "arm64"):
            content = deb(folder, name, version, architecture, depends)
            fields = f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
            fields += f"Depends: {depends}\n" if depends else ""
            made[f"{architecture}/{name}_{version}_{architecture}.deb"] = (content, fields)
    return made


@pytest.fixture
def world(tmp_path: Path, keys: list[Key], debs: Debs) -> Iterator[World]:
    upstream = Upstream()
    key = keys[0]
    publish(upstream, key, "/k8s/v1.33/deb/", debs, {"": ""})
    indices = {f"stable/binary-{a}/": a for a in ("amd64", "arm64")}
    publish(upstream, key, "/docker/debian/", debs, indices, "dists/trixie/")
    upstream.files["/k8s/v1.33/deb/Release.key"] = upstream.files["/docker/debian/gpg"] = key.armored
    archive = {a: tgz({f"linux-{a}/helm": f"#!/bin/sh\necho {a}\n".encode()}) for a in ("amd64", "arm64")}
    for architecture, content in archive.items():
        upstream.files[f"/helm-v3-{architecture}.tar.gz"] = content
    chart = tgz({"cilium/Chart.yaml": b"apiVersion: v2\nname: cilium\nversion: 1.18.0\n"})
    upstream.files["/cilium-1.18.0.tgz"] = chart
    upstream.files["/local.yaml"] = b"kind: List\n"
    digest = image(upstream, "core/pause", "3.10", ["amd64", "arm64", "s390x"])
    name = f"{upstream.address}/core/pause:3.10"
    settings = replace(
        Settings.read(ALL, ["kubernetes_version=1.33.2"]),
        apt_repositories={
            "kubernetes": {
                "url": f"{upstream.url}/k8s/v{{minor}}/deb/",
                "suite": "/",
                "components": [],
                "key": f"{upstream.url}/k8s/v{{minor}}/deb/Release.key",
                "fingerprint": key.fingerprint,
                "packages": ["kubelet={kubernetes_version}"],
            },
            "docker": {
                "url": f"{upstream.url}/docker/{{distribution}}",
                "suite": "{codename}",
                "components": ["stable"],
                "key": f"{upstream.url}/docker/{{distribution}}/gpg",
                "fingerprint": key.fingerprint,
                "packages": ["cri-tools"],
            },
        },
        archives={
            "helm": {
                "version": "3",
                "programs": {"linux-{arch}/helm": "helm"},
                **{
                    a: {"url": f"{upstream.url}/helm-v{{version}}-{a}.tar.gz", "sha256": sha256(content)}
                    for a, content in archive.items()
                },
            }
        },
        charts={
            "cilium": {
                "version": "1.18.0",
                "url": f"{upstream.url}/cilium-{{version}}.tgz",
                "sha256": sha256(chart),
            }
        },
        manifests={
            "local": {
                "version": "0.1",
                "url": f"{upstream.url}/local.yaml",
                "sha256": sha256(b"kind: List\n"),
            }
        },
        images=[name],
        workload_images={},
        image_digests={name: digest},
    )
    yield World(upstream, key, settings, tmp_path / "mirror")
    upstream.shutdown()
    upstream.server_close()


def paths(root: Path) -> list[str]:
    return sorted(path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file())


IMAGE = "images/127.0.0.1_{port}_core_pause_3.10.tar"


def test_everything_is_fetched_and_noted(world: World) -> None:
    contents = world.fetch()
    port = world.upstream.server_port
    packages = [
        f"apt/kubernetes/v1.33/{a}/{name}_{a}.deb"
        for a in ("amd64", "arm64")
        for name in ("kubelet_1.33.2-1.1", "kubernetes-cni_1.6.0-1.1")
    ]
    packages += [f"apt/docker/debian/{a}/cri-tools_1.33.0-1.1_{a}.deb" for a in ("amd64", "arm64")]
    indices = [f"apt/kubernetes/v1.33/{name}" for name in ("InRelease", "Packages", "Packages.gz")]
    indices += [
        f"apt/docker/debian/dists/trixie/{name}"
        for name in (
            "InRelease",
            *(f"stable/binary-{a}/Packages{z}" for a in ("amd64", "arm64") for z in ("", ".gz")),
        )
    ]
    assert paths(world.root) == sorted(
        [
            *packages,
            *indices,
            "archives/helm-v3-amd64.tar.gz",
            "archives/helm-v3-arm64.tar.gz",
            "charts/cilium-1.18.0.tgz",
            "charts/index.yaml",
            IMAGE.format(port=port),
            "keys/docker.asc",
            "keys/kubernetes-v1.33.asc",
            "manifest.json",
            "manifests/local-0.1.yaml",
        ]
    )
    assert list(contents.problems()) == []
    noted = json.loads((world.root / "manifest.json").read_text())["files"]
    assert noted["manifests/local-0.1.yaml"] == {
        "size": 11,
        "sha256": sha256(b"kind: List\n"),
        "source": f"{world.upstream.url}/local.yaml",
    }
    index = yaml.safe_load((world.root / "charts/index.yaml").read_text())
    (entry,) = index["entries"]["cilium"]
    assert (entry["version"], entry["urls"]) == ("1.18.0", ["cilium-1.18.0.tgz"])
    assert entry["digest"] == world.settings.charts["cilium"]["sha256"]


def test_an_image_keeps_its_digest_and_has_the_wanted_architectures(world: World) -> None:
    world.fetch("arm64", kinds=("images",))
    with tarfile.open(world.root / IMAGE.format(port=world.upstream.server_port)) as archive:
        names = archive.getnames()
        contents = {name: archive.extractfile(name).read() for name in names}  # type: ignore[union-attr]
    (described,) = json.loads(contents["index.json"])["manifests"]
    (name,) = world.settings.images
    assert described["digest"] == world.settings.image_digests[name]
    assert described["annotations"]["io.containerd.image.name"] == name
    for path, content in contents.items():
        if path.startswith("blobs/"):
            assert path == f"blobs/sha256/{sha256(content)}"
    index = json.loads(contents[f"blobs/sha256/{described['digest'][7:]}"])
    there = {
        manifest["platform"]["architecture"]
        for manifest in index["manifests"]
        if f"blobs/sha256/{manifest['digest'][7:]}" in names
    }
    assert there == {"arm64"}


def test_a_second_fetch_downloads_only_what_can_have_changed(world: World) -> None:
    world.fetch()
    before = world.upstream.asked.copy()
    world.fetch()
    again = world.upstream.asked - before
    assert set(again) == {
        "/k8s/v1.33/deb/Release.key",
        "/k8s/v1.33/deb/InRelease",
        "/docker/debian/gpg",
        "/docker/debian/dists/trixie/InRelease",
        "/token",
        "/v2/core/pause/manifests/" + next(iter(world.settings.image_digests.values())),
    }


def test_a_fetch_that_was_cut_off_goes_on(world: World) -> None:
    blob = max(
        (p for p in world.upstream.files if "/blobs/" in p), key=lambda p: len(world.upstream.files[p])
    )
    package = "/k8s/v1.33/deb/amd64/kubelet_1.33.2-1.1_amd64.deb"
    world.upstream.cut = {blob: 30_000, package: 100}
    lines = world.fails()
    assert len(lines) == 2
    assert all("the download broke off" in line for line in lines)
    assert any("interrupted fetch left" in str(problem) for problem in Contents(world.root).problems())
    contents = world.fetch()
    assert list(contents.problems()) == []
    assert world.upstream.asked["/helm-v3-amd64.tar.gz"] == 1


def test_all_problems_are_told_at_once(world: World) -> None:
    del world.upstream.files["/local.yaml"]
    world.upstream.files["/helm-v3-amd64.tar.gz"] = b"something else"
    world.settings.apt_repositories["kubernetes"]["packages"] = ["kubelet=1.33.99", "nosuch"]
    lines = world.fails()
    assert len(lines) == 4
    text = "\n".join(lines)
    assert "/local.yaml: cannot be downloaded: 404" in text
    assert "/helm-v3-amd64.tar.gz: its SHA-256 is" in text
    assert "kubelet=1.33.99 is not in it; it has 1.33.10-1.1 as its newest; nosuch is not in it" in text
    assert (world.root / "archives/helm-v3-arm64.tar.gz").exists()
    assert not (world.root / "archives/helm-v3-amd64.tar.gz").exists()


class TestSignatures:
    @pytest.fixture(autouse=True)
    def only_one(self, world: World) -> None:
        del world.settings.apt_repositories["docker"]

    def apt(self, world: World) -> str:
        (line,) = world.fails(kinds=("apt",))
        assert not list(world.root.rglob("*.deb"))
        return line

    def test_another_key_is_offered(self, world: World, keys: list[Key]) -> None:
        world.upstream.files["/k8s/v1.33/deb/Release.key"] = keys[1].armored
        line = self.apt(world)
        assert f"has the key {keys[1].fingerprint}, and {keys[0].fingerprint} is declared" in line

    def test_the_release_is_signed_by_another_key(self, world: World, keys: list[Key]) -> None:
        path = "/k8s/v1.33/deb/InRelease"
        world.upstream.files[path] = keys[1].clear_signed(b"SHA256:\n")
        assert f"InRelease: is not signed by {keys[0].fingerprint}" in self.apt(world)

    def test_the_release_was_changed_after_it_was_signed(self, world: World) -> None:
        path = "/k8s/v1.33/deb/InRelease"
        world.upstream.files[path] = world.upstream.files[path].replace(b"Origin: test", b"Origin: fake")
        assert "is not signed by" in self.apt(world)

    def test_the_release_is_not_signed_at_all(self, world: World) -> None:
        world.upstream.files["/k8s/v1.33/deb/InRelease"] = b"SHA256:\n"
        assert "is not signed by" in self.apt(world)

    def test_the_index_is_another_than_was_signed(self, world: World) -> None:
        for name in ("Packages", "Packages.gz"):
            world.upstream.files[f"/k8s/v1.33/deb/{name}"] = b""
        lines = world.fails(kinds=("apt",))
        assert all("its SHA-256 is" in line or "broke off" in line for line in lines)

    def test_a_package_is_another_than_is_in_the_index(self, world: World) -> None:
        world.upstream.files["/k8s/v1.33/deb/amd64/kubelet_1.33.2-1.1_amd64.deb"] += b"x"
        (line,) = world.fails(kinds=("apt",))
        assert "kubelet_1.33.2-1.1_amd64.deb: its SHA-256 is" in line

    def test_a_signature_beside_the_release_does_too(self, world: World) -> None:
        base = "/k8s/v1.33/deb/"
        signed = world.upstream.files.pop(f"{base}InRelease")
        text = signed.partition(b"\n\n")[2].partition(b"-----BEGIN PGP SIGNATURE")[0]
        world.upstream.files[f"{base}Release"] = text
        world.upstream.files[f"{base}Release.gpg"] = world.key.detached(text)
        assert list(world.fetch(kinds=("apt",)).problems()) == []
        world.upstream.files[f"{base}Release"] = text + b"\n"
        assert "Release: is not signed by" in world.fails(kinds=("apt",))[0]


class TestImages:
    def test_another_image_than_was_published(self, world: World) -> None:
        path = "/v2/core/pause/manifests/" + next(iter(world.settings.image_digests.values()))
        world.upstream.files[path] += b" "
        (line,) = world.fails(kinds=("images",))
        assert "the registry gave something else than it was asked for" in line

    def test_a_layer_that_was_changed(self, world: World) -> None:
        for path in world.upstream.files:
            if "/blobs/" in path and len(world.upstream.files[path]) > 10_000:
                world.upstream.files[path] = b"y" * len(world.upstream.files[path])
        (line,) = world.fails(kinds=("images",))
        assert "its SHA-256 is" in line
        assert not list(world.root.rglob("*.tar"))

    def test_an_architecture_that_it_has_not(self, world: World) -> None:
        digest = image(world.upstream, "core/pause", "3.9", ["amd64"])
        name = f"{world.upstream.address}/core/pause:3.9"
        world.settings = replace(world.settings, images=[name], image_digests={name: digest})
        assert world.fails(kinds=("images",)) == [f"{name}: is not there for linux on arm64"]

    def test_one_without_a_published_digest_is_taken_by_its_tag(self, world: World) -> None:
        world.settings = replace(world.settings, image_digests={})
        contents = world.fetch(kinds=("images",))
        assert len(contents) == 1


class TestVerify:
    def run(self, *arguments: str) -> tuple[int, list[str]]:
        result = CliRunner().invoke(cli.main, ["mirror", *arguments])
        return result.exit_code, result.stderr.splitlines()

    def test_changed_missing_and_foreign_files(self, world: World) -> None:
        world.fetch()
        root = world.root
        assert self.run("verify", str(root)) == (0, [f"{root}: 22 files are as they were fetched"])
        (root / "archives/helm-v3-amd64.tar.gz").unlink()
        manifest = root / "manifests/local-0.1.yaml"
        manifest.write_bytes(b"kind: Fish\n")
        (root / "keys/kubernetes-v1.33.asc").write_bytes(b"")
        (root / "archives/extra").write_bytes(b"")
        status, lines = self.run("verify", str(root))
        assert status == 1
        assert [line.removeprefix(f"{root}/").partition(" (")[0].partition(";")[0] for line in lines] == [
            "archives/helm-v3-amd64.tar.gz: is missing",
            f"keys/kubernetes-v1.33.asc: has 0 bytes, not {len(world.key.armored)}",
            "manifests/local-0.1.yaml: was changed",
            "archives/extra: is not of this mirror",
        ]

    def test_a_folder_that_is_no_mirror(self, tmp_path: Path) -> None:
        status, (line,) = self.run("verify", str(tmp_path))
        assert (status, line) == (
            1,
            f"{tmp_path}: holds no mirror (it has no manifest.json); fetch one first",
        )

    def test_a_manifest_that_cannot_be_read(self, tmp_path: Path) -> None:
        (tmp_path / "manifest.json").write_text("[")
        status, (line,) = self.run("verify", str(tmp_path))
        assert status == 1
        assert line.startswith(f"{tmp_path}/manifest.json: cannot be read")


@pytest.mark.skipif(shutil.which("apt-get") is None, reason="apt-get is not installed")
def test_apt_installs_from_a_mirror_that_is_served(world: World, tmp_path: Path) -> None:
    world.fetch("amd64", kinds=("apt",))
    with Server(world.root, "127.0.0.1", 0) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        base = f"http://127.0.0.1:{server.server_port}"
        system = tmp_path / "system"
        for folder in ("etc/apt/sources.list.d", "etc/apt/preferences.d", "var/lib/dpkg", "var/cache/apt"):
            (system / folder).mkdir(parents=True)
        for folder in ("var/lib/apt/lists/partial", "var/cache/apt/archives/partial", "etc/apt/apt.conf.d"):
            (system / folder).mkdir(parents=True)
        (system / "var/lib/dpkg/status").write_text(
            "Package: iptables\nStatus: install ok installed\nVersion: 1.8\nArchitecture: amd64\n"
            "Maintainer: Test <test@example.org>\nDescription: there\n\n"
        )
        (system / "etc/apt/sources.list.d/kubernetes.sources").write_text(
            f"Types: deb\nURIs: {base}/apt/kubernetes/v1.33/\nSuites: /\nArchitectures: amd64\n"
            f"Signed-By: {world.root / 'keys/kubernetes-v1.33.asc'}\n"
        )
        config = tmp_path / "apt.conf"
        config.write_text(
            f'Dir "{system}";\nDir::State::status "{system}/var/lib/dpkg/status";\n'
            'APT::Architecture "amd64";\nAPT::Architectures { "amd64"; };\nAPT::Sandbox::User "root";\n'
        )
        environment = {**os.environ, "APT_CONFIG": str(config), "LC_ALL": "C"}
        for command in (
            ["update"],
            ["install", "-y", "--download-only", "-o", "Debug::NoLocking=1", "kubelet=1.33.2-1.1"],
        ):
            done = subprocess.run(["apt-get", *command], env=environment, capture_output=True, text=True)
            assert done.returncode == 0, done.stdout + done.stderr
            assert "W:" not in done.stderr, done.stderr
        server.shutdown()
    got = {path.name for path in (system / "var/cache/apt/archives").glob("*.deb")}
    assert got == {"kubelet_1.33.2-1.1_amd64.deb", "kubernetes-cni_1.6.0-1.1_amd64.deb"}
