"""Versions that go together, and those that do not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ciliumlab import versions


def unfit(kubernetes: str, containerd: str, package: str = "containerd.io") -> list[str]:
    settings = SimpleNamespace(
        kubernetes_version=kubernetes, containerd_package=package, containerd_version=containerd
    )
    return [str(problem) for problem in versions.unfit(settings)]


@pytest.mark.parametrize(
    ("kubernetes", "containerd"),
    [
        ("1.31.0", "1.6.36"),
        ("1.33.2", "1.7.27"),
        ("1.35.0", "1.7.28"),
        ("1.36.0", "2.0.0"),
        ("1.37.1", "2.3.0"),
    ],
)
def test_what_goes_together(kubernetes: str, containerd: str) -> None:
    assert unfit(kubernetes, containerd) == []


def test_an_old_containerd_names_the_oldest_that_does() -> None:
    assert unfit("1.36.0", "1.7.27") == [
        "containerd_version: containerd 1.7.27 does not do for Kubernetes 1.36.0, which needs 2.0 or newer;"
        " set containerd_package to containerd.io and containerd_version to 2.0 or newer"
    ]
    assert len(unfit("1.33.2", "1.5.9")) == 1


def test_a_distributions_containerd_is_for_the_host_to_tell() -> None:
    assert unfit("1.36.0", "1.7.27", package="containerd") == []


def test_a_kubeadm_that_cannot_read_the_documents() -> None:
    assert unfit("1.30.14", "1.7.27") == [
        "kubernetes_version: 1.30.14 is older than 1.31, the first whose kubeadm reads v1beta4; choose a"
        " newer one"
    ]


@pytest.mark.parametrize(
    ("kubernetes", "pause"),
    [
        ("1.31.0", "3.10"),
        ("1.33.2", "3.10"),
        ("1.34.0", "3.10.1"),
        ("1.35.8", "3.10.1"),
        ("1.37.0", "3.10.2"),
    ],
)
def test_the_sandbox_image_is_kubeadms(kubernetes: str, pause: str) -> None:
    assert versions.pause_image(kubernetes) == f"registry.k8s.io/pause:{pause}"


def test_minors_are_numbers() -> None:
    assert versions.parsed("1.9.0") < versions.parsed("1.10.0") < versions.parsed("v1.10.1~ds1-6+deb13u1")
    assert versions.parsed("6.12.41+deb13-cloud-amd64") == (6, 12, 41)
    with pytest.raises(ValueError, match="latest is no version"):
        versions.parsed("latest")


def test_control_groups_of_version_1_end_with_135() -> None:
    assert not versions.needs_cgroup_v2("1.34.9")
    assert versions.needs_cgroup_v2("1.35.0")


@pytest.mark.parametrize("helm", ["3.18.4", "3.21.4", "4.0.0"])
def test_a_helm_that_knows_the_version(helm: str) -> None:
    assert versions.helm_doubt(helm, "1.33.2") == ""


@pytest.mark.parametrize("helm", ["3.17.3", "3.22.0"])
def test_a_helm_that_does_not(helm: str) -> None:
    assert "not for 1.33.2" in versions.helm_doubt(helm, "1.33.2")
