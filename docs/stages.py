"""Writes docs/stages.md out of the tasks and operations themselves: ``python docs/stages.py``."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]

_HEAD = """\
# The stages

What each file in `tasks/` does, in its own words: its operations in their order, as a run shows them, and
the [settings](../group_data/all.py) that it names itself; what others make of it is in `ciliumlab plan`.
Written by `make docs`, and a test sees to it that it is current.

`pyinfra inventory/lab.py deploy.py` runs the stages in this order; each also runs alone. The other tasks
run only when they are called.
"""


def page() -> str:
    """The whole page."""
    stages = re.findall(r'"tasks/(\w+)[.]py"', (ROOT / "deploy.py").read_text())
    others = sorted({path.stem for path in (ROOT / "tasks").glob("*.py")} - {*stages})
    trees = {name: ast.parse((ROOT / "tasks" / f"{name}.py").read_text()) for name in [*stages, *others]}
    used = sorted({operation for tree in trees.values() for _, operation in _operations(tree)})
    parts = [
        *[_HEAD, "## Stages of a deploy\n", *(_section(name, trees[name]) for name in stages)],
        *["## Tasks by themselves\n", *(_section(name, trees[name]) for name in others)],
        *["## Operations\n", *(f"- `{operation}`: {_sentence(operation)}" for operation in used)],
    ]
    return "\n".join(parts) + "\n"


def _section(name: str, tree: ast.Module) -> str:
    lines = [f"### [{name}](../tasks/{name}.py)", "", _plain(ast.get_docstring(tree) or ""), ""]
    lines += [f"- {sentence} (`{operation}`)" for sentence, operation in _operations(tree)]
    if settings := _settings(tree):
        lines += ["", f"Settings: {', '.join(f'`{setting}`' for setting in settings)}"]
    return "\n".join(lines) + "\n"


def _plain(docstring: str) -> str:
    """As Markdown: a command in it is a block of its own."""
    return re.sub(r"^ *(pyinfra .+)$", r"```sh\n\1\n```", docstring, flags=re.MULTILINE)


def _operations(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Each call of an operation: its name on the terminal, and "module.function"."""
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda call: (call.lineno, call.col_offset)):
        names = [key.value for key in call.keywords if key.arg == "name"]
        # An operation's name is the same on every host; what has another one is a template's data.
        if names and isinstance(names[0], ast.Constant):
            yield names[0].value, ast.unparse(call.func)


def _sentence(operation: str) -> str:
    """The first sentence of its docstring."""
    module, _, function = operation.partition(".")
    tree = ast.parse((ROOT / "ciliumlab" / "operations" / f"{module}.py").read_text())
    (found,) = [node for node in tree.body if isinstance(node, ast.FunctionDef) and node.name == function]
    text = " ".join((ast.get_docstring(found) or "").split("\n\n")[0].split()).replace("``", "`")
    return text[:1].lower() + text[1:].rstrip(".")


def _settings(tree: ast.Module) -> list[str]:
    """Those of group_data/all.py that are read as ``host.data.NAME``."""
    declared = ast.parse((ROOT / "group_data" / "all.py").read_text())
    known = {ast.unparse(node.targets[0]) for node in declared.body if isinstance(node, ast.Assign)}
    read = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "host.data"
    }
    return sorted(known & read)


if __name__ == "__main__":
    (ROOT / "docs" / "stages.md").write_text(page())
