"""Images are made once, whole or not at all, whoever else makes the same one."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ciliumlab.machines.image import make_once


def silent(step: str, done: float | None = None) -> None:
    pass


def test_two_runs_make_one_image(tmp_path: Path) -> None:
    made = []
    waiting = threading.Event()

    def make(scratch: Path) -> None:
        made.append(scratch)
        assert waiting.wait(10)
        (scratch / "disk.img").write_text("whole")

    def waits(step: str, done: float | None = None) -> None:
        assert "another run" in step
        waiting.set()

    image = tmp_path / "image"
    with ThreadPoolExecutor(2) as pool:
        runs = [pool.submit(make_once, image, make, waits) for _ in range(2)]
        for run in runs:
            run.result(10)
    assert len(made) == 1
    assert (image / "disk.img").read_text() == "whole"


def test_what_a_killed_run_left_is_not_an_image(tmp_path: Path) -> None:
    left = tmp_path / ".image.new"
    left.mkdir()
    (left / "half").touch()
    make_once(tmp_path / "image", lambda scratch: (scratch / "disk.img").touch(), silent)
    assert [path.name for path in (tmp_path / "image").iterdir()] == ["disk.img"]
    assert not left.exists()


def test_a_failure_leaves_nothing(tmp_path: Path) -> None:
    def fail(scratch: Path) -> None:
        (scratch / "half").touch()
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        make_once(tmp_path / "image", fail, silent)
    assert [path.name for path in tmp_path.iterdir()] == [".image.lock"]
