"""Work on several things at once, which Ctrl-C ends."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor, wait
from threading import Event

# A signal that comes just as the main thread goes to sleep does not wake it, and Python acts on signals in
# that thread alone: it looks up as often (https://docs.python.org/3/library/signal.html).
_LOOKS_UP_EVERY = 0.2  # seconds


def run(works: Iterable[Callable[[], object]], at_once: int, given_up: Event | None = None) -> None:
    """Do all of them, ``at_once`` at a time; the first failure is raised when all have ended.

    Ctrl-C begins no more of them, and sets ``given_up`` for those that are at work.
    """
    with ThreadPoolExecutor(at_once) as pool:
        try:
            for future in [pool.submit(work) for work in works]:
                while not wait([future], timeout=_LOOKS_UP_EVERY).done:
                    pass
                future.result()
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            if given_up is not None:
                given_up.set()
            raise
