"""Several facts by one command, run by a real shell; whatever comes back, none is taken for another."""

from __future__ import annotations

import subprocess
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from pyinfra.api.facts import FactBase

from ciliumlab.facts.apt_repository import Repository
from ciliumlab.facts.files import Files, Texts
from ciliumlab.facts.netplan import Network
from ciliumlab.facts.systemd import Configuration, Units
from ciliumlab.facts.together import Asked, Together
from ciliumlab.operations.systemd import behind


class Failing(FactBase[str]):
    command = "echo something; exit 3"


class Unended(FactBase[str]):
    command = "printf 'no newline'"


class Silent(FactBase[str]):
    command = "true"


def printed(fact: Together, *asked: Asked) -> list[str]:
    result = subprocess.run(["sh", "-c", fact.command(asked)], capture_output=True, text=True, check=True)
    return result.stdout.splitlines()


def test_each_has_its_own_answer(tmp_path: Path) -> None:
    path = tmp_path / "one"
    path.write_text("text")
    texts, files = Asked(Texts, {"paths": [str(path)]}), Asked(Files, {"paths": [str(path)]})
    fact = Together()
    unended = Asked(Unended, {})
    lines = printed(fact, texts, Asked(Failing, {}), unended, Asked(Silent, {}), files)
    of_texts, of_failing, of_unended, of_silent, of_files = fact.process(lines)
    assert of_texts[str(path)]["text"] == "text"
    assert of_files[str(path)]["mode"] == f"{path.stat().st_mode & 0o7777:o}"
    assert of_unended == "no newline"
    # pyinfra reads them alone, and says what there is to be said.
    assert of_failing is None
    assert of_silent is None


def test_what_is_asked_for_twice_is_read_once(tmp_path: Path) -> None:
    fact, unended = Together(), Asked(Unended, {})
    lines = printed(fact, unended, Asked(Texts, {"paths": [str(tmp_path)]}), Asked(Unended, {}))
    assert lines.count("==ciliumlab== begins") == 2
    assert fact.process(lines) == ["no newline", {}, "no newline"]


def test_one_question_for_all_that_ask_for_files(tmp_path: Path) -> None:
    one, two, three = (str(tmp_path / name) for name in ("one", "two", "three"))
    Path(one).write_text("1")
    Path(two).write_text("2")
    fact = Together()
    lines = printed(
        fact,
        Asked(Files, {"paths": [one, three]}),
        Asked(Unended, {}),
        Asked(Files, {"paths": [two, one]}),
        Asked(Files, {"paths": [three]}),
    )
    assert lines.count("==ciliumlab== begins") == 2
    first, _, second, third = fact.process(lines)
    assert set(first) == {one}
    assert set(second) == {one, two}
    assert second[one] == first[one]
    assert third == {}


def test_one_question_for_all_that_ask_for_units() -> None:
    networkd, containerd = Asked(Units, {"units": ["a.service"]}), Asked(Units, {"units": ["b.service"]})
    disabled = Asked(Units, {"units": ["c.service", "a.service"]})
    fact = Together()
    command = fact.command([networkd, containerd, disabled])
    assert command.count("systemctl show") == 1
    assert "-- a.service b.service c.service" in command
    block = "LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nExecMainStartTimestamp=@100\n"
    answer = [
        *("==ciliumlab== units", *"\n".join([block] * 3).splitlines()),
        *("==ciliumlab== names", "a.service", "b.service", "c.service", "==ciliumlab== restarts"),
    ]
    found = fact.process(["==ciliumlab== begins", *answer, "==ciliumlab== ends with 0"])
    assert [list(one["units"]) for one in found] == [
        ["a.service"],
        ["b.service"],
        ["c.service", "a.service"],
    ]
    # Each is behind the files of its own question alone.
    changed = (99, 101, 0)
    assert [behind(one, time) for one, time in zip(found, changed, strict=True)] == [[], ["b.service"], []]


def test_one_question_for_all_that_ask_for_configuration() -> None:
    networkd = Asked(Configuration, {"kinds": ["systemd/networkd.conf"]})
    sysctl = Asked(Configuration, {"kinds": ["sysctl.d"]})
    fact = Together()
    assert "cat-config -- systemd/networkd.conf sysctl.d" in fact.command([networkd, sysctl])
    answer = [
        *("==ciliumlab== configuration", "# /etc/systemd/networkd.conf", "[Network]"),
        *("# /run/systemd/networkd.conf.d/a.conf", "[DHCPv4]", "# /usr/lib/sysctl.d/a.conf", "a = 1"),
    ]
    assert fact.process(["==ciliumlab== begins", *answer, "==ciliumlab== ends with 0"]) == [
        {"/etc/systemd/networkd.conf": ["[Network]"], "/run/systemd/networkd.conf.d/a.conf": ["[DHCPv4]"]},
        {"/usr/lib/sysctl.d/a.conf": ["a = 1"]},
    ]


def test_an_answer_that_was_cut_off_is_none(tmp_path: Path) -> None:
    fact = Together()
    lines = printed(fact, Asked(Unended, {}), Asked(Texts, {"paths": [str(tmp_path)]}))
    assert fact.process(lines) == ["no newline", {}]
    assert fact.process(lines[:-1]) == [None, None]


@given(st.lists(st.sampled_from(["==ciliumlab== begins", "==ciliumlab== ends with 0", "x", ""])))
def test_whatever_comes_back(lines: list[str]) -> None:
    fact = Together()
    fact.command([Asked(Unended, {}), Asked(Failing, {})])
    assert len(fact.process(lines)) == 2


def test_a_combined_fact_is_asked_for_with_those_of_its_parts_kinds(tmp_path: Path) -> None:
    netplan, other = Asked(Network, {}), Asked(Texts, {"paths": ["/etc/fstab"]})
    source = Asked(Repository, {"file": "docker"})
    fact = Together()
    command = fact.command([other, netplan, source])
    assert command.count("base64") == 1
    texts = (
        "60|a:a|regular file|1|2|/etc/netplan/a.yaml\n60|a:a|regular file|1|1|/etc/apt/keyrings/docker.asc"
    )
    parts = [
        ["==ciliumlab== files", *texts.splitlines(), "e30K"],
        ["==ciliumlab== links", "[]", "==ciliumlab== routes"],
        ["==ciliumlab== system", "debian", "trixie", "==ciliumlab== architecture", "amd64"],
    ]

    def answer(parts: list[list[str]]) -> list[str]:
        return [
            line for part in parts for line in ("==ciliumlab== begins", *part, "==ciliumlab== ends with 0")
        ]

    of_other, of_netplan, of_source = fact.process(answer(parts))
    assert of_other == {}
    assert list(of_netplan["files"]) == ["/etc/netplan/a.yaml"]
    assert of_netplan["routes"] == []
    assert of_source["key"]["text"] == "\n"
    assert of_source["source"] is None
    # One part that cannot be read, and all that is made of it cannot be.
    parts[1] = ["==ciliumlab== links", "", "==ciliumlab== routes"]
    of_other, of_netplan, of_source = fact.process(answer(parts))
    assert (of_other, of_netplan) == ({}, None)
    assert of_source["codename"] == "trixie"


def test_texts_by_a_pattern(tmp_path: Path) -> None:
    for name in ("b.yaml", "a[1].yaml", "c.yml", "it's"):
        (tmp_path / name).write_text(name)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/d.yaml").write_text("d")
    fact = Together()
    pattern, one, folder = f"{tmp_path}/*.yaml", f"{tmp_path}/it's", f"{tmp_path}/folder/*"
    found = fact.process(printed(fact, *(Asked(Texts, {"paths": [path]}) for path in (pattern, one, folder))))
    assert [{Path(path).name: file["text"] for path, file in texts.items()} for texts in found] == [
        {"a[1].yaml": "a[1].yaml", "b.yaml": "b.yaml"},
        {"it's": "it's"},
        {"d.yaml": "d"},
    ]
