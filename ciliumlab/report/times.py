"""How long the stages of the last run took, which pyinfra's results leave out; kept with the lab's state."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from ciliumlab.report.deploy import Deploy, Stage
from ciliumlab.state import State

if TYPE_CHECKING:
    from ciliumlab.outcome import Outcome


def keep(outcome: Outcome, state: State) -> None:
    """Keep the times of a run until the next one, with what it has changed; not of one that did nothing.

    A folder that cannot be written to is no reason for a deploy to fail: then there are no times.
    """
    if not outcome.stages:
        return
    changed = {
        stage: {host: part.changed for host, part in parts.items() if part.changed}
        for stage, parts in outcome.stages.items()
    }
    with suppress(OSError):
        state.create()
        state.times.write_text(json.dumps({"seconds": dict(outcome.seconds), "changed": changed}))


def read(state: State, deploy: Deploy) -> dict[str, float]:
    """Each stage's seconds; none where the last run here was another one than ``deploy``, which is told by
    what the two have changed.
    """
    try:
        kept = json.loads(state.times.read_text())
        return {} if deploy.dry else _of_the_same(kept["seconds"], kept["changed"], deploy.stages)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _of_the_same(
    seconds: dict[str, Any], changed: dict[str, Any], stages: tuple[Stage, ...]
) -> dict[str, float]:
    # A task that ran alone has no name in pyinfra's results.
    names = list(seconds) if len(seconds) == 1 == len(stages) else [stage.name for stage in stages]
    told = {name: _changed(stage) for name, stage in zip(names, stages, strict=True)}
    if told != changed:
        return {}
    return {stage.name: float(seconds[name]) for name, stage in zip(names, stages, strict=True)}


def _changed(stage: Stage) -> dict[str, int]:
    return dict(Counter(host for operation in stage.operations for host in operation.changed))
