"""Settings: group_data/all.py and what `--data` overrides."""

from __future__ import annotations

import runpy
import zoneinfo
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyinfra_cli.util import parse_cli_arg

from ciliumlab import settings as module
from ciliumlab.errors import DeclarationError
from ciliumlab.settings import Settings

ALL = Path(__file__).parents[2] / "group_data" / "all.py"


def problems(path: Path, *overrides: str) -> list[str]:
    with pytest.raises(DeclarationError) as caught:
        Settings.read(path, overrides)
    assert caught.value.exit_status == 2
    lines = str(caught.value).split("\n")
    assert len(lines) == len(caught.value.problems)
    return lines


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "all.py"


class TestDefaults:
    def test_values(self) -> None:
        assert Settings.read(ALL) == Settings(timezone="Asia/Seoul", datapath="native")

    def test_the_file_declares_every_setting_and_what_pyinfra_needs(self) -> None:
        data = runpy.run_path(str(ALL))
        assert data["_sudo"] is True
        public = [name for name in data if not name.startswith("_")]
        assert sorted(public) == sorted(field.name for field in fields(Settings))

    def test_fields_have_no_default_of_their_own(self) -> None:
        with pytest.raises(TypeError):
            Settings()  # type: ignore[call-arg]


class TestOverrides:
    def test_override_wins(self) -> None:
        assert Settings.read(ALL, ["datapath=vxlan"]).datapath == "vxlan"

    def test_last_one_wins(self) -> None:
        assert Settings.read(ALL, ["datapath=vxlan", "datapath=geneve"]).datapath == "geneve"

    def test_json_text(self) -> None:
        assert Settings.read(ALL, ['timezone="Etc/UTC"']).timezone == "Etc/UTC"

    def test_an_override_replaces_a_wrong_default(self, file: Path) -> None:
        file.write_text("timezone = 'Asia/Seoul'\ndatapath = 'ipip'\n")
        assert Settings.read(file, ["datapath=native"]).datapath == "native"

    @pytest.mark.parametrize(
        "text",
        [
            "vxlan",
            "",
            "true",
            "False",
            "12",
            " 12 ",
            "1_2",
            "1.5",
            "null",
            '"a"',
            '["a", 1]',
            "{",
            "a=b",
            "NaN",
        ],
    )
    def test_values_are_parsed_as_pyinfra_does(self, text: str) -> None:
        assert repr(module._parse(text)) == repr(parse_cli_arg(text))

    @settings(max_examples=100, deadline=None)
    @given(text=st.text(max_size=20))
    def test_whatever_it_is_it_is_parsed_as_pyinfra_does(self, text: str) -> None:
        assert repr(module._parse(text)) == repr(parse_cli_arg(text))

    @settings(max_examples=100, deadline=None)
    @given(override=st.text(max_size=20) | st.text(max_size=20).map("timezone={}".format))
    def test_whatever_it_is_there_are_settings_or_problems(self, override: str) -> None:
        try:
            Settings.read(ALL, [override])
        except DeclarationError as error:
            assert len(str(error).splitlines()) == len(error.problems)

    @pytest.mark.parametrize("depth", [100, 900, 950, 990, 100_000])
    def test_deep_json(self, depth: int) -> None:
        (line,) = problems(ALL, f"datapath={'[' * depth}{']' * depth}")
        assert line.startswith("--data datapath: must be native, vxlan or geneve, not ")


class TestProblems:
    @pytest.mark.parametrize(
        ("override", "line"),
        [
            ("datapth=vxlan", "--data datapth: is not a setting; did you mean datapath?"),
            ("colour=red", "--data colour: is not a setting; known: timezone, datapath"),
            ("=vxlan", "--data '': is not a setting; known: timezone, datapath"),
            ("datapath", "--data datapath: must be written as key=value"),
            ("datapath=VXLAN", "--data datapath: must be native, vxlan or geneve, not VXLAN"),
            ("datapath=", "--data datapath: must be native, vxlan or geneve, not ''"),
            ("datapath=true", "--data datapath: must be native, vxlan or geneve, not True"),
            ("datapath=1", "--data datapath: must be native, vxlan or geneve, not 1"),
            ("datapath=null", "--data datapath: must be native, vxlan or geneve, not None"),
            ('datapath=["vxlan"]', "--data datapath: must be native, vxlan or geneve, not ['vxlan']"),
            ("timezone=9", "--data timezone: must be a time zone such as Asia/Seoul, not 9"),
            ("timezone=KST", "--data timezone: must be a time zone such as Asia/Seoul, not KST"),
            ("timezone=../x", "--data timezone: must be a time zone such as Asia/Seoul, not ../x"),
            ("timezone=/etc/x", "--data timezone: must be a time zone such as Asia/Seoul, not /etc/x"),
            (
                "timezone=Asia/Soul",
                "--data timezone: Asia/Soul is not a time zone; did you mean Asia/Seoul?",
            ),
            (
                "timezone=Qqqq/Zzzz",
                "--data timezone: Qqqq/Zzzz is not a time zone; `timedatectl list-timezones` lists them",
            ),
        ],
    )
    def test_override(self, override: str, line: str) -> None:
        assert problems(ALL, override) == [line]

    def test_all_at_once(self, file: Path) -> None:
        file.write_text("datapaht = 'native'\ntimezone = None\n")
        assert problems(file, "sudo", "colour=red") == [
            "--data sudo: must be written as key=value",
            f"{file}: datapaht: is not a setting; did you mean datapath?",
            "--data colour: is not a setting; known: timezone, datapath",
            f"{file}: timezone: must be a time zone such as Asia/Seoul, not None",
            f"{file}: datapath: is missing; give it a value in group_data/all.py",
        ]

    @pytest.mark.parametrize(
        ("source", "what"),
        [
            ("datapath = ", "does not run: SyntaxError: invalid syntax (all.py, line 1)"),
            ("datapath = native", "does not run: NameError: name 'native' is not defined"),
            ("raise ValueError('one\\ntwo')", "does not run: ValueError: one"),
        ],
    )
    def test_file_that_does_not_run(self, file: Path, source: str, what: str) -> None:
        file.write_text(source)
        assert problems(file) == [f"{file}: {what}"]

    def test_file_that_is_not_there(self, file: Path) -> None:
        assert problems(file) == [f"{file}: cannot be read: No such file or directory"]

    def test_imports_and_private_names_are_no_settings(self, file: Path) -> None:
        file.write_text("import os\n_area = 'Asia'\ntimezone = f'{_area}/Seoul'\ndatapath = 'vxlan'\n")
        assert Settings.read(file) == Settings(timezone="Asia/Seoul", datapath="vxlan")


class TestTimeZones:
    @pytest.mark.parametrize("zone", ["Asia/Seoul", "UTC", "Etc/GMT+9", "America/Argentina/Buenos_Aires"])
    def test_known(self, zone: str) -> None:
        assert Settings.read(ALL, [f"timezone={zone}"]).timezone == zone

    def test_without_time_zone_data_the_shape_is_enough(self, monkeypatch: pytest.MonkeyPatch) -> None:
        def unknown(key: str) -> None:
            raise zoneinfo.ZoneInfoNotFoundError(key)

        monkeypatch.setattr(module, "ZoneInfo", unknown)
        monkeypatch.setattr(module, "available_timezones", set)
        assert Settings.read(ALL, ["timezone=Mars/Olympus_Mons"]).timezone == "Mars/Olympus_Mons"
        assert len(problems(ALL, "timezone=Mars")) == 1


class TestFromMapping:
    def test_other_names_are_left_alone(self) -> None:
        data = {"timezone": "UTC", "datapath": "geneve", "ssh_port": 60000, "groups": []}
        assert Settings.from_mapping(data, "host data") == Settings(timezone="UTC", datapath="geneve")

    def test_problems_name_the_mapping(self) -> None:
        with pytest.raises(DeclarationError) as caught:
            Settings.from_mapping({"datapath": "ipip"}, "host data")
        assert str(caught.value).split("\n") == [
            "host data: timezone: is missing; give it a value in group_data/all.py",
            "host data: datapath: must be native, vxlan or geneve, not ipip",
        ]
