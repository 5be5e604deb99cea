"""What this project has made in a cluster for a part of the lab, asked on a control-plane node."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any, TypedDict

from typing_extensions import override

from ciliumlab.facts.kubernetes import KUBECTL
from ciliumlab.facts.shell import Sections, State, quoted, sections
from ciliumlab.objects import Object, key, selector

# Which kinds of objects have ever been made for a part: a ConfigMap of this name, in this namespace.
NAMESPACE = "kube-system"

_KIND = "kind: "
_UNKNOWN = "the server doesn't have a resource type"


def record(part: str) -> str:
    return f"ciliumlab-{part}"


class ObjectsState(TypedDict):
    """``objects`` have the part's labels, with their managedFields: they may hold secrets.

    ``kinds`` are those that were recorded, as kubectl names them; ``unknown`` those that the API server does
    not know. ``trouble`` is what kubectl said when it got no answer; the rest is empty then.
    """

    objects: list[Object]
    kinds: list[str]
    unknown: list[str]
    trouble: list[str]


class Objects(State[ObjectsState]):
    """All objects of a part, of the kinds that are asked for and of those that were recorded.

    + kinds: as kubectl names them, "Deployment.v1.apps"
    + part: as the label ciliumlab.io/part has it
    """

    confidential = True

    @override
    def command(self, kinds: list[str], part: str) -> str:
        get = f"{KUBECTL} get"
        asked = f'$(printf "%s\\n" {quoted(kinds)} $recorded | sort -u)'
        return sections(
            recorded=f"recorded=$({get} configmap {record(part)} --namespace {NAMESPACE} --ignore-not-found"
            ' --output jsonpath={.data.kinds} 2>&1); answered=$?; printf "%s\\n" "$recorded"',
            answered='echo "$answered"',
            objects=f'[ "$answered" != 0 ] || for kind in {asked};'
            f' do echo "{_KIND}$kind"; {get} "$kind" --all-namespaces --selector {selector(part)}'
            " --show-managed-fields --output json 2>&1; done",
        )

    @override
    def parse(self, found: Sections) -> ObjectsState:
        if found["answered"] != ["0"]:
            return ObjectsState(objects=[], kinds=[], unknown=[], trouble=found["recorded"])
        state = ObjectsState(
            objects=[], kinds=[one for one in found["recorded"] if one], unknown=[], trouble=[]
        )
        for kind, lines in _by_kind(found["objects"]):
            listed = _object(lines)
            if listed is not None:
                state["objects"] += map(_named, listed["items"])
            elif any(_UNKNOWN in line for line in lines):
                state["unknown"].append(kind)
            else:
                state["trouble"] += lines or [f"kubectl does not list {kind}"]
        return state


def _by_kind(lines: Iterable[str]) -> list[tuple[str, list[str]]]:
    kinds: list[tuple[str, list[str]]] = []
    for line in lines:
        if line.startswith(_KIND):
            kinds.append((line.removeprefix(_KIND), []))
        else:
            kinds[-1][1].append(line)
    return kinds


def _named(one: Any) -> Object:
    """An object, which has what tells it from others."""
    if not all(isinstance(part, str) for part in key(one)):
        raise ValueError("an object without a name")
    return dict(one)


def _object(lines: list[str]) -> Any:
    """kubectl's JSON without the warnings around it; None where there is none."""
    if "{" not in lines or "}" not in lines:
        return None
    return json.loads("\n".join(lines[lines.index("{") : len(lines) - lines[::-1].index("}")]))
