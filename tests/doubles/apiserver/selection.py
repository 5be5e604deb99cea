"""Label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from apiserver.errors import bad_request

Matches = Callable[[dict[str, Any]], bool]
# Commas within parentheses belong to a set.
_COMMA = re.compile(r",(?![^()]*\))")
_SET = re.compile(r"^\s*([^\s()!=,]+)\s+(in|notin)\s*\(([^)]*)\)\s*$")
_ABSENT_IS_FALSE = frozenset(["spec.unschedulable", "spec.hostNetwork"])


def labels(text: str) -> Matches:
    """``a=b,c!=d,e in (f,g),h notin (i),j,!k`` over metadata.labels; 400 for what cannot be read."""
    tests = [_label_test(part) for part in _COMMA.split(text) if part.strip()]
    return lambda obj: all(test(obj["metadata"].get("labels") or {}) for test in tests)


def _label_test(part: str) -> Callable[[dict[str, str]], bool]:
    if found := _SET.match(part):
        key, operator, listed = found.groups()
        values = {value.strip() for value in listed.split(",")}
        if operator == "in":
            return lambda labels: labels.get(key) in values
        return lambda labels: labels.get(key) not in values
    if "=" in part:
        key, wanted, differs = _compared(part)
        return lambda labels: (labels.get(key) == wanted) != differs
    key = part.strip()
    if not re.fullmatch(r"!?\s*[A-Za-z0-9][-A-Za-z0-9_./]*", key):
        raise bad_request(f"unable to parse requirement: found '{key}'")
    if key.startswith("!"):
        return lambda labels: key[1:].strip() not in labels
    return lambda labels: key in labels


def _compared(part: str) -> tuple[str, str, bool]:
    key, _, value = part.partition("=")
    return key.rstrip("! ").strip(), value.lstrip("= ").strip(), key.rstrip().endswith("!")


def fields(text: str) -> Matches:
    """``metadata.name=a,spec.nodeName!=b``: paths of scalars, an absent one is empty."""
    tests = []
    for part in filter(None, text.split(",")):
        if "=" not in part:
            raise bad_request(f"invalid selector: '{part}'; can't understand '{part}'")
        tests.append(_compared(part))
    return lambda obj: all((_scalar(obj, path) == wanted) != differs for path, wanted, differs in tests)


def _scalar(obj: Any, path: str) -> str:
    for name in path.split("."):
        obj = obj.get(name) if isinstance(obj, dict) else None
    if obj is None:
        return "false" if path in _ABSENT_IS_FALSE else ""
    return str(obj).lower() if isinstance(obj, bool) else str(obj)


def of_labels(selector: dict[str, Any]) -> Matches:
    """A LabelSelector object: matchLabels and matchExpressions."""
    parts = [f"{key}={value}" for key, value in (selector.get("matchLabels") or {}).items()]
    for each in selector.get("matchExpressions") or []:
        values = ",".join(each.get("values") or [])
        parts.append(
            {
                "In": f"{each['key']} in ({values})",
                "NotIn": f"{each['key']} notin ({values})",
                "Exists": each["key"],
                "DoesNotExist": f"!{each['key']}",
            }[each["operator"]]
        )
    return labels(",".join(parts))
