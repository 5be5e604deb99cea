"""Several facts by one remote command."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase
from typing_extensions import override

from ciliumlab.facts.shell import Joined, State

T = TypeVar("T")

# Neither line is one that a tool prints; the second may come after what has no newline at its end.
_BEGINS = "==ciliumlab== begins"
_ENDS = re.compile(r"(.*)==ciliumlab== ends with (\d+)")


@dataclass(frozen=True)
class Asked:
    """A fact with its arguments."""

    fact: type[FactBase[Any]]
    arguments: Mapping[str, Any]

    @override
    def __repr__(self) -> str:
        arguments = ", ".join(f"{key}={value!r}" for key, value in self.arguments.items())
        return f"{self.fact.__name__}({arguments})"


class Combined(State[T], Generic[T]):
    """A fact that is made of others, so that each of these is asked for with those of its kind that other
    operations ask for: an answer takes its time for the programs that are started for it.
    """

    parts: Sequence[Asked] = ()
    """What it is made of, once its command was made."""

    def combine(self, values: Sequence[Any]) -> T:
        """Its value, of those of its parts, in their order."""
        raise NotImplementedError

    def asking(self, *parts: Asked) -> str:
        """The command, which is to be made by this: of parts that are not combined themselves."""
        self.parts, self._together = parts, Together()
        return self._together.command(parts)

    @override
    def process(self, output: list[str]) -> T:
        values = self._together.process(output)
        if any(value is None for value in values):
            raise FactProcessError("cannot understand what the host answered")
        return self.combine(values)


class Together(FactBase[list[Any]]):
    """The values of several facts, in their order; None for one that could not be read. What is asked for
    several times is read once, and what can be `Joined` by one question.

    + asked: facts without a ``requires_command``
    """

    @override
    def command(self, asked: Sequence[Asked]) -> str:
        # process() is given the output alone.
        self._asked = [(one.fact(), _parts(one)) for one in asked]
        self._each = _questions([part for _, parts in self._asked for part in parts])
        return "\n".join(map(_answering, self._each))

    @override
    def process(self, output: list[str]) -> list[Any]:
        answers = _answers(output)
        # More or fewer than were asked for, and nobody knows whose they are.
        if len(answers) != len(self._each):
            return [None for _ in self._asked]
        values = [_value(one, answer) for one, answer in zip(self._each, answers, strict=True)]

        def own(fact: FactBase[Any], parts: Sequence[Asked]) -> Any:
            of_parts = [_own(part, values[_place(part, self._each)]) for part in parts]
            if not isinstance(fact, Combined):
                return of_parts[0]
            return None if any(value is None for value in of_parts) else fact.combine(of_parts)

        return [own(fact, parts) for fact, parts in self._asked]


def _parts(one: Asked) -> Sequence[Asked]:
    """What is asked for it."""
    fact = one.fact()
    if not isinstance(fact, Combined):
        return [one]
    fact.command(**one.arguments)
    return fact.parts


def _questions(asked: Sequence[Asked]) -> list[Asked]:
    """The fewest that answer all of these."""
    questions: list[Asked] = []
    for one in asked:
        place = _place(one, questions)
        if place == len(questions):
            questions.append(one)
        elif issubclass(one.fact, Joined):
            questions[place] = Asked(one.fact, _joined(questions[place].arguments, one.arguments))
    return questions


def _place(one: Asked, questions: Sequence[Asked]) -> int:
    """Of the question that answers this one; behind the last where none does."""
    for place, other in enumerate(questions):
        if other == one or (other.fact is one.fact and issubclass(one.fact, Joined)):
            return place
    return len(questions)


def _joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, list[str]]:
    """Every name of either, once."""
    return {
        key: list(dict.fromkeys([*(first.get(key) or ()), *(second.get(key) or ())]))
        for key in {**first, **second}
    }


def _own(asked: Asked, value: Any) -> Any:
    """What one has asked for, of an answer that may be of several."""
    fact = asked.fact()
    return fact.part(value, asked.arguments) if value is not None and isinstance(fact, Joined) else value


def _answering(asked: Asked) -> str:
    command: object = asked.fact().command
    if callable(command):
        command = command(**asked.arguments)
    return f"echo '{_BEGINS}'\n(\n{command}\n)\necho \"==ciliumlab== ends with $?\""


def _answers(output: Sequence[str]) -> list[list[str] | None]:
    answers: list[list[str] | None] = []
    lines: list[str] = []
    for line in output:
        if line == _BEGINS:
            lines = []
        elif end := _ENDS.fullmatch(line):
            last, status = end.groups()
            answers.append([*lines, *([last] if last else [])] if status == "0" else None)
        else:
            lines.append(line)
    return answers


def _value(asked: Asked, answer: list[str] | None) -> Any:
    if not answer:
        return None
    try:
        return asked.fact().process(answer)
    except FactProcessError:
        return None
