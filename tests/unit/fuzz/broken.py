"""Strategies: what was right before something was broken in it."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Sequence
from copy import deepcopy
from typing import Any

from hypothesis import strategies as st

# What programs stumble over: too large, too deep, no number, no character, another tool's words.
WORDS = st.text(max_size=12) | st.sampled_from(
    [
        *("", " ", "0", "-1", "1e999", "NaN", "٣", "9" * 400, "9" * 5000, "x" * 10_000, "null", "true", "[]"),
        *(
            "[" * 3000,
            '{"a":' * 3000,
            "a=" * 2000,
            "\x00",
            "\x1b[31m",
            "\ud800",
            "\udcff",
            "\u2028",
            "\r",
            "%s",
        ),
        *("http://[", "https://a\x07b/c", "1.٣.0", "1.99999.0", "10.0.2.0/24", "0.0.0.0/0", "::1/64", "|||"),
    ]
)

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from([10**400, -(10**400), 2**63])
    | WORDS
)

JSON = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(WORDS, inner, max_size=3),
    max_leaves=6,
)


@st.composite
def lines(draw: st.DrawFn, whole: Sequence[str]) -> list[str]:
    """Some lines with one to three of them lost, cut, repeated, swapped or overwritten."""
    left = list(whole)
    for _ in range(draw(st.integers(1, 3))):
        if not left:
            return [draw(WORDS)]
        at = draw(st.integers(0, len(left) - 1))
        match draw(st.sampled_from(["lost", "ended", "cut", "repeated", "swapped", "put in", "word"])):
            case "lost":
                del left[at]
            case "ended":
                left[at:] = [left[at][: draw(st.integers(0, len(left[at])))]]
            case "cut":
                left[at] = left[at][: draw(st.integers(0, len(left[at])))]
            case "repeated":
                left.insert(at, left[at])
            case "swapped":
                other = draw(st.integers(0, len(left) - 1))
                left[at], left[other] = left[other], left[at]
            case "put in":
                left.insert(at, draw(WORDS))
            case "word":
                # Words stand at even places, what is between them at odd ones.
                words = re.split(r"([^\w.]+)", left[at])
                words[2 * draw(st.integers(0, len(words) // 2))] = draw(WORDS)
                left[at] = "".join(words)
    return left


@st.composite
def tree(draw: st.DrawFn, whole: Any) -> Any:
    """A document in which one to three values are lost, renamed, or others', or of another kind."""
    left = deepcopy(whole)
    for _ in range(draw(st.integers(1, 3))):
        found = list(places(left))
        if not found or draw(st.integers(0, 30)) == 30:
            return draw(JSON)
        holder, key = found[draw(st.integers(0, len(found) - 1))]
        what = draw(st.sampled_from(["lost", "renamed", "another's", "other"]))
        if what == "lost":
            del holder[key]
        elif what == "renamed" and isinstance(holder, dict):
            holder[draw(WORDS)] = holder.pop(key)
        elif what == "another's":
            other, there = found[draw(st.integers(0, len(found) - 1))]
            holder[key] = deepcopy(other[there])
        else:
            holder[key] = draw(JSON)
    return left


def places(node: Any, but: Collection[str] = ()) -> Iterator[tuple[Any, Any]]:
    """Every holder in a document with each of its keys, but nothing inside of what has some names."""
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield node, key
            if key not in but:
                yield from places(value)
