"""Facts read ahead: one remote command for what all operations of a stage ask first, or of several stages.

pyinfra reads each fact when an operation asks for it, and a remote command costs more than most facts do:
where nothing is to be changed, a run spends its time on little else. So an operation is rehearsed when it is
declared, up to its first question (or several, where it says so), and the first operation of a stage that is
carried out on a host has them all answered at once, with those of later stages that are ``early`` facts. A
command that may change a host makes the answers of all hosts void. A host that was changed is asked operation
by operation for the rest of the stage, and stage by stage from then on, as it will probably be changed again.

What only inspects does so before this run has its hosts to itself, and reads nothing ahead for what changes.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from pyinfra.api.arguments import CONNECTOR_ARGUMENT_KEYS
from pyinfra.api.facts import FactBase
from pyinfra.api.host import Host
from pyinfra.api.state import State

from ciliumlab.facts.together import Asked, Together


class _FirstQuestions(BaseException):
    """What a rehearsed operation asks; no operation catches it."""

    def __init__(self, asked: Sequence[Asked]) -> None:
        super().__init__()
        self.asked = asked


@dataclass(frozen=True)
class _Declared:
    """An operation of this library: the stage (pyinfra's deploy) that it stands in, its first questions.

    ``changes`` is false for one that only inspects.
    """

    stage: str | None
    asked: Sequence[Asked]
    changes: bool

    @property
    def early(self) -> bool:
        return all(getattr(one.fact, "early", False) for one in self.asked)


@dataclass
class _Answers:
    """Of one host, by the operation's hash; ``changed`` holds the stages in which the host was changed, and
    ``answered`` the operations that have been answered once.

    ``known`` is what was asked at ``time``, a value of ``_time``, in the order of each one's questions; None
    for what could not be read, or has been given out.
    """

    declared: dict[str, _Declared] = field(default_factory=dict)
    known: dict[str, list[Any]] = field(default_factory=dict)
    time: int = 0
    changed: set[str | None] = field(default_factory=set)
    answered: set[str] = field(default_factory=set)


_hosts: WeakKeyDictionary[Host, _Answers] = WeakKeyDictionary()

# Grows with each command that may change a host: what was asked at another time is void, on all of them.
# (To go through all hosts at each command is slow with hundreds.)
_time = 0

_rehearsing: ContextVar[bool] = ContextVar("rehearsing", default=False)


def rehearsed(state: State, begun: Generator[Any, None, None]) -> Sequence[Asked]:
    """What an operation asks first, if anything; ``begun`` is its generator, which is not carried on."""
    said, state.print_noop_info = state.print_noop_info, False
    token = _rehearsing.set(True)
    try:
        next(begun, None)
    except _FirstQuestions as questions:
        return questions.asked
    except Exception:
        # It will say so itself when it is carried out.
        return ()
    finally:
        _rehearsing.reset(token)
        state.print_noop_info = said
        begun.close()
    return ()


def declare(host: Host, asked: Sequence[Asked], changes: bool) -> None:
    """Note what the operation that was declared last on a host asks first."""
    declared = _Declared(host.current_deploy_name, asked, changes)
    _hosts.setdefault(host, _Answers()).declared[host.op_hash_order[-1]] = declared


def ask(*asked: Asked, here: bool = True) -> None:
    """To be called before facts are read: ends a rehearsal with them, if one goes on.

    ``here`` is false for another host's fact. A fact with a confidential answer, with arguments of pyinfra's
    own or with its own idea of when it can be read, is read alone.
    """
    if _rehearsing.get():
        raise _FirstQuestions([one for one in asked if here and _goes_with_others(one)])


def _goes_with_others(asked: Asked) -> bool:
    return not (
        getattr(asked.fact, "confidential", False)
        or any(key.startswith("_") for key in asked.arguments)
        or asked.fact.requires_command is not FactBase.requires_command
    )


def answer(host: Host, asked: Asked) -> Any:
    """A fact's value where it could be read ahead, with those of the operations to come; otherwise None."""
    answers = _hosts.get(host)
    if answers is None or not host.state.is_executing:
        return None
    operation = host.current_op_hash or ""
    declared = answers.declared.get(operation)
    if declared is None or asked not in declared.asked:
        return None
    if answers.time != _time:
        answers.known.clear()
    if operation not in answers.known and operation not in answers.answered:
        coming = [operation] if declared.stage in answers.changed else _coming(host, operation, answers)
        together = {one: answers.declared[one].asked for one in coming}
        questions = [question for own in together.values() for question in own]
        if len(questions) > 1:
            answers.time = _time
            found = host.get_fact(Together, asked=questions) or [None] * len(questions)
            values = iter(found)
            answers.known.update({one: [next(values) for _ in own] for one, own in together.items()})
    answers.answered.add(operation)
    known = answers.known.get(operation)
    if known is None:
        return None
    # An operation that asks again wants to know what there is by then.
    place = declared.asked.index(asked)
    value, known[place] = known[place], None
    return value


def forget(host: Host) -> None:
    """To be called before and after a command that may change this host: no answer of any host holds on."""
    own = _hosts.get(host)
    if own is None or not host.state.is_executing:
        return
    void()
    if declared := own.declared.get(host.current_op_hash or ""):
        own.changed.add(declared.stage)


def void() -> None:
    """No answer of any host holds on, as when somebody else may have been at work."""
    global _time
    _time += 1


def _coming(host: Host, operation: str, answers: _Answers) -> Iterator[str]:
    """This operation and those after it that ask something which is not known yet, as the same user.

    Any operation of somebody else's ends it: it may change the host, and nobody would know.
    """
    own = answers.declared[operation]
    user = _connector_arguments(host, operation)
    for one in host.op_hash_order[host.op_hash_order.index(operation) :]:
        declared = answers.declared.get(one)
        if declared is None or (declared.stage != own.stage and answers.changed):
            return
        asks = bool(declared.asked) and one not in answers.known
        in_time = declared.stage == own.stage or declared.early
        allowed = own.changes or not declared.changes
        if asks and in_time and allowed and _connector_arguments(host, one) == user:
            yield one


def _connector_arguments(host: Host, operation: str) -> dict[str, object]:
    arguments = host.state.get_op_data_for_host(host, operation).global_arguments
    return {key: arguments.get(key) for key in CONNECTOR_ARGUMENT_KEYS}
