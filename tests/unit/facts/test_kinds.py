"""What is of a kind and what is not, as facts may declare one."""

from __future__ import annotations

from typing import Any, TypedDict

import pytest

from ciliumlab.facts.kinds import check


class Route(TypedDict):
    to: str
    via: str | None


@pytest.mark.parametrize(
    ("value", "kind"),
    [
        (None, str | None),
        ("a", int | str),
        (1, int | str),
        ({"to": "a", "via": None}, int | Route),
        ([], list[int] | dict[str, int]),
        ({"a": 1}, list[int] | dict[str, int]),
        (1, float),
        ({"a": object()}, dict[str, Any]),
        ([object()], list),
    ],
)
def test_of_the_kind(value: object, kind: Any) -> None:
    check(value, kind)


@pytest.mark.parametrize(
    ("value", "kind", "what"),
    [
        ("1", int, "it is of the type str"),
        (True, int, "it is of the type bool"),
        (True, float, "it is of the type bool"),
        (1, bool, "it is of the type int"),
        (None, int | str, "it is of the type NoneType"),
        (True, int | str, "it is of the type bool"),
        ({"to": "a", "via": 7}, Route | None, "it.via is of the type int"),
        ({"to": "a"}, Route, "it has no via"),
        ([{"to": "a"}], list[Route | None], "an item of it has no via"),
        ({"a": ["x"]}, list[int] | dict[str, int], "it is of the type dict"),
        ({1: "x"}, dict[str, str], "a key of it is of the type int"),
        ({"a": ["x", 1]}, dict[str, list[str]], "an item of a value of it is of the type int"),
    ],
)
def test_of_another_kind(value: object, kind: Any, what: str) -> None:
    with pytest.raises(TypeError) as caught:
        check(value, kind)
    assert str(caught.value) == what


@pytest.mark.parametrize("kind", [tuple[str, int], set[str], list[tuple[str, ...]]])
def test_a_kind_that_cannot_be_checked(kind: Any) -> None:
    """It is the fact that is wrong, not what the host answered."""
    with pytest.raises(NotImplementedError, match=r"is declared as (tuple|set)\[.*, which cannot be checked"):
        check([()], kind)
