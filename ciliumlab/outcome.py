"""What came of a run of pyinfra: its state as plain data, and a word at its end.

pyinfra calls nothing when a run ends, and its own table does not come when no host is left. What does end
with every run is the command line's context, which an inventory is loaded in; ``follow`` waits there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import click
import gevent  # type: ignore[import-untyped]
from pyinfra.api.host import Host
from pyinfra.api.state import BaseStateCallback, State, StateOperationHostData, StateStage
from typing_extensions import override


@dataclass
class Part:
    """What came of a stage on a host: operations by how they ended.

    ``waiting``: never begun, or cut in the middle; ``left_out``: by a condition that does not hold;
    ``failed``: the name of the one that failed, or "".
    """

    changed: int = 0
    unchanged: int = 0
    left_out: int = 0
    waiting: int = 0
    failed: str = ""


@dataclass(frozen=True)
class Outcome:
    """What came of a run. ``stages``: by task file, in order, then by host; ``seconds``: by task file, while
    any host was at it, and ``total`` from the inventory's loading on. ``unreachable`` are not in ``stages``.
    """

    hosts: Sequence[str]
    unreachable: Sequence[str]
    stages: Mapping[str, Mapping[str, Part]]
    seconds: Mapping[str, float]
    total: float

    def parts(self, stage: str) -> Iterable[Part]:
        return self.stages.get(stage, {}).values()

    @property
    def failed(self) -> list[str]:
        """Names of the hosts on which an operation failed."""
        return [
            name for name in self.hosts if any(on.get(name, Part()).failed for on in self.stages.values())
        ]


@dataclass
class Clock(BaseStateCallback):
    """Is told by pyinfra when an operation begins and ends on a host."""

    begun: float = field(default_factory=time.monotonic)
    spans: dict[tuple[str, str], list[float]] = field(default_factory=dict)

    @override
    def operation_host_start(self, state: State, host: Host, op_hash: str) -> None:  # type: ignore[override]
        # pyinfra begins what a host has no part in too, and never ends it.
        if op_hash in state.ops[host]:
            self.spans[host.name, op_hash] = [time.monotonic()]

    @override
    def operation_host_success(  # type: ignore[override]
        self, state: State, host: Host, op_hash: str, retry_count: int = 0
    ) -> None:
        self.spans[host.name, op_hash].append(time.monotonic())

    @override
    def operation_host_error(  # type: ignore[override]
        self, state: State, host: Host, op_hash: str, retry_count: int = 0, max_retries: int = 0
    ) -> None:
        self.spans[host.name, op_hash].append(time.monotonic())

    def seconds(self, operations: Iterable[str]) -> float:
        """How long any host was at any of the operations; one that was cut has lasted until now."""
        now, wanted = time.monotonic(), set(operations)
        spans = sorted(
            (span[0], span[-1] if len(span) > 1 else now)
            for (_, op), span in self.spans.items()
            if op in wanted
        )
        total, until = 0.0, 0.0
        for start, end in spans:
            total += max(0.0, end - max(start, until))
            until = max(until, end)
        return total


def follow(context: click.Context | None, state: State, tell: Callable[[Outcome], None]) -> None:
    """Have ``tell`` called at the end of pyinfra's run of deploy files in this context, however it ends.

    Not before hosts are connected to. A dry run's outcome has no stages: what would change is pyinfra's own
    table.
    """
    files = context.params.get("operations", ()) if context else ()
    if context is None or not all(file.endswith(".py") for file in files):
        return
    clock = Clock()

    def attach() -> None:
        # The state takes handlers only after the inventory, and this runs when hosts are first waited for.
        while not state.initialised:
            gevent.idle()
        state.add_callback_handler(clock)  # type: ignore[no-untyped-call]

    def end() -> None:
        if state.initialised and state.current_stage >= StateStage.Connect:
            tell(outcome(state, files, clock))

    gevent.spawn(attach)
    context.call_on_close(end)


def outcome(state: State, files: Sequence[str], clock: Clock) -> Outcome:
    """The state as plain data; ``files`` are those of the command line."""
    hosts = [host for host in state.inventory if state.is_host_in_limit(host)]
    stages: dict[str, dict[str, Part]] = {}
    operations: dict[str, list[str]] = {}
    order: list[str] = state.get_op_order() if state.is_executing else []  # type: ignore[no-untyped-call]
    for op_hash in order:
        meta = state.op_meta[op_hash]
        included, bar, name = min(meta.names).partition(" | ")
        stage, name = (included, name) if bar else (files[meta.op_order[0]], included)
        operations.setdefault(stage, []).append(op_hash)
        for host in hosts:
            if op_hash in state.ops[host]:
                part = stages.setdefault(stage, {}).setdefault(host.name, Part())
                _count(part, state.ops[host][op_hash], name.rpartition(" | ")[2])
    return Outcome(
        hosts=[host.name for host in hosts],
        unreachable=[
            host.name for host in hosts if host in state.failed_hosts and host not in state.activated_hosts
        ],
        stages=stages,
        seconds={stage: clock.seconds(of_stage) for stage, of_stage in operations.items()},
        total=time.monotonic() - clock.begun,
    )


def _count(part: Part, operation: StateOperationHostData, name: str) -> None:
    meta = operation.operation_meta
    if not meta.is_complete():
        part.waiting += 1
    elif meta.did_error() and not operation.global_arguments["_ignore_errors"]:
        part.failed = part.failed or name
    elif meta.did_change():
        part.changed += 1
    elif _gated(operation):
        part.left_out += 1
    else:
        part.unchanged += 1


def _gated(operation: StateOperationHostData) -> bool:
    """Whether the preflight left the operation out."""
    # Only these: another condition may ask a host, which may be gone by now.
    from ciliumlab.operations.preflight import cluster_goes_ahead, runtime_goes_ahead

    conditions = operation.global_arguments["_if"] or []
    given = conditions if isinstance(conditions, list) else [conditions]
    return any(gate in given and not gate() for gate in (cluster_goes_ahead, runtime_goes_ahead))
