"""Kubernetes' version skew policy, in kubeadm's words."""

from __future__ import annotations

import pytest
from kubeadm.policy import mandatory, refusal, skippable


@pytest.mark.parametrize(
    ("wanted", "cluster", "kubeadm", "kubelets"),
    [
        ("v1.33.3", "v1.33.2", "v1.33.3", ["v1.33.2"]),
        ("v1.34.0", "v1.33.3", "v1.34.0", ["v1.33.3", "v1.32.0"]),
        ("v1.34.0", "v1.33.3", "v1.34.0", ["v1.31.0"]),
    ],
)
def test_a_patch_or_the_next_minor_is_allowed(wanted, cluster, kubeadm, kubelets) -> None:
    assert refusal(wanted, cluster, kubeadm, kubelets) == ""


@pytest.mark.parametrize(
    ("wanted", "cluster", "kubeadm", "said"),
    [
        ("v1.35.0", "v1.33.2", "v1.35.0", "is too high; kubeadm can upgrade only 1 minor version at a time"),
        ("v1.31.0", "v1.33.2", "v1.33.2", "is too low; kubeadm can downgrade only 1 minor version at a time"),
        (
            "v1.34.0",
            "v1.33.2",
            "v1.33.3",
            "at least one minor release higher than the kubeadm minor release (34 > 33)",
        ),
    ],
)
def test_nothing_forces_what_skips_a_minor(wanted, cluster, kubeadm, said) -> None:
    assert said in " ".join(mandatory(wanted, cluster, kubeadm))
    refused = refusal(wanted, cluster, kubeadm, [], forced=True)
    assert refused.startswith(
        "[upgrade/version] FATAL: the --version argument is invalid due to these fatal errors"
    )


@pytest.mark.parametrize(
    ("wanted", "kubeadm", "kubelets", "said"),
    [
        ("v1.33.3", "v1.33.2", ["v1.33.2"], 'is higher than the kubeadm version "v1.33.2"'),
        (
            "v1.33.3",
            "v1.34.0",
            ["v1.33.2"],
            "Kubeadm version v1.34.0 can only be used to upgrade to Kubernetes version 1.34",
        ),
        ("v1.34.0", "v1.34.0", ["v1.30.9", "v1.34.0"], "too old that have these versions [v1.30.9]"),
    ],
)
def test_what_can_be_forced_says_so(wanted, kubeadm, kubelets, said) -> None:
    assert said in " ".join(skippable(wanted, kubeadm, kubelets))
    assert "Can be bypassed if you pass the --force flag" in refusal(wanted, "v1.33.2", kubeadm, kubelets)
    assert refusal(wanted, "v1.33.2", kubeadm, kubelets, forced=True) == ""
