"""Several things at once, and an end to them."""

import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest

from ciliumlab import parallel


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C as the command line knows it; xdist's processes ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def test_the_first_failure_is_raised_when_all_have_ended() -> None:
    done: list[str] = []

    def fails() -> None:
        raise ValueError("first")

    with pytest.raises(ValueError, match="first"):
        parallel.run([fails, lambda: done.append("second"), lambda: done.append("third")], at_once=1)
    assert done == ["second", "third"]


def to_the_worker() -> None:
    """As it is when a signal comes just as the main thread goes to sleep: nothing wakes that."""
    signal.pthread_kill(threading.get_ident(), signal.SIGINT)


def to_the_main_thread() -> None:
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)


@pytest.mark.usefixtures("interruptible")
@pytest.mark.parametrize("interrupt", [to_the_worker, to_the_main_thread])
def test_an_interrupt_tells_those_at_work_and_begins_no_more(interrupt: Callable[[], None]) -> None:
    all_are_given, given_up = threading.Event(), threading.Event()
    told: list[bool] = []
    begun: list[str] = []

    def works() -> None:
        assert all_are_given.wait(timeout=20)
        interrupt()
        told.append(given_up.wait(timeout=20))

    def given() -> Iterator[Callable[[], None]]:
        yield works
        yield lambda: begun.append("another")
        all_are_given.set()

    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        parallel.run(given(), at_once=1, given_up=given_up)
    assert told == [True]
    assert begun == []
    assert time.monotonic() - began < 10
