"""pyinfra, whose remote commands are counted: ``python -m tests.bench.counted FILE <pyinfra's arguments>``.

The run is pyinfra's own. FILE gets JSON: by host, how many commands went over SSH, and how many files.
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from functools import wraps
from pathlib import Path
from typing import Any

from pyinfra.connectors.ssh import SSHConnector
from pyinfra_cli.main import main

_WAYS = ("run_shell_command", "put_file", "get_file")


def _count(way: str, counts: dict[str, Counter[str]]) -> None:
    carried_out = getattr(SSHConnector, way)

    @wraps(carried_out)
    def counting(self: SSHConnector, *arguments: Any, **named: Any) -> Any:
        counts.setdefault(self.host.name, Counter())[way] += 1
        return carried_out(self, *arguments, **named)

    setattr(SSHConnector, way, counting)


if __name__ == "__main__":
    target = Path(sys.argv.pop(1))
    found: dict[str, Counter[str]] = {}
    for one in _WAYS:
        _count(one, found)
    try:
        main()
    finally:  # by an exit, as always
        target.write_text(json.dumps(found))
