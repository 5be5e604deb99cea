"""What is wrong, told to a person: one line a problem, all problems at once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong.

    ``where`` names the place: a file and key (``inventory/lab.yaml: nodes.k8s-w1.address``), or a
    host or program. ``what`` says what is wrong there, why, and how to mend it, on one line.
    """

    where: str
    what: str

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


class LabError(Exception):
    """Something that a user can cause and mend. ``str()`` is one line a problem; never a traceback.

    ``exit_status`` is what a command exits with: 2 for a wrong declaration or call (nothing was
    touched), 1 for something that failed while it was carried out.
    """

    exit_status = 1

    def __init__(self, problems: Problem | Iterable[Problem]) -> None:
        self.problems: tuple[Problem, ...] = (problems,) if isinstance(problems, Problem) else tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class DeclarationError(LabError):
    """lab.yaml, the settings or the command line ask for something that cannot be; exit status 2."""

    exit_status = 2
