"""Many questions at once, and no waiting for what does not answer."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from typing import TypeVar

T = TypeVar("T")


def together(questions: Mapping[str, Callable[[], T]], seconds: float) -> dict[str, T]:
    """The answers that have come within so many seconds, by the questions' names and in their order.

    A question must not raise. One that goes on is left to itself, and does not keep the process from ending:
    a name server, say, is waited for as long as the system likes.
    """
    answers: dict[str, T] = {}

    def ask(name: str, question: Callable[[], T]) -> None:
        answers[name] = question()

    threads = [threading.Thread(target=ask, args=item, daemon=True) for item in questions.items()]
    until = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, until - time.monotonic()))
    return {name: answers[name] for name in questions if name in answers}
