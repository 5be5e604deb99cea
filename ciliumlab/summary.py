"""The last word of a run, for people: hosts and stages, what to do next, what to open."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from ciliumlab.outcome import Outcome, Part
from ciliumlab.plan.pages import Page
from ciliumlab.wording import listed

# Where no terminal says how wide it is.
_WIDTH = 160

# How a stage can have ended on a host, the worst first, with pyinfra's own colours.
_STYLES = {
    "failed": "red",
    "not done": "yellow",
    "left out": "yellow",
    "changed": "green",
    "unchanged": "cyan",
}

# A port on the controller for each page; those of the lab below 1024 are root's.
_TUNNELS = 8080


def tell(outcome: Outcome, pages: Sequence[Page], router: str, first: str) -> None:
    """Print it to stderr, as all of pyinfra's words; in colours on a terminal alone.

    ``router`` and ``first``: names of the router, and of the first control-plane node.
    """
    console = Console(stderr=True, highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    for line in lines(outcome, pages, router, first, console.width):
        if isinstance(line, Text):
            console.print(line, soft_wrap=True)
        else:
            console.print(line)


def lines(
    outcome: Outcome, pages: Sequence[Page], router: str, first: str, width: int
) -> Iterator[Text | Padding]:
    """The summary, for a terminal of ``width`` columns."""
    if outcome.stages:
        yield Text(f"--> Summary: {_totals(outcome)}")
        table = _by_host(outcome)
        fits = Console(width=10_000).measure(table).maximum + 4 <= width
        yield Padding(table if fits else _counted(outcome), (0, 0, 0, 4), expand=False)
    if steps := [*_next(outcome, first)]:
        yield Text("--> Next:")
        yield from (Text(f"    {step}") for step in steps)
    there = [page for page in pages if _stands(outcome, page.stage)]
    if there:
        yield Text("--> To open in a browser:")
        yield from (Text(f"    {line}") for line in _opened(there, router, first))


def word(part: Part) -> str:
    """How a stage ended on a host."""
    if part.failed:
        return "failed"
    if part.waiting:
        return "not done"
    if part.changed:
        return "changed"
    return "left out" if part.left_out and not part.unchanged else "unchanged"


def _totals(outcome: Outcome) -> str:
    parts = [part for stage in outcome.stages.values() for part in stage.values()]
    changed, unchanged = sum(part.changed for part in parts), sum(part.unchanged for part in parts)
    counts = [f"{changed} operations changed something", f"{unchanged} changed nothing"]
    if failed := sum(bool(part.failed) for part in parts):
        counts.append(f"{failed} failed")
    if waiting := sum(part.waiting for part in parts):
        counts.append(f"{waiting} were not come to")
    if left_out := sum(part.left_out for part in parts):
        counts.append(f"{left_out} were left out")
    hosts = f"{len(outcome.hosts)} host{'s' if len(outcome.hosts) != 1 else ''}"
    return f"{hosts} in {duration(outcome.total)}; {listed(counts)}"


def duration(seconds: float) -> str:
    """A time as people say it: ``0.4 s``, ``12 s``, ``3 min 5 s``."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes else f"{rest} s"


def _by_host(outcome: Outcome) -> Table:
    hosts = [name for name in outcome.hosts if any(name in stage for stage in outcome.stages.values())]
    table = _table("stage", *hosts)
    for stage, parts in outcome.stages.items():
        cells = [_cell(parts[name]) if name in parts else Text("-", style="dim") for name in hosts]
        table.add_row(_short(stage), *cells, duration(outcome.seconds[stage]))
    return table


def _cell(part: Part) -> Text:
    said = word(part)
    return Text(f"{part.changed} changed" if said == "changed" else said, style=_STYLES[said])


def _counted(outcome: Outcome) -> Table:
    """For more hosts than a line holds: how many of them each stage ended on in which way."""
    words = [*reversed(_STYLES)]
    table = _table("stage", *words)
    for stage, parts in outcome.stages.items():
        ended = [word(part) for part in parts.values()]
        cells = [
            Text(str(ended.count(said) or "-"), style=_STYLES[said] if said in ended else "dim")
            for said in words
        ]
        table.add_row(_short(stage), *cells, duration(outcome.seconds[stage]))
    return table


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style="bold")
    for column in columns:
        table.add_column(column, no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    return table


def _short(stage: str) -> str:
    return stage.rpartition("/")[2].removesuffix(".py")


def _next(outcome: Outcome, first: str) -> Iterator[str]:
    if outcome.unreachable:
        yield f"{listed(outcome.unreachable)} could not be connected to: `ciliumlab doctor` says why"
    for stage, parts in outcome.stages.items():
        by_operation: dict[str, list[str]] = {}
        for name, part in parts.items():
            if part.failed:
                by_operation.setdefault(part.failed, []).append(name)
        for operation, names in by_operation.items():
            yield f"{listed(names)} failed in {stage}, at “{operation}”: the reason is above, under that name"
    if outcome.failed or (outcome.stages and outcome.unreachable):
        yield "when that is mended, the same command goes on from there"
    elif len(outcome.stages) > 1 and not any(
        part.waiting for stage in outcome.stages for part in outcome.parts(stage)
    ):
        yield "pytest tests/states: is every machine what it must be? (with the same --data)"
        yield f"ciliumlab ssh {first}: log in and look around; docs/walk.md is a guide"


def _stands(outcome: Outcome, stage: str) -> bool:
    """Whether the stage was part of the run and is done, on every host that it is for."""
    ended = {word(part) for part in outcome.parts(stage)}
    return bool(ended) and ended <= {"changed", "unchanged"}


def _opened(pages: Sequence[Page], router: str, first: str) -> Iterator[str]:
    """What they are behind, as the lab's addresses are known in the lab alone."""
    known = [page for page in pages if page.address]
    tunnels = {
        page: page.port if page.port > 1024 else _TUNNELS + number for number, page in enumerate(known)
    }
    for page, port in tunnels.items():
        yield f"http://127.0.0.1:{port}  {page.what}, {page.address}:{page.port} in the lab"
    if tunnels:
        ways = " ".join(f"-L {port}:{page.address}:{page.port}" for page, port in tunnels.items())
        yield f"while this runs: ciliumlab ssh {router} -N {ways}"
    for page in pages:
        if not page.address:
            yield f"{page.what}'s address: ciliumlab ssh {first} sudo kubectl get service {page.what}"
