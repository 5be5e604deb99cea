"""All that the doctor looks at, at once.

Nothing is changed anywhere. All questions are asked at once, and what has no answer within ``SECONDS`` is a
finding too.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import TypeVar

from ciliumlab import plan, state
from ciliumlab.doctor import controller, machines, reach
from ciliumlab.doctor.asking import together
from ciliumlab.doctor.finding import Finding, against, merged
from ciliumlab.errors import LabError
from ciliumlab.machines.lab import Lab
from ciliumlab.settings import Settings
from ciliumlab.state import State
from ciliumlab.topology import Topology, load

# An emulated machine asks for all its sources in half a minute.
SECONDS = 60.0

Question = Callable[[], Iterable[Finding]]
T = TypeVar("T")


def examine(path: Path, overrides: Sequence[str]) -> list[Finding]:
    """All findings about the lab of this file with these ``--data``, what is against it first.

    A wrong declaration is a finding, and what depends on it is not asked.
    """
    declared: list[Finding] = []
    topology = _declared(declared, lambda: load(path))
    settings = _declared(declared, lambda: Settings.read(state.settings_path(path), overrides))
    if topology is not None and settings is not None:
        _declared(declared, lambda: plan.build(topology, settings))
    questions: dict[str, Question] = {"the Python environment": controller.environment}
    if topology is not None:
        questions |= _of_lab(path, topology, None if declared else settings)
    return merged([*declared, *_answers(questions)])


def _of_lab(path: Path, topology: Topology, settings: Settings | None) -> dict[str, Question]:
    lab = Lab(topology, State(state.directory(path)), str(path))
    rows = lab.status()
    questions: dict[str, Question] = {
        "this host": lambda: controller.host(lab, state.settings_path(path).absolute().parents[1]),
        "the machines": lambda: machines.standing(rows),
    }
    answering = [lab.machine(row["name"]) for row in rows if row["state"] in ("up", "direct")]
    wants = reach.wanted(topology, settings) if settings else {}
    for machine in answering:
        questions[machine.name] = partial(machines.machine, lab.state, machine, wants.get(machine.name))
    # A machine that answers is asked itself.
    if settings and not answering:
        questions["the sources"] = lambda: reach.sources([*wants.values()], settings)
    return questions


def _declared(findings: list[Finding], read: Callable[[], T]) -> T | None:
    try:
        return read()
    except LabError as error:
        findings += map(against, error.problems)
        return None


def _answers(questions: dict[str, Question]) -> list[Finding]:
    def answered(question: Question) -> list[Finding]:
        found: list[Finding] = []
        try:
            found += question()
        except LabError as error:
            found += map(against, error.problems)
        return found

    answers = together({name: partial(answered, one) for name, one in questions.items()}, SECONDS)
    why = f"no answer within {SECONDS:.0f} s; look what keeps it busy, and ask again"
    return [finding for name in questions for finding in answers.get(name, [Finding(name, why, True)])]
