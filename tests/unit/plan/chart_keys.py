"""Makes ciliumlab/plan/cilium/keys.py: ``python -m tests.unit.plan.chart_keys CHART.tgz…``, published charts,
one or more for each minor that the library is to know: a patch release adds keys, and takes none away.

A key is one that values.yaml sets, or offers in a comment of its documentation, or that a template reads. Its
types are those of values.schema.json; "any" where that says nothing. An "object" takes any keys: it is empty
by default, or it is handed on to Kubernetes as it is.
"""

from __future__ import annotations

import json
import re
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

TARGET = Path(__file__).parents[3] / "ciliumlab" / "plan" / "cilium" / "keys.py"

# What templates hand on to Kubernetes, whose fields these are.
HANDED_ON = {
    "affinity",
    "nodeSelector",
    "podSecurityContext",
    "resources",
    "securityContext",
    "updateStrategy",
}

# What looks like a documented key and is none: a reference, and maglev's keys, written as if they were not.
NO_KEYS = {"ref", "tableSize", "hashSeed"}

# What templates read only to say that it is no longer there.
REMOVED = {"tunnel", "enableCnpStatusUpdates", "enableK8sEventHandover"}

HEADER = '''"""The keys of Cilium's chart by minor version, a tree with a level for each blank.

Made by tests/unit/plan/chart_keys.py from values.yaml, values.schema.json and the templates of the charts
{charts} (cilium/charts at 009b5e95): names and types of keys, nothing else.
A line is a key, its JSON types ("object": it takes any keys), and the minors that have it where not all do.
"""

MINORS = {minors}

KEYS = """\\
'''


def keys(values: str, schema: str, templates: str = "") -> dict[str, str]:
    """The chart's keys with their types, "null|string", by path: ``bpf.masquerade``."""
    default = yaml.safe_load(values)
    types = json.loads(schema)
    paths = {**dict.fromkeys(_leaves(default)), **dict.fromkeys(_documented(values))}
    read = (found.strip(".") for found in re.findall(r"\.Values\.([A-Za-z0-9_.]+)", templates))
    paths |= dict.fromkeys(path for path in read if path not in REMOVED and path != "AsMap")
    inner = {path[: dot.start()] for path in paths for dot in re.finditer(r"\.", path)}
    opened = {path for path in {*paths, *inner} if path.rpartition(".")[2] in HANDED_ON}
    found = {}
    for path in {**paths, **dict.fromkeys(opened)}:
        if path in opened:
            found[path] = "object"
        elif path not in inner and not any(path.startswith(f"{outer}.") for outer in opened):
            found[path] = _types(types, path)
    return dict(sorted(found.items()))


def _leaves(value: Any, path: str = "") -> Iterator[str]:
    for key, below in value.items():
        here = f"{path}.{key}" if path else key
        if isinstance(below, dict) and below:
            yield from _leaves(below, here)
        else:
            yield here


def _documented(values: str) -> Iterator[str]:
    """Keys that are there as a comment only, after the lines that explain them ("# -- …")."""
    above: list[tuple[int, str]] = []
    explained = schema = False
    for line in values.splitlines():
        if re.match(r" *# @schema", line):
            schema = not schema
        elif schema:
            continue
        elif found := re.match(r"( *)([A-Za-z0-9_]+):", line):
            above = [*(item for item in above if item[0] < len(found[1])), (len(found[1]), found[2])]
            explained = False
        elif re.match(r" *# --", line):
            explained = True
        elif (found := re.match(r"( *)# ?([a-z][A-Za-z0-9_]+):( [^ ]*)?$", line)) and explained:
            explained = False
            if found[2] not in NO_KEYS:
                yield ".".join([*(name for depth, name in above if depth < len(found[1])), found[2]])
        elif not re.match(r" *#", line):
            explained = False


def _types(schema: dict[str, Any], path: str) -> str:
    for name in path.split("."):
        schema = schema.get("properties", {}).get(name, {})
    types = schema.get("type", "any")
    # A null that the schema knows alone is a default, and says nothing of what may stand there.
    return "any" if types == "null" else "|".join(sorted([types] if isinstance(types, str) else types))


def read(chart: Path) -> tuple[str, dict[str, str]]:
    """A chart's version and keys."""
    texts = {}
    with tarfile.open(chart) as archive:
        for member in archive:
            if member.isfile() and (content := archive.extractfile(member)):
                texts[member.name] = content.read().decode()
    templates = "".join(
        text
        for name, text in texts.items()
        if name.startswith("cilium/templates/") and not name.endswith("/NOTES.txt")
    )
    version = yaml.safe_load(texts["cilium/Chart.yaml"])["version"]
    return version, keys(texts["cilium/values.yaml"], texts["cilium/values.schema.json"], templates)


def module(charts: dict[str, dict[str, str]]) -> str:
    """The module's text, of the keys by version."""
    minors: dict[str, dict[str, str]] = {}
    for version, found in charts.items():
        minors.setdefault(version.rpartition(".")[0], {}).update(found)
    have: dict[tuple[str, str], list[str]] = {}
    for minor, found in minors.items():
        for path, types in found.items():
            have.setdefault((path, types), []).append(minor)
    lines = [HEADER.format(charts=", ".join(charts), minors=json.dumps([*minors]))]
    above: list[str] = []
    for (path, types), there in sorted(have.items(), key=lambda item: (item[0][0].split("."), item[1])):
        *outer, name = path.split(".")
        common = 0
        while common < min(len(outer), len(above)) and outer[common] == above[common]:
            common += 1
        lines += [f"{' ' * depth}{outer[depth]}\n" for depth in range(common, len(outer))]
        above = outer
        some = "" if len(there) == len(minors) else f" {' '.join(there)}"
        lines.append(f"{' ' * len(outer)}{name} {types}{some}\n")
    return "".join([*lines, '"""\n'])


if __name__ == "__main__":
    TARGET.write_text(module(dict(read(Path(chart)) for chart in sys.argv[1:])))
