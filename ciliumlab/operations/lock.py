"""One run at a time: whoever changes hosts holds the lock of each of them, also against other controllers."""

from __future__ import annotations

import atexit
import time
from collections.abc import Mapping, Sequence
from typing import cast

import gevent  # type: ignore[import-untyped]
from gevent.lock import BoundedSemaphore  # type: ignore[import-untyped]
from pyinfra import logger
from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS, ConnectorArguments, pop_global_arguments
from pyinfra.api.host import Host
from pyinfra.connectors.util import extract_control_arguments
from pyinfra.context import ctx_host, state

from ciliumlab.errors import LabError, Problem
from ciliumlab.operations import ahead
from ciliumlab.operations.host_lock import MOMENT, Busy, Held, cut_off, release, take

# Seconds to wait for another run where a host's data have no ``lock_timeout``.
_PATIENCE = 600

_REFUSAL = (
    "{run} and has not ended in {patience} s; run again when it has, or, where nobody stands behind it any"
    " more, free it there (sudo kill {run.pid}); nothing was changed"
)

# A host's lock, why it cannot be had, or None where it has none.
_Outcome = Held | LabError | None
_outcomes: dict[str, _Outcome] = {}
_one = BoundedSemaphore()


def hold(*others: Host) -> None:
    """Have the locks of all hosts of this run, and of ``others``, before anything there is looked at.

    The first operation that is carried out takes them all, and the rest of the run has them. Another run
    is waited for, as many seconds as ``lock_timeout`` of the host's data says.

    Raises LabError where the host at hand, or one of ``others``, cannot be locked; where one is another
    run's, all hosts.
    """
    here = ctx_host.get()  # type: ignore[no-untyped-call]
    # One of the hosts' greenlets takes all locks, and the others wait for it.
    with _one:
        if not all(_settled(host) for host in (here, *others)):
            wanted = {host.name: host for host in (here, *others, *state.inventory.get_active_hosts())}
            lacking = [wanted[name] for name in sorted(wanted) if not _settled(wanted[name])]
            release(_outcomes.pop(host.name, None) for host in lacking)
            _outcomes.update(_take_all(lacking, here))
            ahead.void()
    for host in (here, *others):
        why = _outcomes[host.name]
        if isinstance(why, LabError):
            raise why


@atexit.register
def _end() -> None:
    """While connections are still there: what they leave to be closed later ends in a traceback."""
    release(_outcomes.values())


def _settled(host: Host) -> bool:
    held = _outcomes.get(host.name)
    if not isinstance(held, Held):
        return host.name in _outcomes
    # What has no connection any more says so itself.
    return cut_off(host) or held.lasts(getattr(host.connector, "client", None))


def _take_all(hosts: Sequence[Host], here: Host) -> Mapping[str, _Outcome]:
    """Outcomes by host. All hosts are taken at once, which is quick; only where one is busy, they are waited
    for one after another, in the order of their names, so that no two runs wait for each other.
    """
    asked = {host: gevent.spawn(take, host, _arguments(host, here), MOMENT) for host in hosts}
    gevent.joinall(asked.values(), raise_error=True)
    outcomes = {host.name: greenlet.value for host, greenlet in asked.items()}
    busy = {host: outcomes[host.name] for host in hosts if isinstance(outcomes[host.name], Busy)}
    if not busy:
        return outcomes
    release(outcomes.values())
    patience = int(here.data.get("lock_timeout", _PATIENCE))
    for host, run in busy.items():
        host.log_styled(f"{run}; waiting for up to {patience} s", fg="yellow", log_func=logger.warning)
    deadline = time.monotonic() + patience
    outcomes = {}
    for host in hosts:
        left = max(0, round(deadline - time.monotonic()))
        found = outcomes[host.name] = take(host, _arguments(host, here), left)
        if isinstance(found, Busy):
            release(outcomes.values())
            why = LabError(Problem(host.name, _REFUSAL.format(run=found, patience=patience)))
            return {host.name: why for host in hosts}
    return outcomes


def _arguments(host: Host, here: Host) -> ConnectorArguments:
    """How the operation at hand becomes root on a host; on one that has no part in it, how operations do."""
    operation = state.ops.get(host, {}).get(here.current_op_hash or "")
    given = operation.global_arguments if operation else pop_global_arguments(state, host, {})[0]
    values = {key: value for key, value in given.items() if key in CONNECTOR_ARGUMENT_KEYS}
    arguments = cast(ConnectorArguments, values)
    extract_control_arguments(arguments)
    return arguments
