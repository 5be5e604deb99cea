"""What stands beside the code about it: the lock file, the change log, what a commit is checked by."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[3]
LOCK = ROOT / "requirements.lock"
STALE = "requirements.lock is stale, run: make lock"

_PIN = re.compile(r"([a-z0-9-]+)==(\S+)( ; .*)? \\$")
_REASON = re.compile(r"    #(?: via|  )(?: (.*))?$")


@pytest.fixture(scope="module")
def project() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return found


@pytest.fixture(scope="module")
def declared(project: dict[str, Any]) -> list[Requirement]:
    """What the project and its tests need."""
    return [
        Requirement(text) for text in [*project["dependencies"], *project["optional-dependencies"]["test"]]
    ]


def _locked() -> dict[str, tuple[str, list[str], list[str]]]:
    """Version, checksums and who asked for it, by package; every line must be one of these."""
    found: dict[str, tuple[str, list[str], list[str]]] = {}
    hashes: list[str] = []
    reasons: list[str] = []
    for line in LOCK.read_text().splitlines():
        if pin := _PIN.match(line):
            hashes, reasons = [], []
            found[pin[1]] = (pin[2], hashes, reasons)
        elif line.startswith("    --hash=sha256:"):
            hashes.append(line.removesuffix(" \\").rpartition(":")[2])
        elif reason := _REASON.match(line):
            reasons += [reason[1]] if reason[1] else []
        else:
            raise ValueError(f"{LOCK.name}: {line!r} is neither a pin, a checksum nor a reason")
    return found


def test_all_that_is_declared_is_locked_within_its_range(declared: list[Requirement]) -> None:
    locked = _locked()
    for requirement in declared:
        name = canonicalize_name(requirement.name)
        assert name in locked, f"{STALE}: it lacks {name}"
        version = locked[name][0]
        assert requirement.specifier.contains(version), f"{STALE}: {name} {version} is not {requirement}"


def test_nothing_is_locked_that_nobody_needs(declared: list[Requirement]) -> None:
    names = {canonicalize_name(requirement.name) for requirement in declared}
    for name, (_, _, reasons) in _locked().items():
        assert reasons, name
        if "ciliumlab (pyproject.toml)" in reasons:
            assert name in names, f"{STALE}: {name} is declared no more"


def test_every_lock_has_checksums() -> None:
    for name, (_, hashes, _) in _locked().items():
        assert hashes, name
        assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in hashes), name


def test_the_lock_names_no_registry() -> None:
    assert "://" not in LOCK.read_text()


def test_the_newest_release_is_this_one(project: dict[str, Any]) -> None:
    releases = re.findall(r"^## \[(.+)\]( - (\d{4}-\d\d-\d\d))?$", (ROOT / "CHANGELOG.md").read_text(), re.M)
    assert releases[0][0] == "Unreleased"
    assert releases[1][0] == project["version"]
    assert releases[1][2], "a release has a date"


def test_a_commit_is_checked_by_what_make_checks() -> None:
    recipe = re.search(r"^check:.*\n((\t.*\n)+)", (ROOT / "Makefile").read_text(), re.M)
    assert recipe
    made = [line.strip().replace("$(BIN)", ".venv/bin") for line in recipe[1].splitlines()]
    [local] = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert local["repo"] == "local"
    assert [hook["entry"] for hook in local["hooks"]] == made
    assert {hook["language"] for hook in local["hooks"]} == {"system"}
