"""What a package repository has, as a real shell and awk read it from the index that was downloaded."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ciliumlab.facts.apt import Offered

INDEX = """\
Package: kubeadm
Version: 1.33.2-1.1
Architecture: amd64

Package: kubeadm-extra
Version: 9.9

Package: kubelet
Version: 1.33.2-1.1
Description: Version: 0.0

Package: cri-tools
Version: 1.33.0-1.1
"""


@pytest.mark.parametrize(
    ("has", "offered"),
    [(INDEX, ["kubeadm=1.33.2-1.1", "kubelet=1.33.2-1.1"]), ("", []), (None, [])],
    ids=["a repository", "an empty one", "none"],
)
def test_offered(tmp_path: Path, has: str | None, offered: list[str]) -> None:
    index = tmp_path / "Packages"
    if has is not None:
        index.write_text(has)
    helper = tmp_path / "apt-helper"
    # Stands in for apt's downloader: its last two words are the address and the file.
    helper.write_text('#!/bin/sh\nwhile [ $# -gt 2 ]; do shift; done\ncp "${1#file://}" "$2"\n')
    helper.chmod(0o755)
    (tmp_path / "tmp").mkdir()
    fact = Offered()
    command = fact.command(f"file://{index}", ["kubeadm", "kubelet"])
    output = subprocess.run(
        ["sh", "-c", command.replace("/usr/lib/apt/apt-helper", str(helper))],
        env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path / "tmp")},
        capture_output=True,
        text=True,
        check=True,
    )
    assert fact.process(output.stdout.splitlines()) == offered
    assert list((tmp_path / "tmp").iterdir()) == []
