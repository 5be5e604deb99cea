"""Data as it is shown to a person: YAML, without what is secret."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import yaml

# Keys whose text is nobody's business, as charts and Secrets name them.
_SECRET = re.compile(
    r"passw|secret|token|credential|^key$|(private|api|access|tls|ca)[._-]?key$", re.IGNORECASE
)


def yaml_without_secrets(before: Any, after: Any) -> tuple[str, str]:
    """Both as YAML in one order of keys, to be compared; of a secret that differs only that is told."""
    return _yaml(_masked(before, after, "")), _yaml(_masked(after, before, "another "))


def _yaml(value: Any) -> str:
    return yaml.safe_dump(value, allow_unicode=True) if value else ""


def _masked(value: Any, other: Any, prefix: str) -> Any:
    if isinstance(value, Mapping):
        there = other if isinstance(other, Mapping) else {}
        secret = value.get("kind") == "Secret"
        return {
            key: _hidden(item, there.get(key), prefix)
            if _SECRET.search(str(key)) or (secret and key in ("data", "stringData"))
            else _masked(item, there.get(key), prefix)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        others = list(other) if isinstance(other, list | tuple) else []
        return [
            _masked(item, others[index] if index < len(others) else None, prefix)
            for index, item in enumerate(value)
        ]
    return value


def _hidden(value: Any, other: Any, prefix: str) -> Any:
    """Texts below ``value``, each with a word in its place; what is no text is no secret."""
    if isinstance(value, Mapping):
        there = other if isinstance(other, Mapping) else {}
        return {key: _hidden(item, there.get(key), prefix) for key, item in value.items()}
    if isinstance(value, str):
        return f"({'' if value == other else prefix}secret)"
    return _masked(value, other, prefix)
