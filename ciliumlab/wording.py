"""How a problem line quotes what a person wrote, and what it offers instead."""

from __future__ import annotations

import reprlib
from collections.abc import Iterable
from difflib import get_close_matches

_LONGEST = 60
_MOST = 12
_SHORT = reprlib.Repr()
_SHORT.maxstring = _LONGEST


def shown(value: object) -> str:
    """A value from outside as a short piece of one printable line.

    Plain words stay as they are; anything that a reader could misjudge (empty, with blanks, control
    characters, not text at all) is written the way Python writes it.
    """
    if isinstance(value, str) and 0 < len(value) <= _LONGEST and value.isprintable() and " " not in value:
        return value
    return _SHORT.repr(value)


def listed(items: Iterable[str], last: str = "and") -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    *head, tail = items
    return f"{', '.join(head)} {last} {tail}" if head else tail


def closest(name: str, known: Iterable[str]) -> str | None:
    """The known name that ``name`` was probably meant to be, if there is one."""
    return next(iter(get_close_matches(name, list(known), n=1)), None)


def instead(name: str, known: Iterable[str]) -> str:
    """What to write instead of ``name``: the nearest known name, or all of them."""
    known = [shown(item) for item in known]
    near = closest(name, known)
    if near is not None:
        return f"did you mean {near}?"
    return f"known: {', '.join(known[:_MOST])}{', ...' if len(known) > _MOST else ''}"
