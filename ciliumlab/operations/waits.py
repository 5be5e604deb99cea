"""What an operation waits for, by facts that it reads again and again."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

from pyinfra import logger
from pyinfra.api.arguments import ConnectorArguments
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.host import Host
from pyinfra.api.state import State
from typing_extensions import override

from ciliumlab.operations.api import Refused

# Seconds between two looks.
_PAUSE = 2


class Until(PyinfraCommand):
    """Wait until nothing is against something any more; after ``seconds`` say what still is, and fail.

    ``against`` reads facts and gives a line for each thing that is against it; ``besides`` gives lines to say
    when it came to nothing.
    """

    def __init__(
        self,
        what: str,
        against: Callable[[], Collection[str]],
        seconds: int,
        besides: Callable[[], Collection[str]] = lambda: (),
    ) -> None:
        super().__init__()
        self.what, self.against, self.seconds, self.besides = what, against, seconds, besides

    @override
    def __repr__(self) -> str:
        return f"Until({self.what}, within {self.seconds} s)"

    @override
    def execute(self, state: State, host: Host, connector_arguments: ConnectorArguments) -> bool:
        deadline = time.monotonic() + self.seconds
        try:
            while found := self.against():
                if time.monotonic() >= deadline:
                    said = (f"not within {self.seconds} s: {self.what}", *found, *self.besides())
                    break
                time.sleep(_PAUSE)
            else:
                return True
        except Refused as refused:
            said = (str(refused),)
        for line in said:
            host.log_styled(line, fg="red", log_func=logger.error)
        return False
