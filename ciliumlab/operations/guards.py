"""What stops a run before it does harm."""

from __future__ import annotations

from collections.abc import Collection

from pyinfra.context import host, state

from ciliumlab.operations.api import Commands, Refused, inspection


@inspection
def confirmed(answer: str, wanted: str, what: str) -> Commands:
    """
    Make sure that somebody means it.

    + answer: what was said
    + wanted: what must have been said, such as the name of what is to be deleted
    + what: what the run is about to do, for the refusal
    """
    if answer != wanted:
        raise Refused(f"this {what}; to go on, say --data confirm={wanted}; nothing was touched")
    host.noop(f"{answer!r} was repeated")
    yield from ()


@inspection
def unbroken(hosts: Collection[str] | None = None) -> Commands:
    """
    Go on only while no host of this run has failed.

    + hosts: names of those that matter; all by default

    pyinfra lets the others go on, which is right where hosts are independent of one another. Where they
    are not, this also makes that all before it is done on all hosts before anything after it is: pyinfra
    keeps an order only between operations that a host has in common.
    """
    # At the end of each operation pyinfra moves the hosts that have failed in it.
    names = {one.name for one in state.failed_hosts}
    if failed := sorted(names if hosts is None else names & set(hosts)):
        raise Refused(f"stopped, as {', '.join(failed)} failed before")
    host.noop("no host has failed")
    yield from ()
