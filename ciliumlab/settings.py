"""The settings of group_data/all.py and `--data key=value`, read and checked.

The defaults are the values in group_data/all.py, and written nowhere else.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from types import ModuleType
from typing import Any, Literal, get_args
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

from ciliumlab import sources, sources_check, versions
from ciliumlab.errors import DeclarationError, Problem
from ciliumlab.wording import closest, instead, listed, shown

Datapath = Literal["native", "vxlan", "geneve"]
PodRoutes = Literal["none", "static", "bgp"]
Cluster = Literal["required", "auto"]
ContainerdPackage = Literal["containerd.io", "containerd"]

_Check = Callable[[object], str | None]
"""What is wrong with a value and how to mend it, or None."""

_ZONE = re.compile(r"UTC|[A-Za-z0-9_+-]+(/[A-Za-z0-9_+-]+)+")
# Python refuses to read more than 4,300 digits, and no version has more than a date's eight.
_VERSION = re.compile(r"(0|[1-9][0-9]{0,7})(\.(0|[1-9][0-9]{0,7})){2}")
_BASE_URL = re.compile(r"https?://((?![/?#\[\]])[!-~])+(/((?![/?#])[!-~])+)*")
_HALF = re.compile("[\ud800-\udfff]")
# Cilium's chart has no value that lies deeper than eight mappings.
_DEEPEST = 20
# A day, so that a mistyped number is told.
_LONGEST_WAIT = 86400
# RFC 7300: the last number is reserved, and the last of 16 bits; RFC 6793: 23456 stands for all wider ones.
_LAST_ASN = 4294967294
_RESERVED_ASNS = (23456, 65535)
# What goes into a file's name on a host.
_PLAIN_NAME = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)?")


def _one_of(choices: tuple[str, ...]) -> _Check:
    def check(value: object) -> str | None:
        return None if value in choices else f"must be {listed(choices, 'or')}, not {shown(value)}"

    return check


def _time_zone(value: object) -> str | None:
    if not isinstance(value, str) or not _ZONE.fullmatch(value):
        return f"must be a time zone such as Asia/Seoul, not {shown(value)}"
    try:
        ZoneInfo(value)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        # Without any zones installed here, the hosts are left to judge.
        zones = available_timezones()
        if zones:
            near = closest(value, zones)
            offer = f"did you mean {near}?" if near else "`timedatectl list-timezones` lists them"
            return f"{shown(value)} is not a time zone; {offer}"
    return None


def _matches(pattern: re.Pattern[str], description: str) -> _Check:
    def check(value: object) -> str | None:
        fits = isinstance(value, str) and pattern.fullmatch(value)
        return None if fits else f"must be {description}, not {shown(value)}"

    return check


def _true_or_false(value: object) -> str | None:
    return None if isinstance(value, bool) else f"must be true or false, not {shown(value)}"


def _plain(value: object, depth: int = 0) -> bool:
    """Whether a value is what JSON and YAML can both carry, and no deeper than anything real.

    JSON can write half a character ("\\ud800"), which no file can hold.
    """
    if depth > _DEEPEST:
        return False
    if isinstance(value, dict):
        return all(
            isinstance(key, str) and _plain(key) and _plain(item, depth + 1) for key, item in value.items()
        )
    if isinstance(value, list | tuple):
        return all(_plain(item, depth + 1) for item in value)
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, str):
        return not _HALF.search(value)
    return value is None or isinstance(value, int)


def _values(value: object) -> str | None:
    fits = isinstance(value, dict) and _plain(value)
    return None if fits else f"must be a mapping of plain values such as {{'MTU': 1400}}, not {shown(value)}"


def _seconds(value: object) -> str | None:
    fits = type(value) is int and 1 <= value <= _LONGEST_WAIT
    return None if fits else f"must be a number of seconds from 1 to {_LONGEST_WAIT}, not {shown(value)}"


def _asns(value: object) -> str | None:
    if not isinstance(value, dict) or set(value) != {"router", "nodes"}:
        return f"must be a mapping with router and nodes, not {shown(value)}"
    for name, asn in value.items():
        if type(asn) is not int or not 1 <= asn <= _LAST_ASN or asn in _RESERVED_ASNS:
            what = f"must be an autonomous system's number from 1 to {_LAST_ASN} that is not reserved"
            return f"{name}: {what}, not {shown(asn)}"
    if value["router"] == value["nodes"]:
        return f"router and nodes must be two autonomous systems, not both {value['router']}"
    return None


_version = _matches(_VERSION, "a version such as 1.33.2")
_cilium_version = _matches(_VERSION, "a version such as 1.18.0")


@dataclass(frozen=True)
class Settings:
    """One field a setting; a new one is declared here, and its default in group_data/all.py."""

    timezone: str = field(metadata={"check": _time_zone})
    datapath: Datapath = field(metadata={"check": _one_of(get_args(Datapath))})
    pod_routes: PodRoutes = field(metadata={"check": _one_of(get_args(PodRoutes))})
    bgp_asns: dict[str, int] = field(metadata={"check": _asns})
    bgp_load_balancer_ips: bool = field(metadata={"check": _true_or_false})
    l2_announcements: bool = field(metadata={"check": _true_or_false})
    cilium_version: str = field(metadata={"check": _cilium_version})
    cilium_extra_values: dict[str, Any] = field(metadata={"check": _values})
    workloads: bool = field(metadata={"check": _true_or_false})
    hubble_ui: bool = field(metadata={"check": _true_or_false})
    local_path_provisioner: bool = field(metadata={"check": _true_or_false})
    monitoring: bool = field(metadata={"check": _true_or_false})
    metrics_server: bool = field(metadata={"check": _true_or_false})
    rollout_timeout: int = field(metadata={"check": _seconds})
    cluster: Cluster = field(metadata={"check": _one_of(get_args(Cluster))})
    kubernetes_version: str = field(metadata={"check": _version})
    containerd_package: ContainerdPackage = field(metadata={"check": _one_of(get_args(ContainerdPackage))})
    containerd_version: str = field(metadata={"check": _version})
    apt_lock_timeout: int = field(metadata={"check": _seconds})
    lock_timeout: int = field(metadata={"check": _seconds})
    schedule_on_control_plane: bool = field(metadata={"check": _true_or_false})
    mirror: str = field(
        metadata={
            "check": _matches(
                re.compile(f"({_BASE_URL.pattern})?"), "a URL without a slash at its end, or empty for none"
            )
        }
    )
    apt_repositories: dict[str, Any] = field(metadata={"check": sources_check.apt_repositories})
    archives: dict[str, Any] = field(metadata={"check": sources_check.archives})
    charts: dict[str, Any] = field(metadata={"check": sources_check.pinned})
    manifests: dict[str, Any] = field(metadata={"check": sources_check.pinned})
    images: list[str] = field(metadata={"check": sources_check.images})
    workload_images: dict[str, str] = field(metadata={"check": sources_check.workload_images})
    image_digests: dict[str, str] = field(metadata={"check": sources_check.image_digests})
    node: str = field(metadata={"check": _matches(_PLAIN_NAME, "the name of a node, or empty")})
    snapshot: str = field(metadata={"check": _matches(_PLAIN_NAME, "the name of a snapshot, or empty")})
    confirm: str = field(metadata={"check": _matches(_PLAIN_NAME, "the name of the lab, or empty")})

    @classmethod
    def read(cls, path: Path, overrides: Sequence[str] = ()) -> Settings:
        """The settings of the file ``path`` (group_data/all.py) with ``key=value`` overrides, which are
        parsed as pyinfra parses `--data`.

        Raises DeclarationError with every problem: names that are no setting, missing ones, wrong values.
        """
        values = {}
        places = {}
        problems = []
        for name, value in _execute(path).items():
            # What pyinfra leaves out of its data too: private names, and modules that were imported.
            if not name.startswith("_") and not isinstance(value, ModuleType):
                values[name] = value
                places[name] = f"{path}: {name}"
        for override in overrides:
            name, equals, text = override.partition("=")
            if equals:
                values[name] = _parse(text)
                places[name] = f"--data {shown(name)}"
            else:
                problems.append(Problem(f"--data {shown(override)}", "must be written as key=value"))
        known = [setting.name for setting in fields(cls)]
        for name in values:
            if name not in known:
                problems.append(Problem(places[name], f"is not a setting; {instead(name, known)}"))
        return cls._build(values, lambda name: places.get(name, f"{path}: {name}"), problems)

    @classmethod
    def from_mapping(cls, mapping: Mapping[str, object], where: str) -> Settings:
        """The settings among other data, such as pyinfra's ``host.data.dict()``.

        ``where`` names the mapping in problems. Raises DeclarationError with every setting that is
        missing or wrong; other names are left alone.
        """
        return cls._build(mapping, lambda name: f"{where}: {name}", [])

    @classmethod
    def _build(
        cls, values: Mapping[str, Any], place: Callable[[str], str], problems: Sequence[Problem]
    ) -> Settings:
        problems = [*problems]
        for setting in fields(cls):
            name = setting.name
            if name not in values:
                problems.append(Problem(place(name), "is missing; give it a value in group_data/all.py"))
                continue
            wrong = setting.metadata["check"](values[name])
            if wrong:
                problems.append(Problem(place(name), wrong))
        if problems:
            raise DeclarationError(problems)
        settings = cls(**{setting.name: values[setting.name] for setting in fields(cls)})
        if unfit := [*versions.unfit(settings), *sources.unpublished(settings)]:
            raise DeclarationError(Problem(place(problem.where), problem.what) for problem in unfit)
        return settings


def _execute(path: Path) -> dict[str, object]:
    """The module-level names of a Python file, which runs as pyinfra would run it."""
    names: dict[str, object] = {"__file__": str(path)}
    try:
        exec(compile(path.read_bytes(), str(path), "exec"), names)
    except OSError as error:
        raise DeclarationError(Problem(str(path), f"cannot be read: {error.strerror}")) from error
    except Exception as error:  # whatever a file of someone's own may raise
        what = f"{type(error).__name__}: {error}".partition("\n")[0]
        raise DeclarationError(Problem(str(path), f"does not run: {what}")) from error
    return names


def _parse(text: str) -> object:
    """A value of `--data`, as ``parse_cli_arg`` in pyinfra_cli/util.py takes it: true or false in any
    case, a whole number, JSON, or else the text itself.
    """
    if text.lower() in ("true", "false"):
        return text.lower() == "true"
    for parse in (int, json.loads):
        try:
            return parse(text)
        except (ValueError, RecursionError):
            continue
    return text
