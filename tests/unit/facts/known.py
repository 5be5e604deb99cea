"""Every fact class in ciliumlab.facts, by the name that its cases have: ``kubectl.Objects``.

Not those that others are made of, `State`, `Joined` and `Combined`, nor `Together`, which has tests of its
own.
"""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from pyinfra.api.facts import FactBase

import ciliumlab.facts
from ciliumlab.facts.shell import Joined, State
from ciliumlab.facts.together import Combined, Together

_MODULES = [
    importlib.import_module(found.name)
    for found in pkgutil.walk_packages(ciliumlab.facts.__path__, f"{ciliumlab.facts.__name__}.")
]

FACTS: dict[str, type[FactBase[Any]]] = {
    f"{module.__name__.removeprefix('ciliumlab.facts.')}.{name}": found
    for module in _MODULES
    for name, found in vars(module).items()
    if isinstance(found, type) and issubclass(found, FactBase) and found.__module__ == module.__name__
    if found not in (State, Joined, Combined, Together)
}
