"""How much is tried, and what is asked of every answer.

``make test`` tries the same examples every time. ``HYPOTHESIS_PROFILE=long pytest tests/unit/fuzz`` tries
ten times as many, other ones each time, in some minutes; what it finds becomes a case in the tests of
the code that was wrong.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from hypothesis import settings

from ciliumlab.errors import DeclarationError

LONG = os.environ.get("HYPOTHESIS_PROFILE") == "long"

# Of the processor, so that a busy machine fails nothing. The answers take a few milliseconds.
_SECONDS = 2


def fuzzed(examples: int) -> settings:
    """A test's settings; ``examples`` is what ``make test`` tries."""
    return settings(max_examples=examples * (10 if LONG else 1))


@contextmanager
def quickly() -> Iterator[None]:
    """What is done in it takes no noticeable time, whatever it is given."""
    begun = time.thread_time()
    yield
    assert time.thread_time() - begun < _SECONDS


def assert_told(error: DeclarationError, where: str = "") -> None:
    """Each problem is one line that can be printed, and says where it is."""
    assert error.problems
    for problem in error.problems:
        assert problem.what
        assert problem.where.startswith(where) and problem.where
        assert str(problem).isprintable(), str(problem)
