"""Settings: group_data/all.py and what `--data` overrides."""

from __future__ import annotations

import json
import runpy
import zoneinfo
from dataclasses import fields, replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciliumlab import settings as module
from ciliumlab.errors import DeclarationError
from ciliumlab.settings import Settings
from ciliumlab.wording import instead

with pytest.MonkeyPatch.context() as patched:
    # Importing it patches this process for gevent, and threads that other tests need would be greenlets.
    patched.setattr("gevent.monkey.patch_all", lambda: True)
    from pyinfra_cli.util import parse_cli_arg

ALL = Path(__file__).parents[2] / "group_data" / "all.py"

# A file of settings that builds on the defaults: a test adds what it is about.
BASED = f"import runpy as _runpy\nglobals().update(_runpy.run_path({str(ALL)!r}))\n"


# What is told of the names of settings, of which there are more than fit on a line.
KNOWN = instead("zzzz", [field.name for field in fields(Settings)]).removeprefix("known: ")


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
        """Those of the reference lab. What each source is, is said where it stands, and nowhere again."""
        defaults = Settings.read(ALL)
        assert (defaults.timezone, defaults.datapath) == ("Asia/Seoul", "native")
        assert (defaults.kubernetes_version, defaults.schedule_on_control_plane) == ("1.33.2", True)
        assert (defaults.containerd_package, defaults.containerd_version) == ("containerd.io", "1.7.27")
        assert (defaults.cluster, defaults.mirror) == ("required", "")
        assert defaults.apt_lock_timeout == 600
        assert defaults.lock_timeout == 600
        assert (defaults.cilium_version, defaults.cilium_extra_values) == ("1.18.0", {})
        assert (defaults.pod_routes, defaults.l2_announcements) == ("none", False)
        assert (defaults.bgp_asns, defaults.bgp_load_balancer_ips) == (
            {"router": 65000, "nodes": 65001},
            False,
        )
        assert (defaults.workloads, defaults.hubble_ui, defaults.rollout_timeout) == (False, True, 600)
        assert not any((defaults.local_path_provisioner, defaults.monitoring, defaults.metrics_server))
        assert (defaults.node, defaults.snapshot, defaults.confirm) == ("", "", "")
        assert set(defaults.apt_repositories) == {"kubernetes", "docker"}
        assert {"helm", "cilium", "hubble", "k9s", "kubectx"} <= set(defaults.archives)
        assert defaults.images

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
        file.write_text(f"{BASED}datapath = 'ipip'\n")
        assert Settings.read(file, ["datapath=native"]).datapath == "native"

    def test_sources_are_json(self) -> None:
        images = '["registry.k8s.io/pause:3.10"]'
        assert Settings.read(ALL, [f"images={images}"]).images == ["registry.k8s.io/pause:3.10"]

    def test_extra_values_are_json(self) -> None:
        extra = {
            "hubble": {"relay": {"replicas": 2}},
            "devices": ["eth1"],
            "MTU": None,
            "debug": {"enabled": 0.5},
        }
        assert Settings.read(ALL, [f"cilium_extra_values={json.dumps(extra)}"]).cilium_extra_values == extra

    @pytest.mark.parametrize("mirror", ["http://10.0.2.2:8000", "https://mirror.example.org/lab/one", ""])
    def test_a_mirror_is_a_base_url(self, mirror: str) -> None:
        assert Settings.read(ALL, [f"mirror={mirror}"]).mirror == mirror

    @pytest.mark.parametrize("name", ["k8s-w1", "before-an-upgrade-20261123T083000Z.db", ""])
    def test_what_a_task_is_to_take(self, name: str) -> None:
        assert Settings.read(ALL, [f"snapshot={name}"]).snapshot == name

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

    @given(text=st.text(max_size=20))
    def test_whatever_it_is_it_is_parsed_as_pyinfra_does(self, text: str) -> None:
        assert repr(module._parse(text)) == repr(parse_cli_arg(text))

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
            ("zzzz=red", f"--data zzzz: is not a setting; known: {KNOWN}"),
            ("=vxlan", f"--data '': is not a setting; known: {KNOWN}"),
            (
                "kubernetes_versoin=1.33.2",
                "--data kubernetes_versoin: is not a setting; did you mean kubernetes_version?",
            ),
            ("cluster=maybe", "--data cluster: must be required or auto, not maybe"),
            ("cluster=true", "--data cluster: must be required or auto, not True"),
            (
                "containerd_package=docker.io",
                "--data containerd_package: must be containerd.io or containerd, not docker.io",
            ),
            ("pod_routes=rip", "--data pod_routes: must be none, static or bgp, not rip"),
            ("pod_routes=null", "--data pod_routes: must be none, static or bgp, not None"),
            *(
                (f"{name}=yes", f"--data {name}: must be true or false, not yes")
                for name in (
                    *("l2_announcements", "bgp_load_balancer_ips", "workloads", "hubble_ui", "monitoring"),
                    *("local_path_provisioner", "metrics_server"),
                )
            ),
            *(
                (
                    f"rollout_timeout={value}",
                    f"--data rollout_timeout: must be a number of seconds from 1 to 86400, not {shown}",
                )
                for value, shown in (
                    ("0", "0"),
                    ("-1", "-1"),
                    ("1.5", "1.5"),
                    ("true", "True"),
                    ("10m", "10m"),
                    ("86401", "86401"),
                )
            ),
            (
                "cilium_version=v1.18.0",
                "--data cilium_version: must be a version such as 1.18.0, not v1.18.0",
            ),
            ("cilium_version=1.18", "--data cilium_version: must be a version such as 1.18.0, not 1.18"),
            *(
                (
                    f"cilium_extra_values={value}",
                    "--data cilium_extra_values: must be a mapping of plain values such as {'MTU': 1400},"
                    f" not {shown}",
                )
                for value, shown in (
                    ("[]", "[]"),
                    ("MTU=1400", "MTU=1400"),
                    ("null", "None"),
                    ('{"MTU": NaN}', "{'MTU': nan}"),
                    (r'{"MTU": "\ud800"}', r"{'MTU': '\ud800'}"),
                    (r'{"\udc00": 1}', r"{'\udc00': 1}"),
                )
            ),
            ("bgp_asns=65000", "--data bgp_asns: must be a mapping with router and nodes, not 65000"),
            (
                'bgp_asns={"router": 1}',
                "--data bgp_asns: must be a mapping with router and nodes, not {'router': 1}",
            ),
            *(
                (
                    f'bgp_asns={{"router": {value}, "nodes": 65001}}',
                    "--data bgp_asns: router: must be an autonomous system's number from 1 to 4294967294"
                    f" that is not reserved, not {shown}",
                )
                for value, shown in (
                    *(("0", "0"), ("23456", "23456"), ("65535", "65535"), ("4294967295", "4294967295")),
                    *(('"65000"', "65000"), ("true", "True"), ("1.5", "1.5")),
                )
            ),
            (
                'bgp_asns={"router": 65001, "nodes": 65001}',
                "--data bgp_asns: router and nodes must be two autonomous systems, not both 65001",
            ),
            (
                'workload_images={"whoami": "whoami"}',
                "--data workload_images: whoami: must be an image with registry and tag, such as"
                " registry.k8s.io/pause:3.10, not whoami; netshoot: is missing",
            ),
            (
                'charts={"cilium": {"version": "1", "url": "https://a.test/", "sha256": {"1.18.0": 1}}}',
                "--data charts: cilium.sha256.1.18.0: must be the 64 hex digits (lower case) of a"
                " published SHA-256, not 1",
            ),
            *(
                (f"{name}={value}", f"--data {name}: must be a version such as 1.33.2, not {value}")
                for name in ("kubernetes_version", "containerd_version")
                for value in (
                    "1.33",
                    "v1.33.2",
                    "1.33.02",
                    "1.33.2-1.1",
                    "latest",
                    "stable-1.33",
                    "1.\u0663\u0663.2",
                )
            ),
            (
                "schedule_on_control_plane=yes",
                "--data schedule_on_control_plane: must be true or false, not yes",
            ),
            *(
                (
                    f"{name}={value}",
                    f"--data {name}: must be a number of seconds from 1 to 86400, not {value}",
                )
                for name in ("apt_lock_timeout", "lock_timeout")
                for value in ("0", "-1", "True", "1.5", "soon", "86401")
            ),
            ("schedule_on_control_plane=1", "--data schedule_on_control_plane: must be true or false, not 1"),
            *(
                (
                    f"mirror={value}",
                    "--data mirror: must be a URL without a slash at its end, or empty for none,"
                    f" not {value}",
                )
                for value in (
                    "http://10.0.2.2:8000/",
                    "10.0.2.2:8000",
                    "ftp://a",
                    "http://a?b",
                    "http://a//b",
                    "http://",
                    "http://[",
                    "http://é.test",
                )
            ),
            ("node=k8s-w1,k8s-w0", "--data node: must be the name of a node, or empty, not k8s-w1,k8s-w0"),
            ("node=null", "--data node: must be the name of a node, or empty, not None"),
            (
                "snapshot=../shadow",
                "--data snapshot: must be the name of a snapshot, or empty, not ../shadow",
            ),
            ("snapshot=.db", "--data snapshot: must be the name of a snapshot, or empty, not .db"),
            ("confirm=$(id)", "--data confirm: must be the name of the lab, or empty, not $(id)"),
            ("images=pause", "--data images: must be a list, not pause"),
            (
                'images=["pause"]',
                "--data images: must be an image with registry and tag, such as "
                "registry.k8s.io/pause:3.10, not pause",
            ),
            (
                'image_digests={"registry.k8s.io/pause:3.10": "sha256:12"}',
                "--data image_digests: "
                "registry.k8s.io/pause:3.10: must be sha256: and 64 hex digits, not sha256:12",
            ),
            (
                'archives={"helm": {"version": "3.21.4", "programs": {}, "amd64": {}}}',
                "--data archives: "
                "helm.amd64.url: is missing; helm.amd64.sha256: is missing; helm.arm64: is missing",
            ),
            ("apt_repositories=3", "--data apt_repositories: must be a mapping, not 3"),
            (
                'charts={"cilium": 1}',
                "--data charts: cilium: must be a mapping with version, url, sha256, not 1",
            ),
            (
                'manifests={"a": {}}',
                "--data manifests: a.version: is missing; a.url: is missing; a.sha256: is missing",
            ),
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

    def test_a_version_of_more_digits_than_python_reads(self) -> None:
        (line,) = problems(ALL, f"kubernetes_version=1.{'9' * 5000}.0")
        assert line.startswith("--data kubernetes_version: must be a version such as 1.33.2, not '1.999")

    def test_all_at_once(self, file: Path) -> None:
        file.write_text(f"{BASED}del datapath\ndatapaht = 'native'\ntimezone = None\n")
        assert problems(file, "sudo", "zzzz=red") == [
            "--data sudo: must be written as key=value",
            f"{file}: datapaht: is not a setting; did you mean datapath?",
            f"--data zzzz: is not a setting; known: {KNOWN}",
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
        file.write_text(f"{BASED}import os\n_area = 'Asia'\ntimezone = f'{{_area}}/Tokyo'\n")
        assert Settings.read(file) == replace(Settings.read(ALL), timezone="Asia/Tokyo")


class TestPublishedVersions:
    """A chart may be chosen among those whose digest was published."""

    def test_another_version_is_told_with_the_known_ones(self) -> None:
        (line,) = problems(ALL, "cilium_version=1.18.99")
        start = "--data cilium_version: no published digest of cilium 1.18.99 is in charts; known: "
        assert line.startswith(f"{start}1.17.9, 1.18.0, 1.18.1, ")
        assert line.endswith(", 1.18.12, 1.19.6")

    def test_a_version_of_its_own_is_told_where_it_stands(self) -> None:
        pinned = {"version": "2", "url": "https://a.test/x", "sha256": {"1": "a" * 64}}
        assert problems(ALL, f"manifests={json.dumps({'x': pinned})}") == [
            "--data manifests: no published digest of x 2 is in manifests; known: 1"
        ]

    def test_it_is_told_with_versions_that_do_not_go_together(self) -> None:
        assert len(problems(ALL, "cilium_version=1.18.99", "kubernetes_version=1.30.0")) == 2

    @pytest.mark.parametrize("depth", [21, 300, 900, 990])
    def test_extra_values_do_not_nest_without_end(self, depth: int) -> None:
        text = '{"a":' * depth + "1" + "}" * depth
        (line,) = problems(ALL, f"cilium_extra_values={text}")
        assert line.startswith("--data cilium_extra_values: must be a mapping of plain values")


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
        changed = replace(Settings.read(ALL), timezone="UTC", datapath="geneve")
        data = {**vars(changed), "ssh_port": 60000, "groups": []}
        assert Settings.from_mapping(data, "host data") == changed

    def test_problems_name_the_mapping(self) -> None:
        with pytest.raises(DeclarationError) as caught:
            data = {**vars(Settings.read(ALL)), "datapath": "ipip"}
            del data["timezone"]
            Settings.from_mapping(data, "host data")
        assert str(caught.value).split("\n") == [
            "host data: timezone: is missing; give it a value in group_data/all.py",
            "host data: datapath: must be native, vxlan or geneve, not ipip",
        ]
