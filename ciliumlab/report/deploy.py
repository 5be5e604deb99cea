"""A run of pyinfra by its own ``--json``: what each stage changed, where."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ciliumlab.errors import DeclarationError, Problem

# What operations are of that belong to no included file, as in a run of one task.
_ALONE = "this run"


@dataclass(frozen=True)
class Operation:
    """Hosts by how the operation ended on them."""

    name: str
    changed: tuple[str, ...]
    unchanged: tuple[str, ...]
    failed: tuple[str, ...]


@dataclass(frozen=True)
class Stage:
    name: str
    operations: tuple[Operation, ...]

    @property
    def told(self) -> tuple[Operation, ...]:
        """Those that changed or failed somewhere."""
        return tuple(one for one in self.operations if one.changed or one.failed)

    @property
    def changes(self) -> tuple[Operation, ...]:
        return tuple(one for one in self.operations if one.changed)

    @property
    def failures(self) -> tuple[Operation, ...]:
        return tuple(one for one in self.operations if one.failed)


@dataclass(frozen=True)
class Deploy:
    """``dry``: nothing was done, and ``changed`` is what would have been. ``failed`` has names of hosts."""

    stages: tuple[Stage, ...]
    failed: tuple[str, ...]
    dry: bool


def read(file: Path) -> Deploy:
    """Raises DeclarationError where the file cannot be read, or is no result of pyinfra's."""
    try:
        answer = json.loads(file.read_text())
        dry = answer["results"] is None
        listed = answer["plan"] if dry else answer["results"]["operations"]
        failed = () if dry else tuple(answer["results"]["failed_hosts"])
        operations = [_operation(one, dry) for one in listed]
    except OSError as error:
        raise DeclarationError(Problem(str(file), f"cannot be read: {error.strerror}")) from None
    except (ValueError, KeyError, TypeError, AttributeError):
        what = "is no result of `pyinfra --json` (which gives none where no host was left to go on with)"
        raise DeclarationError(
            Problem(str(file), f"{what}; make it anew: pyinfra -y --json inventory/lab.py deploy.py > FILE")
        ) from None
    stages: dict[str, list[Operation]] = {}
    for stage, operation in operations:
        stages.setdefault(stage, []).append(operation)
    return Deploy(tuple(Stage(name, tuple(found)) for name, found in stages.items()), failed, dry)


def _operation(one: Mapping[str, Any], dry: bool) -> tuple[str, Operation]:
    """With the stage that it is of: pyinfra puts the included file before an operation's name."""
    stage, bar, name = one["name"].partition(" | ")
    keys = ("hosts_with_change", "", "") if dry else ("success", "no_change", "error")
    changed, unchanged, failed = (tuple(one[key]) if key else () for key in keys)
    if dry:
        changed += tuple(one["hosts_with_conditional_change"])
    found = Operation(name.rpartition(" | ")[2] if bar else stage, changed, unchanged, failed)
    return (stage if bar else _ALONE), found
