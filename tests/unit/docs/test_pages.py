"""The pages say what is so: links, messages, the stages' reference, and the stage that one adds."""

from __future__ import annotations

import ast
import os
import re
import runpy
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.documents import PAGES, ROOT, blocks, seen

TROUBLE = ROOT / "docs" / "troubleshooting.md"
ADD = ROOT / "docs" / "add-a-stage.md"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
    links = [link.partition("#")[0] for link in re.findall(r"\]\(([^)]+)\)", text)]
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert missing == []


def test_the_stages_reference_is_current() -> None:
    page = runpy.run_path(str(ROOT / "docs" / "stages.py"))["page"]()
    assert (ROOT / "docs" / "stages.md").read_text() == page, "run make docs"


# Messages -----------------------------------------------------------------------------------------


def messages() -> Iterator[str]:
    """All texts in the library, with "…" for what differs."""
    for path in sorted((ROOT / "ciliumlab").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                yield "".join(str(one.value) if isinstance(one, ast.Constant) else "…" for one in node.values)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield node.value


def test_lines_of_troubles_are_lines_of_the_code() -> None:
    known = "\n".join(messages())
    quoted = [block.text for block in blocks(TROUBLE) if block.language == "text"]
    lines = [line for text in quoted for line in text.splitlines()]
    assert len(lines) > 10
    assert [line for line in lines if line not in known] == []


# A stage that is added ----------------------------------------------------------------------------


def test_the_stage_that_is_added_runs(tmp_path: Path) -> None:
    """In a copy of the project, with exactly what the page says."""
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in listed.splitlines():
        if name.startswith(
            ("ciliumlab/", "files/", "group_data/", "inventory/", "tasks/", "deploy.py", _FRESH)
        ):
            (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / name).write_bytes((ROOT / name).read_bytes())
    text = ADD.read_text()
    task, field = (block.text for block in blocks(ADD) if block.language == "python")
    (setting,) = re.findall(r"`(motd = .*?)`", text)
    (tmp_path / "tasks" / "motd.py").write_text(task)
    _append(tmp_path / "group_data" / "all.py", f"{setting}\n")
    settings = tmp_path / "ciliumlab" / "settings.py"
    before = "    node: str = field("
    settings.write_text(settings.read_text().replace(before, f"    {field.strip()}\n{before}"))
    _append(tmp_path / "deploy.py", 'local.include("tasks/motd.py")\n')

    done = subprocess.run(
        [sys.executable, "-m", "pyinfra", "-y", "--data", "motd=hello", _FRESH, "tasks/motd.py"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    assert "--> Starting operation: A login says which lab this is" in done.stderr
    assert re.search(r"motd +1 changed +1 changed +1 changed +1 changed", done.stderr), done.stderr


_FRESH = "tests/unit/operations/fresh.py"
_NEEDED = ("ciliumlab/", "files/", "group_data/", "inventory/", "tasks/", "deploy.py", _FRESH)


def _append(path: Path, text: str) -> None:
    path.write_text(path.read_text() + text)


# What is to be seen -------------------------------------------------------------------------------


def test_what_is_to_be_seen_is_looked_for_in_its_order() -> None:
    printed = "a 1\nip  via 10.0.0.1 dev eth1\nb 2\n"
    assert seen("a …\nip via … dev eth1\nb 2", printed) == []
    assert seen("b 2\na 1", printed) == ["a 1"]
    assert seen("a …\nc", printed) == ["c"]
