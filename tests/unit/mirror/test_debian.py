"""Indices and versions of Debian packages."""

from __future__ import annotations

import shutil
import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ciliumlab.mirror import debian

ORDERED = [
    *(
        "1.0~~",
        "1.0~rc1",
        "1.0~rc1-1",
        "1.0",
        "1.0-1~debian.12~bookworm",
        "1.0-1",
        "1.0-1.1",
        "1.0a",
        "1.0+b",
    ),
    *("1.33.2-1.1", "1.33.10-1.1", "1:0.1"),
]


@pytest.mark.parametrize("left", range(len(ORDERED)))
def test_versions_are_in_this_order(left: int) -> None:
    for right, other in enumerate(ORDERED):
        order = debian.compare(ORDERED[left], other)
        assert (order > 0) - (order < 0) == (left > right) - (left < right), other


VERSIONS = st.from_regex(r"([0-9]:)?[0-9][0-9a-c.+~]{0,6}(-[0-9a-c.+~]{1,4})?", fullmatch=True)


@pytest.mark.skipif(shutil.which("dpkg") is None, reason="dpkg is not installed")
@settings(max_examples=60)
@given(VERSIONS, VERSIONS)
def test_versions_compare_as_dpkg_says(one: str, other: str) -> None:
    order = debian.compare(one, other)
    relation = "lt" if order < 0 else "gt" if order > 0 else "eq"
    assert subprocess.run(["dpkg", "--compare-versions", one, relation, other], check=False).returncode == 0


def package(name: str, version: str, depends: str = "") -> debian.Package:
    return debian.Package(name, version, "amd64", f"{name}_{version}.deb", 1, "0" * 64, depends)


INDEX = [
    package("aa", "1.0-1", "bb (>= 2), libc6 | cc, dd:any (<< 3) | ee"),
    package("aa", "1.0-2", "bb (>= 2), libc6 | cc, dd:any (<< 3) | ee"),
    package("aa", "1.1-1"),
    package("bb", "1.9"),
    package("bb", "2.0", "aa"),
    package("cc", "1"),
    package("dd", "2.9"),
    package("dd", "3.0"),
    package("ee", "1"),
]


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (["aa=1.0"], ["aa 1.0-2", "bb 2.0", "cc 1", "dd 2.9"]),
        (["aa=1.0-1"], ["aa 1.0-1", "bb 2.0", "cc 1", "dd 2.9"]),
        (["aa"], ["aa 1.1-1"]),
        (["bb=1.9", "aa=1.0"], ["aa 1.0-2", "bb 1.9", "cc 1", "dd 2.9"]),
        ([], []),
    ],
)
def test_packages_and_what_they_need(wanted: list[str], chosen: list[str]) -> None:
    assert [f"{p.name} {p.version}" for p in debian.selected(INDEX, wanted)] == chosen


def test_what_is_not_there_is_named_whole() -> None:
    with pytest.raises(LookupError) as caught:
        debian.selected(INDEX, ["aa=2", "zz", "bb"])
    assert caught.value.args == (
        "aa=2 is not in it; it has 1.1-1 as its newest; zz is not in it; it has none of that name",
    )


def test_an_index_is_read() -> None:
    text = (
        "Package: a\r\nVersion: 1\r\nArchitecture: all\r\nFilename: x/a.deb\r\nSize: 7\r\nSHA256: abc\r\n"
        "Pre-Depends: p\r\nDepends: d,\r\n e\r\nDescription: one\r\n more: text\r\n\r\n\r\n"
        "Package: b\nVersion: 2\nArchitecture: amd64\nFilename: ./b.deb\nSize: 8\nSHA256: def\n"
    )
    one, two = debian.packages(text)
    assert (one.path, one.size, one.depends) == ("x/a.deb", 7, "p, d,\ne")
    assert (two.name, two.path, two.depends) == ("b", "b.deb", "")
    assert debian.packages("") == []
    with pytest.raises(ValueError, match="b has no SHA256"):
        debian.packages(text.replace("SHA256: def\n", ""))


def test_checksums_of_a_release() -> None:
    release = "Origin: x\nMD5Sum:\n 0 1 a\nSHA256:\n aa 10 Packages\n bb   20 stable/Packages.gz\nDate: y\n"
    assert debian.checksums(release) == {"Packages": ("aa", 10), "stable/Packages.gz": ("bb", 20)}
