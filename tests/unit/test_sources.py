"""The sources: their defaults, what is refused, and what becomes of them with versions and a mirror."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ciliumlab import sources, sources_check
from ciliumlab.errors import DeclarationError
from ciliumlab.settings import Settings

ALL = Path(__file__).parents[2] / "group_data" / "all.py"
MIRROR = "mirror=http://10.0.2.2:8000"
SHA = "a" * 64


def settings(*overrides: str) -> Settings:
    return Settings.read(ALL, overrides)


class TestWithoutMirror:
    def test_versions_are_filled_in_and_the_host_s_part_is_not(self) -> None:
        found = sources.repositories(settings("kubernetes_version=1.34.1"))
        assert found["kubernetes"]["url"] == "https://pkgs.k8s.io/core:/stable:/v1.34/deb/"
        assert found["kubernetes"]["packages"][0] == "kubelet=1.34.1"
        assert found["docker"]["url"] == "https://download.docker.com/linux/{distribution}"
        assert found["docker"]["suite"] == "{codename}"
        helm = sources.archives(settings())["helm"]
        assert helm["arm64"]["url"] == f"https://get.helm.sh/helm-v{helm['version']}-linux-arm64.tar.gz"
        assert helm["programs"] == {"linux-{arch}/helm": "helm"}
        assert sources.charts(settings())["cilium"]["url"] == "https://helm.cilium.io/cilium-1.18.0.tgz"

    def test_the_chart_is_of_the_chosen_version_with_its_own_digest(self) -> None:
        given = settings("cilium_version=1.18.12")
        assert sources.charts(given)["cilium"] == {
            "version": "1.18.12",
            "url": "https://helm.cilium.io/cilium-1.18.12.tgz",
            "sha256": "5923f9d9fcb11bc4692ad52353cc791b935d96e09ba0c535c5a8b88ea8a37572",
        }
        assert "quay.io/cilium/operator-generic:v1.18.12" in sources.image_names(given)

    def test_images_are_left_to_their_registries(self) -> None:
        assert sources.images(settings()) == []


class TestWithMirror:
    def test_every_source_is_below_it(self) -> None:
        given = settings(MIRROR)
        urls = [
            *(r[key] for r in sources.repositories(given).values() for key in ("url", "key")),  # type: ignore[literal-required]
            *(a[arch]["url"] for a in sources.archives(given).values() for arch in sources.ARCHITECTURES),  # type: ignore[literal-required]
            *(p["url"] for p in sources.charts(given).values()),
            *(p["url"] for p in sources.manifests(given).values()),
            *(image["url"] for image in sources.images(given)),
        ]
        assert len(urls) > 30
        assert [url for url in urls if not url.startswith("http://10.0.2.2:8000/")] == []

    def test_the_layout(self) -> None:
        given = settings(MIRROR)
        base = "http://10.0.2.2:8000"
        apt = sources.repositories(given)
        assert apt["kubernetes"]["url"] == f"{base}/apt/kubernetes/v1.33/"
        assert apt["kubernetes"]["key"] == f"{base}/keys/kubernetes-v1.33.asc"
        assert apt["docker"]["url"] == f"{base}/apt/docker/{{distribution}}/"
        assert apt["docker"]["key"] == f"{base}/keys/docker.asc"
        assert sources.archives(given)["k9s"]["amd64"]["url"] == f"{base}/archives/k9s_Linux_amd64.tar.gz"
        assert sources.charts(given)["cilium"]["url"] == f"{base}/charts/cilium-1.18.0.tgz"
        assert (
            sources.manifests(given)["local-path-provisioner"]["url"]
            == f"{base}/manifests/local-path-provisioner-0.0.31.yaml"
        )
        pause = next(i for i in sources.images(given) if "pause" in i["name"])
        assert pause["url"] == f"{base}/images/registry.k8s.io_pause_3.10.tar"
        assert pause["digest"].startswith("sha256:")

    def test_the_chosen_chart_is_the_mirror_s(self) -> None:
        found = sources.charts(settings(MIRROR, "cilium_version=1.17.9"))["cilium"]
        assert found["url"] == "http://10.0.2.2:8000/charts/cilium-1.17.9.tgz"
        assert found["sha256"].startswith("025a18e9003b4238")

    def test_hosts_take_the_workloads_images_with_the_workloads(self) -> None:
        def taken(*overrides: str) -> list[str]:
            return [
                i["name"] for i in sources.images(settings(MIRROR, *overrides)) if "docker.io" in i["name"]
            ]

        assert taken() == []
        assert taken("workloads=true") == [
            "docker.io/traefik/whoami:v1.11.0",
            "docker.io/nicolaka/netshoot:v0.13",
        ]

    def test_a_mirror_holds_the_workloads_images_in_any_case(self) -> None:
        assert {*settings().workload_images.values()} <= set(sources.image_names(settings()))

    def test_checksums_are_the_same_with_it(self) -> None:
        for read in (sources.archives, sources.charts, sources.manifests):
            plain, mirrored = json.dumps(read(settings())), json.dumps(read(settings(MIRROR)))  # type: ignore[operator]
            assert [w for w in plain.split('"') if len(w) == 64] == [
                w for w in mirrored.split('"') if len(w) == 64
            ]


class TestDefaults:
    def test_every_image_of_the_default_version_has_a_digest(self) -> None:
        assert [name for name, digest in sources.image_names(settings()).items() if not digest] == []

    def test_digests_are_for_images_that_are_there(self) -> None:
        given = settings()
        assert set(given.image_digests) <= set(sources.image_names(given))

    def test_another_version_s_images_have_none(self) -> None:
        found = sources.image_names(settings("kubernetes_version=1.33.3"))
        assert found["registry.k8s.io/kube-apiserver:v1.33.3"] == ""


def _archive(**changed: Any) -> dict[str, Any]:
    download = {"url": "https://a.test/x-{version}.tar.gz", "sha256": SHA}
    return {"version": "1", "programs": {"x": "x"}, "amd64": download, "arm64": download, **changed}


REPOSITORY = {
    "url": "https://a.test/{distribution}",
    "suite": "{codename}",
    "components": ["main"],
    "key": "https://a.test/key",
    "fingerprint": "0" * 40,
}
PINNED = {"version": "1", "url": "https://a.test/x", "sha256": SHA}


@pytest.mark.parametrize(
    ("name", "value", "wrong"),
    [
        ("archives", [], "must be a mapping, not []"),
        ("archives", {"x": 1}, "x: must be a mapping with version, programs, amd64, arm64, not 1"),
        ("archives", {"X y": _archive()}, "must be a name of lower-case letters, digits, dots and hyphens"),
        ("archives", {"x": _archive(sha=1)}, "x.sha: is not known here"),
        ("archives", {"x": {k: v for k, v in _archive().items() if k != "arm64"}}, "x.arm64: is missing"),
        ("archives", {"x": _archive(version=3.18)}, "x.version: must be a version, not 3.18"),
        ("archives", {"x": _archive(programs={"../x": "x"})}, "x.programs: must be a path in the archive"),
        ("archives", {"x": _archive(programs={"/x": "x"})}, "x.programs: must be a path in the archive"),
        ("archives", {"x": _archive(programs={"a": "b/c"})}, "x.programs.a: must be the name of a program"),
        (
            "archives",
            {"x": _archive(amd64={"url": "ftp://a", "sha256": SHA})},
            "x.amd64.url: must be a URL, with no placeholder that is not known, not ftp://a",
        ),
        (
            "archives",
            {"x": _archive(amd64={"url": "https://a/{versoin}", "sha256": SHA})},
            "x.amd64.url: must be a URL, with no placeholder that is not known, not https://a/{versoin}",
        ),
        (
            "archives",
            {"x": _archive(arm64={"url": "https://a/x", "sha256": "A" * 64})},
            "x.arm64.sha256: must be the 64 hex digits (lower case) of a published SHA-256",
        ),
        (
            "archives",
            {"x": _archive(), "y": _archive(amd64={"url": "https://b/x-1.tar.gz", "sha256": "b" * 64})},
            "y.amd64: is another file than x's, also named x-1.tar.gz; a mirror holds one of a name",
        ),
        ("charts", {"x": {**PINNED, "sha256": ""}}, "x.sha256: must be the 64 hex digits"),
        ("charts", {"x": {**PINNED, "sha256": {"1": ""}}}, "x.sha256.1: must be the 64 hex digits"),
        ("charts", {"x": {**PINNED, "sha256": {"a b": SHA}}}, "x.sha256: must be a version, not 'a b'"),
        ("charts", {"x": {**PINNED, "version": "{versoin}"}}, "x.version: must be a version, not {versoin}"),
        ("charts", {"x": {**PINNED, "version": "1\x07"}}, "x.version: must be a version, not '1\\x07'"),
        ("charts", {"x": {**PINNED, "url": "https://[/x"}}, "x.url: must be a URL, with no placeholder"),
        ("manifests", {"x": {**PINNED, "url": "https://a/\ud800"}}, "x.url: must be a URL, with no"),
        ("archives", {"x": _archive(version="1[")}, "x.version: must be a version, not 1["),
        ("workload_images", {"whoami": "x", "curl": "y"}, "curl: is not known here; known: whoami, netshoot"),
        ("manifests", {"x": "https://a"}, "x: must be a mapping with version, url, sha256, not https://a"),
        ("images", "pause", "must be a list, not pause"),
        ("images", ["pause"], "must be an image with registry and tag, such as registry.k8s.io/pause:3.10"),
        ("images", ["registry.k8s.io/pause"], "must be an image with registry and tag"),
        ("image_digests", {"registry.k8s.io/pause:3": "sha256:1"}, "must be sha256: and 64 hex digits"),
        (
            "apt_repositories",
            {"x": {**REPOSITORY, "fingerprint": "0EBFCD88"}},
            "x.fingerprint: must be the 40",
        ),
        ("apt_repositories", {"x": {**REPOSITORY, "components": "main"}}, "x.components: must be a list"),
        ("apt_repositories", {"x": {**REPOSITORY, "suite": "a b"}}, "x.suite: must be a suite such as"),
        ("apt_repositories", {"x": {**REPOSITORY, "packages": ["a b"]}}, "x.packages: must be a package"),
        (
            "apt_repositories",
            {"x": {**REPOSITORY, "keys": ""}},
            "x.keys: is not known here; did you mean key?",
        ),
    ],
)
def test_what_is_refused(name: str, value: object, wrong: str) -> None:
    with pytest.raises(DeclarationError) as caught:
        settings(f"{name}={json.dumps(value)}")
    (problem,) = caught.value.problems
    assert problem.where == f"--data {name}"
    assert wrong in problem.what
    assert "\n" not in problem.what


def test_all_that_is_wrong_in_a_value_is_told() -> None:
    told = sources_check.pinned({"x": {"version": "", "sha256": 1}, "y": None})
    assert told is not None
    assert told.count("; ") == 3


def test_a_bare_program_has_no_member() -> None:
    assert sources_check.archives({"x": _archive(programs={"": "x"})}) is None
