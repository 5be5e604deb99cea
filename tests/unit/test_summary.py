"""The summary of a run: what is said of an outcome, and what is kept for oneself."""

from __future__ import annotations

from io import StringIO
from pathlib import Path

import pytest
from rich.console import Console

from ciliumlab.outcome import Outcome, Part
from ciliumlab.plan.pages import Page, pages
from ciliumlab.settings import Settings
from ciliumlab.summary import duration, lines, word
from ciliumlab.topology import load

ROOT = Path(__file__).parents[2]
ROUTER = Page("the router's page", "tasks/router.py", "192.168.10.200", 80)
HUBBLE = Page("Hubble", "tasks/cilium.py", "192.168.10.100", 30003)
WEBPOD = Page("webpod", "tasks/workloads.py", "", 80)


def outcome(
    stages: dict[str, dict[str, Part]], unreachable: tuple[str, ...] = (), hosts: tuple[str, ...] = ("a", "b")
) -> Outcome:
    return Outcome(hosts, unreachable, stages, dict.fromkeys(stages, 1.0), 185.0)


def said(of: Outcome, *offered: Page, width: int = 100) -> list[str]:
    console = Console(file=StringIO(), width=width)
    for line in lines(of, offered, "router", "k8s-ctr", width):
        console.print(line, soft_wrap=True)
    file = console.file
    assert isinstance(file, StringIO)
    return [line.rstrip() for line in file.getvalue().splitlines()]


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        (Part(changed=1, unchanged=3), "changed"),
        (Part(unchanged=3), "unchanged"),
        (Part(changed=1, failed="x"), "failed"),
        (Part(changed=1, waiting=1), "not done"),
        (Part(left_out=2), "left out"),
        (Part(left_out=2, unchanged=1), "unchanged"),
    ],
)
def test_the_worst_of_a_stage_is_its_word(part: Part, expected: str) -> None:
    assert word(part) == expected


def test_hosts_and_stages_make_a_table() -> None:
    done = outcome(
        {
            "tasks/base.py": {"a": Part(changed=2, unchanged=1), "b": Part(unchanged=3)},
            "tasks/router.py": {"b": Part(changed=1)},
        }
    )
    assert said(done)[:4] == [
        "--> Summary: 2 hosts in 3 min 5 s; 3 operations changed something and 4 changed nothing",
        "    stage    a           b            time",
        "    base     2 changed   unchanged   1.0 s",
        "    router   -           1 changed   1.0 s",
    ]


def test_more_hosts_than_fit_are_counted() -> None:
    hosts = tuple(f"worker-{number}" for number in range(40))
    parts = {name: Part(unchanged=1) for name in hosts} | {"worker-7": Part(failed="x")}
    table = said(outcome({"tasks/base.py": parts}, hosts=hosts))
    assert table[1].split() == [
        "stage",
        "unchanged",
        "changed",
        "left",
        "out",
        "not",
        "done",
        "failed",
        "time",
    ]
    assert table[2].split() == ["base", "39", "-", "-", "-", "1", "1.0", "s"]
    assert "    worker-7 failed in tasks/base.py, at “x”: the reason is above, under that name" in table


def test_failures_come_in_the_order_of_the_run_and_promise_nothing() -> None:
    broken = outcome(
        {
            "tasks/base.py": {"a": Part(failed="first"), "b": Part(changed=1)},
            "tasks/router.py": {"b": Part(failed="second")},
        }
    )
    text = said(broken, ROUTER)
    assert text[text.index("--> Next:") + 1 :] == [
        "    a failed in tasks/base.py, at “first”: the reason is above, under that name",
        "    b failed in tasks/router.py, at “second”: the reason is above, under that name",
        "    when that is mended, the same command goes on from there",
    ]


def test_a_run_that_was_cut_offers_nothing_to_open_of_what_is_not_done() -> None:
    cut = outcome({"tasks/base.py": {"a": Part(changed=1)}, "tasks/router.py": {"a": Part(waiting=1)}})
    text = said(cut, ROUTER)
    assert not any("browser" in line or "pytest" in line for line in text)


def test_without_stages_only_what_could_not_be_reached_is_said() -> None:
    assert said(outcome({}), ROUTER) == []
    assert said(outcome({}, unreachable=("a",)), ROUTER) == [
        "--> Next:",
        "    a could not be connected to: `ciliumlab doctor` says why",
    ]


def test_pages_are_offered_by_one_tunnel() -> None:
    stages = ("tasks/router.py", "tasks/cilium.py", "tasks/workloads.py")
    done = outcome({stage: {"a": Part(changed=1)} for stage in stages})
    text = said(done, ROUTER, HUBBLE, WEBPOD)
    assert text[text.index("--> To open in a browser:") + 1 :] == [
        "    http://127.0.0.1:8080  the router's page, 192.168.10.200:80 in the lab",
        "    http://127.0.0.1:30003  Hubble, 192.168.10.100:30003 in the lab",
        "    while this runs: ciliumlab ssh router -N -L 8080:192.168.10.200:80"
        " -L 30003:192.168.10.100:30003",
        "    webpod's address: ciliumlab ssh k8s-ctr sudo kubectl get service webpod",
    ]


def test_what_was_left_out_is_not_to_be_opened() -> None:
    left_out = outcome({"tasks/cilium.py": {"a": Part(left_out=3)}})
    assert not any("browser" in line for line in said(left_out, HUBBLE))


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (["hubble_ui=false"], [("the router's page", "192.168.10.200", 80)]),
        (["workloads=true", "hubble_ui=false"], [("the router's page", "192.168.10.200", 80)]),
        (
            ["workloads=true", "l2_announcements=true", "hubble_ui=false"],
            [
                ("the router's page", "192.168.10.200", 80),
                ("webpod", "", 80),
                ("netshoot-web", "192.168.10.215", 80),
                ("netshoot-web2", "192.168.10.215", 8080),
            ],
        ),
        ([], [("the router's page", "192.168.10.200", 80), ("Hubble", "192.168.10.100", 30003)]),
    ],
)
def test_pages_follow_from_the_declaration(data: list[str], expected: list[tuple[str, str, int]]) -> None:
    topology = load(ROOT / "inventory" / "lab.yaml")
    settings = Settings.read(ROOT / "group_data" / "all.py", data)
    assert [(page.what, page.address, page.port) for page in pages(topology, settings)] == expected


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [(0.04, "0.0 s"), (9.94, "9.9 s"), (9.95, "10 s"), (59.6, "1 min 0 s"), (185, "3 min 5 s")],
)
def test_times_are_said_as_people_do(seconds: float, expected: str) -> None:
    assert duration(seconds) == expected
