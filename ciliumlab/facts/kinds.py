"""Whether plain data is of the kind that its type says: what a host prints may have any shape."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from itertools import starmap
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict

# What JSON can say, which has neither tuples nor sets. A whole number is a float too, as typing has it.
_PLAIN: dict[type, tuple[type, ...]] = {one: (one,) for one in (dict, list, str, int, bool, NoneType)}
_PLAIN[float] = (int, float)


def check(value: object, kind: Any) -> None:
    """TypeError unless ``value`` is of the ``kind``: a TypedDict, or made of dict, list, | and plain types.

    It names the place and what is there, never the value, which may be a secret. NotImplementedError for
    a kind that cannot be checked.
    """
    if trouble := _trouble(value, kind, "it"):
        raise TypeError(trouble)


def _trouble(value: object, kind: Any, where: str) -> str:
    """What is wrong with a value, or ""."""
    # A fact of somebody else's may leave open what it makes.
    if kind is Any or isinstance(kind, TypeVar):
        return ""
    if get_origin(kind) in (Union, UnionType):
        troubles = [_trouble(value, one, where) for one in get_args(kind)]
        # Of "this or None", what is wrong with this.
        return troubles[0] if all(troubles) else ""
    plain = dict if is_typeddict(kind) else get_origin(kind) or kind
    if plain not in _PLAIN:
        raise NotImplementedError(f"{where} is declared as {kind}, which cannot be checked")
    # To Python, true is a number.
    if not isinstance(value, _PLAIN[plain]) or (isinstance(value, bool) and plain is not bool):
        return f"{where} is of the type {type(value).__name__}"
    if is_typeddict(kind) and isinstance(value, dict) and (missing := _keys(kind).keys() - value.keys()):
        return f"{where} has no {min(missing)}"
    return next(filter(None, starmap(_trouble, _inside(value, kind, where))), "")


def _inside(value: Any, kind: Any, where: str) -> Iterator[tuple[object, Any, str]]:
    """Everything in a value, with the kind that it must have."""
    if is_typeddict(kind):
        yield from ((value[name], one, f"{where}.{name}") for name, one in _keys(kind).items())
    elif isinstance(value, dict):
        of_keys, of_values = get_args(kind) or (Any, Any)
        for key, one in value.items():
            yield key, of_keys, f"a key of {where}"
            yield one, of_values, f"a value of {where}"
    elif isinstance(value, list):
        (of_items,) = get_args(kind) or (Any,)
        yield from ((one, of_items, f"an item of {where}") for one in value)


# Cached, because they are read from text.
_keys = cache(get_type_hints)
