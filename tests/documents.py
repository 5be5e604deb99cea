"""The project's pages as tests read them: fenced blocks, and what is to be seen after each."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent

ROOT = Path(__file__).parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]

_FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
_HEADING = re.compile(r"^## (.+)$", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """A fenced block with its language, the heading that it stands under, and its line in the page."""

    page: Path
    line: int
    heading: str
    language: str
    text: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def blocks(page: Path) -> list[Block]:
    text = page.read_text()
    found = []
    for fence in _FENCE.finditer(text):
        headings = _HEADING.findall(text[: fence.start()])
        line = text.count("\n", 0, fence.start()) + 2
        found.append(Block(page, line, headings[-1] if headings else "", fence[2], dedent(fence[3])))
    return found


def seen(wanted: str, printed: str) -> list[str]:
    """The lines of ``wanted`` that are not printed, in this order; "…" and blanks stand for any text."""
    lines = iter(printed.splitlines())
    return [line for line in wanted.splitlines() if not any(_pattern(line).search(each) for each in lines)]


def _pattern(line: str) -> re.Pattern[str]:
    words = [".*".join(map(re.escape, word.split("…"))) for word in line.split()]
    return re.compile(r"\s+".join(words))
