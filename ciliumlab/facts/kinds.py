"""Whether plain data is of the kind that its type says: what a host prints may have any shape."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints, is_typeddict


def check(value: object, kind: Any, where: str = "it") -> None:
    """TypeError unless ``value`` is of the ``kind``: a TypedDict, or made of dict, list, | and plain types.

    It names the place and what is there, never the value, which may be a secret.
    """
    origin, inner = get_origin(kind), get_args(kind)
    # A fact of somebody else's may leave open what it makes.
    if kind is Any or isinstance(kind, TypeVar):
        return
    if is_typeddict(kind):
        if not isinstance(value, dict):
            raise _wrong(value, where)
        for name, one in get_type_hints(kind).items():
            check(value[name], one, f"{where}.{name}")
    elif origin in (Union, UnionType):
        # Here one of two always is None.
        if value is not None or NoneType not in inner:
            check(value, next(one for one in inner if one is not NoneType), where)
    elif origin is dict and isinstance(value, dict):
        for key, one in value.items():
            check(key, inner[0], f"a key of {where}")
            check(one, inner[1], f"a value of {where}")
    elif origin is list and isinstance(value, list):
        for one in value:
            check(one, inner[0], f"an item of {where}")
    # To Python, true is a number.
    elif origin is not None or not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        raise _wrong(value, where)


def _wrong(value: object, where: str) -> TypeError:
    return TypeError(f"{where} is of the type {type(value).__name__}")
