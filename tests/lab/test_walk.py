"""docs/walk.md, walked: each block in the shell that a reader would have, and what is to be seen after it."""

from __future__ import annotations

import json
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.documents import ROOT, Block, blocks, seen

from . import steps
from .mirror import Mirror
from .running import RunningLab, running
from .speaker import announce

pytestmark = [pytest.mark.lab, pytest.mark.long]

_PAGE = blocks(ROOT / "docs" / "walk.md")
_STEPS = [block for block in _PAGE if block.language == "sh"]
_AFTER = {one: other for one, other in pairwise(_PAGE) if other.language == "text"}

_END = "==walked=="
_PATIENCE = 900


class Reader:
    """A shell that keeps its variables from block to block, with the lab's commands in its PATH."""

    def __init__(self, lab: RunningLab) -> None:
        folder = lab.folder / "bin"
        folder.mkdir(exist_ok=True)
        data = [f"--data={key}={json.dumps(value)}" for key, value in lab.data.items()]
        for name in ("pyinfra", "pytest"):
            _program(folder / name, f'exec {sys.executable} -m {name} "$@" {shlex.join(data)}')
        kind = f'[ "$1" != up ] || set -- "$@" --kind {lab.kind}'
        _program(folder / "ciliumlab", f'{kind}\nexec {sys.executable} -m ciliumlab "$@"')
        self._folder = folder
        self._shell = subprocess.Popen(
            ["bash"],
            cwd=ROOT,
            env={**lab._environment, "PATH": f"{folder}:{lab._environment['PATH']}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            bufsize=1,
        )

    def walk(self, block: Block) -> str:
        """What the block's commands print; the test fails when they do not come to an end."""
        assert self._shell.stdin and self._shell.stdout
        script = self._folder / "block.sh"
        script.write_text(block.text)
        # ssh reads its standard input, which is not to be the rest of the page.
        self._shell.stdin.write(f". {script} < /dev/null; echo; echo {_END}\n")
        watch = threading.Timer(_PATIENCE, self._shell.kill)
        watch.start()
        printed = []
        for line in self._shell.stdout:
            if line.strip() == _END:
                break
            printed.append(line)
        else:
            pytest.fail(f"{block} has not ended in {_PATIENCE} s:\n{''.join(printed)}", pytrace=False)
        watch.cancel()
        return "".join(printed)

    def leave(self) -> None:
        self._shell.kill()
        self._shell.wait()


def _program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


@pytest.fixture(scope="module")
def lab(mirror: Mirror) -> Iterator[RunningLab]:
    with running("container", mirror.data, dummies=False, name="walk") as lab:
        yield lab


@pytest.fixture(scope="module")
def reader(lab: RunningLab) -> Iterator[Reader]:
    reader = Reader(lab)
    yield reader
    reader.leave()


@pytest.mark.parametrize("block", _STEPS, ids=lambda block: f"{block.heading or 'begin'}-{block.line}")
def test_walk(lab: RunningLab, mirror: Mirror, reader: Reader, block: Block) -> None:
    if mirror.doubles and "$deploy --data pod_routes=bgp" in block.text:
        _nodes_speak_bgp(lab)
    with lab.step(f"walk {block}", essential=block is _STEPS[0]):
        printed = reader.walk(block)
    missing = seen(_AFTER[block].text, printed) if block in _AFTER else []
    assert missing == [], printed


def _nodes_speak_bgp(lab: RunningLab) -> None:
    """Announce what the agents would, which do not: each node's pods and all LoadBalancer addresses."""
    pods = 'jsonpath={range .items[*]}{.metadata.name} {.spec.ipam.podCIDRs[0]}{"\\n"}{end}'
    found = steps.kubectl(lab, f"get ciliumnodes -o '{pods}'")
    services = "jsonpath={.items[*].status.loadBalancer.ingress[0].ip}"
    addresses = {f"{one}/32" for one in steps.kubectl(lab, f"get services -A -o '{services}'").split()}
    for name, network in map(str.split, found.splitlines()):
        announce(lab, name, [network, *sorted(addresses)])
