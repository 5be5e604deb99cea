"""One cluster for all tests of a module."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from .cluster import DOUBLES, Client, Cluster

sys.path.insert(0, str(DOUBLES))  # as the doubles find each other where they are installed


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    with Cluster(tmp_path_factory.mktemp("cluster")) as running:
        yield running


@pytest.fixture(scope="module")
def kubectl(cluster: Cluster) -> Client:
    return cluster.client("kubectl")


@pytest.fixture(scope="module")
def helm(cluster: Cluster) -> Client:
    return cluster.client("helm")
