"""A run of pyinfra, as a test looks at it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Deploy:
    """How a run of pyinfra ended: its exit status, its ``--json`` and what it said beside it."""

    status: int
    answer: dict[str, Any]
    said: str

    @property
    def planned(self) -> dict[str, list[str]]:
        """What a dry run would change: hosts with the names of operations."""
        return self._by_host(self.answer["plan"], "hosts_with_change", "hosts_with_conditional_change")

    @property
    def changed(self) -> dict[str, list[str]]:
        """What was changed: hosts with the names of operations."""
        return self._by_host(self.answer["results"]["operations"], "success")

    @property
    def failed(self) -> list[str]:
        """Names of the hosts on which the run did not come to its end."""
        failed: list[str] = self.answer["results"]["failed_hosts"]
        return failed

    @staticmethod
    def _by_host(operations: list[dict[str, Any]], *keys: str) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for operation in operations:
            for host in [host for key in keys for host in operation[key]]:
                found.setdefault(host, []).append(operation["name"])
        return found
