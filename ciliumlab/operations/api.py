"""What operations here have in common: they read facts that are known for sure, or refuse."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from functools import wraps
from inspect import signature
from typing import Any, ParamSpec, TypeVar, cast

import gevent  # type: ignore[import-untyped]
from pyinfra import logger
from pyinfra.api.arguments_typed import PyinfraOperation
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.exceptions import ConnectError, PyinfraError
from pyinfra.api.facts import FactBase
from pyinfra.api.host import Host
from pyinfra.api.operation import OperationMeta
from pyinfra.api.operation import operation as pyinfra_operation
from pyinfra.api.state import StateStage
from pyinfra.context import ctx_host, host, state
from pyinfra.operations.util.files import generate_color_diff

from ciliumlab.errors import LabError
from ciliumlab.facts.files import Texts
from ciliumlab.facts.together import Asked
from ciliumlab.operations import ahead, lock
from ciliumlab.operations.host_lock import cut_off
from ciliumlab.operations.located import locate
from ciliumlab.operations.steps import SILENCE, Refusal, elsewhere

P = ParamSpec("P")
T = TypeVar("T")
Commands = Generator[PyinfraCommand, None, None]


class _Silent(Exception):
    """A host has not answered."""


class Refused(Exception):
    """Why an operation cannot be carried out on a host, what is wrong there and how to mend it."""


def operation(function: Callable[P, Commands], changes: bool = True) -> PyinfraOperation[P]:
    """Make a generator of commands a pyinfra operation; `Refused` in it fails the host with one line.

    Once it is carried out, this run is the only one on its hosts, from before anything is compared. What it
    reads first is read ahead, see ``ciliumlab.operations.ahead``.
    """

    @wraps(function)
    def refusing(*args: P.args, **kwargs: P.kwargs) -> Commands:
        try:
            if changes and not preparing():
                lock.hold()
            for command in function(*args, **kwargs):
                ahead.forget(ctx_host.get())  # type: ignore[no-untyped-call]
                try:
                    yield command
                finally:
                    ahead.forget(ctx_host.get())  # type: ignore[no-untyped-call]
        except (Refused, LabError) as refused:
            for line in str(refused).splitlines():
                host.log_styled(line, fg="red", log_func=logger.error)
            yield Refusal(str(refused))

    declare: Callable[..., OperationMeta] = pyinfra_operation()(refusing)
    own = signature(function).parameters

    @wraps(declare)
    def declaring(*args: Any, **kwargs: Any) -> OperationMeta:
        locate()
        if state.is_executing:
            return declare(*args, **kwargs)
        given = {key: value for key, value in kwargs.items() if key in own}
        asked = ahead.rehearsed(state, function(*args, **given))
        meta = declare(*args, **kwargs)
        ahead.declare(ctx_host.get(), asked, changes)  # type: ignore[no-untyped-call]
        return meta

    return cast(PyinfraOperation[P], declaring)


def inspection(function: Callable[P, Commands]) -> PyinfraOperation[P]:
    """An operation that changes nothing, whatever another run does meanwhile."""
    return operation(function, changes=False)


@contextmanager
def only_if(condition: Callable[[], bool]) -> Iterator[None]:
    """Operations that are carried out only if the condition then holds; ``host.when`` of pyinfra, which
    would add an empty name to theirs.
    """
    name = host.current_deploy_name
    with host.when(condition):
        host.current_deploy_name = name
        yield


def read(fact: type[FactBase[T | None]], **arguments: Any) -> T:
    """The fact's value on the host at hand.

    Raises Refused when it could not be read. pyinfra then goes on with the fact's default, but what is
    not known must not be taken for what is not there.
    """
    return _read(ctx_host.get(), fact, arguments)  # type: ignore[no-untyped-call]


def reads_first(*asked: Asked) -> None:
    """To be called before an operation reads anything: it will read all of these, whatever the first says,
    so that they can be read together.
    """
    ahead.ask(*asked)


def read_on(name: str, fact: type[FactBase[T | None]], **arguments: Any) -> T:
    """The fact's value on another host of the inventory, which need not be in this run.

    Raises Refused when that host cannot be reached, or the fact not be read there.
    """
    try:
        return _read(elsewhere(state, name), fact, arguments)
    except ConnectError as error:
        raise Refused(f"{name} cannot be reached: {error}; nothing was changed") from error


def _read(host: Host, fact: type[FactBase[T | None]], arguments: dict[str, Any]) -> T:
    here = host is ctx_host.get()  # type: ignore[no-untyped-call]
    asked = Asked(fact, arguments)
    ahead.ask(asked, here=here)
    try:
        # pyinfra's own _timeout does not cover a connection on which no command can be started.
        with gevent.Timeout(SILENCE, _Silent), _unprinted(host, getattr(fact, "confidential", False)):
            value = ahead.answer(host, asked) if here else None
            if value is None:
                value = host.get_fact(fact, **arguments)
    except (EOFError, _Silent) as error:
        # paramiko says EOFError of a connection that has ended; pyinfra does not expect it.
        why = "the connection has ended" if isinstance(error, EOFError) else f"no answer for {SILENCE} s"
        raise Refused(f"{fact.__name__} could not be read, {why}; nothing was changed") from error
    except PyinfraError as error:
        # So pyinfra ends a run of which the last host has failed; in an operation it would be a traceback.
        if isinstance(error, ConnectError) or not state.is_executing:
            raise
        value = None
    if value is None:
        why = ", the connection has ended" if cut_off(host) else " for the reason above"
        raise Refused(f"{fact.__name__} could not be read{why}; nothing was changed")
    return value


@contextmanager
def _unprinted(host: Host, confidential: bool) -> Iterator[None]:
    """What is confidential is not printed: with -vvv pyinfra prints all that a fact reads."""

    def run(*arguments: Any, **named: Any) -> Any:
        return type(host).run_shell_command(host, *arguments, **{**named, "print_output": False})

    if not confidential:
        yield
        return
    vars(host)["run_shell_command"] = run
    try:
        yield
    finally:
        # Another host's greenlet may have asked this one at the same time.
        vars(host).pop("run_shell_command", None)


def preparing() -> bool:
    """Whether changes are only being looked for, as in a dry run: what an operation before this one will
    make is not there yet.
    """
    return state.current_stage < StateStage.Execute


def show_difference(path: str, text: str) -> None:
    """With ``--diff``, print how ``text`` differs from the file at ``path`` on the host."""
    if not state.config.DIFF:
        return
    there = read(Texts, paths=[path]).get(path)
    show_change(f"{'Will modify' if there else 'Will create'} {path}", there["text"] if there else "", text)


def show_change(title: str, old: str, text: str) -> None:
    """With ``--diff``, print how a text differs from what it was."""
    if not state.config.DIFF:
        return
    host.log(title)
    for line in generate_color_diff(old.splitlines(keepends=True), text.splitlines(keepends=True)):
        logger.info("  %s", line)
