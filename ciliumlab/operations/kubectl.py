"""Kubernetes objects, applied on the server from a host of the control plane."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NotRequired, TypedDict

import yaml
from pyinfra.context import host

from ciliumlab.drift import Difference, difference, shown
from ciliumlab.facts import workloads
from ciliumlab.facts.files import Texts
from ciliumlab.facts.kubectl import NAMESPACE, Objects, ObjectsState, record
from ciliumlab.facts.kubernetes import ADMIN, KUBECTL
from ciliumlab.objects import (
    MANAGER,
    Key,
    Object,
    documents,
    key,
    kind,
    labelled,
    merged,
    selector,
    title,
)
from ciliumlab.operations.api import Commands, Refused, operation, preparing, read, show_change
from ciliumlab.operations.downloads import DURATION, kept
from ciliumlab.operations.rollouts import functions
from ciliumlab.operations.shown import yaml_without_secrets
from ciliumlab.operations.steps import SILENCE, Shell, sha256
from ciliumlab.sources import Pinned

# Seconds that an object may take to be gone.
_PATIENCE = 120

# Without a limit for a single request, which would end the watch that it waits by.
_DELETE = f"kubectl --kubeconfig {ADMIN} delete --ignore-not-found --timeout {_PATIENCE}s"
_APPLY = f"{KUBECTL} apply --server-side --force-conflicts --field-manager {MANAGER} --filename -"

# What has to be there before other objects.
_FIRST = ("Namespace", "CustomResourceDefinition")

# What an API server does not let anybody change, by kind (validation of each in kubernetes' pkg/apis); the
# object is made anew.
_FIXED: Mapping[str, tuple[str, ...]] = {
    "Pod": ("spec",),
    "Job": ("spec",),
    "StorageClass": ("provisioner", "parameters", "reclaimPolicy", "volumeBindingMode"),
    "RoleBinding": ("roleRef",),
    "ClusterRoleBinding": ("roleRef",),
    "Deployment": ("selector",),
    "DaemonSet": ("selector",),
    "StatefulSet": ("selector", "serviceName", "podManagementPolicy", "volumeClaimTemplates"),
}


class Change(TypedDict):
    """How an object of a manifest shall be otherwise: ``merge`` is a JSON merge patch (RFC 7386)."""

    kind: str
    name: str
    merge: Mapping[str, Any]
    namespace: NotRequired[str]


@operation
def applied(objects: Iterable[Object], part: str, timeout: int = 0) -> Commands:
    """
    Have exactly these objects of a part in the cluster.

    + objects: as Kubernetes takes them; the part's labels are put on them
    + part: a word, which tells them from this project's others
    + timeout: seconds in which their pods have to be there; 0 not to wait

    What differs is applied, also where somebody has changed or added something by hand. What was applied
    for this part once and is not declared any more is deleted.
    """
    yield from _applied(labelled(objects, part), part, timeout)


@operation
def manifest(
    source: Pinned | None,
    part: str,
    changes: Sequence[Change] = (),
    present: bool = True,
    timeout: int = 0,
) -> Commands:
    """
    Have the objects of a published manifest in the cluster, or none of them.

    + source: see `ciliumlab.sources.Pinned`; downloaded on the host when it is not there. None where no such
      manifest is known, which matters when it shall be present
    + part: a word, which tells them from this project's others
    + changes: what shall be otherwise than published
    + present: whether they shall be there at all
    + timeout: seconds in which their pods have to be there; 0 not to wait
    """
    if not present:
        yield from _applied([], part, timeout)
        return
    if source is None:
        raise Refused(
            f"no manifest of {part} is known: give its version, url and sha256 (manifests in"
            " group_data/all.py); nothing was changed"
        )
    fetched, path = kept(source, ".yaml")
    text = _text(path)
    if sha256(text) != source["sha256"]:
        yield Shell(f"{{ {fetched}; }} < /dev/null", seconds=DURATION)
        text = _text(path)
        if sha256(text) != source["sha256"]:
            raise Refused(
                f"{source['url']} is not what was published as {source['version']}; nothing was changed"
            )
    objects = documents(yaml.safe_load_all(text))
    for change in changes:
        _change(objects, change, source)
    yield from _applied(labelled(objects, part), part, timeout)


def _text(path: str) -> str:
    found = read(Texts, paths=[path])
    return found[path]["text"] if path in found else ""


def _change(objects: list[Object], change: Change, source: Pinned) -> None:
    wanted = (change["kind"], change["name"])
    for index, one in enumerate(objects):
        here = one["metadata"].get("namespace", "default") == change.get("namespace", "default")
        if (one["kind"], one["metadata"]["name"]) == wanted and (here or "namespace" not in change):
            objects[index] = merged(one, change["merge"])
            return
    raise Refused(f"{source['url']} has no {' '.join(wanted)} to be changed; nothing was changed")


def _applied(objects: Sequence[Object], part: str, timeout: int) -> Commands:
    found = read(Objects, kinds=sorted({kind(one) for one in objects}), part=part)
    _is_known(objects, found)
    wanted = [*_record(objects, part, found["kinds"]), *objects] if objects else []
    live = {key(one): one for one in found["objects"]}
    differing = {key(one): _difference(one, live.get(key(one))) for one in wanted}
    missing = [one for one in wanted if key(one) not in live]
    changed = [one for one in wanted if key(one) in live and differing[key(one)]]
    anew = [one for one in changed if _is_fixed(one, differing[key(one)])]
    undeclared = [one for one in found["objects"] if key(one) not in differing]
    _tell(missing, changed, undeclared, live, differing)
    commands = [
        *(
            _removal(one, differing[key(one)])
            for one in changed
            if differing[key(one)].extra and one not in anew
        ),
        *map(_deletion, anew),
        *([_application([*missing, *changed])] if missing or changed else []),
        # The record last: a run that is cut knows from it where to look.
        *(
            _deletion(one)
            for one in sorted(undeclared, key=lambda one: one["metadata"]["name"] == record(part))
        ),
    ]
    yield from commands
    pods = [one for one in found["objects"] if key(one) in differing and not workloads.rolled_out(one)]
    if timeout and wanted and (commands or pods):
        yield Shell(
            f"{functions(selector(part))}\nend=$(($(date +%s) + {timeout}))\n"
            "rolled_out || { reasons; exit 1; }",
            seconds=timeout + SILENCE,
        )
    elif not commands:
        host.noop(f"{part}: {len(objects)} objects, as declared" if objects else f"{part}: there is nothing")


def _is_known(objects: Sequence[Object], found: ObjectsState) -> None:
    if preparing():
        return
    if found["trouble"]:
        raise Refused(f"the cluster does not answer ({found['trouble'][0].strip()}); nothing was changed")
    if unknown := sorted({kind(one) for one in objects} & {*found["unknown"]}):
        raise Refused(
            f"the API server does not know {', '.join(unknown)}: install what defines it first (Cilium's"
            " operator does so for cilium.io); nothing was changed"
        )


def _record(objects: Sequence[Object], part: str, kinds: Sequence[str]) -> list[Object]:
    """The note of which kinds there may be, applied before any of them."""
    known = sorted({"ConfigMap.v1.", *kinds, *(kind(one) for one in objects)})
    note = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": record(part), "namespace": NAMESPACE},
        "data": {"kinds": "\n".join(known)},
    }
    return labelled([note], part)


def _difference(wanted: Object, live: Object | None) -> Difference:
    return difference(wanted, live) if live else Difference()


def _is_fixed(one: Object, differing: Difference) -> bool:
    fixed = _FIXED.get(one["kind"], ())
    return any(not {*path[:2]}.isdisjoint(fixed) for path in [*differing.changed, *differing.extra])


def _tell(
    missing: Sequence[Object],
    changed: Sequence[Object],
    undeclared: Sequence[Object],
    live: Mapping[Key, Object],
    differing: Mapping[Key, Difference],
) -> None:
    """What is not as declared, a line an object; with ``--diff`` all of it."""
    for one in changed:
        anew = "; it is deleted and made anew" if _is_fixed(one, differing[key(one)]) else ""
        host.log(f"{title(one)} differs: {differing[key(one)]}{anew}")
    for one in undeclared:
        host.log(f"{title(one)} is not declared any more")
    for one in missing:
        show_change(f"Will make {title(one)}", *yaml_without_secrets({}, one))
    for one in changed:
        there = shown(one, live[key(one)], differing[key(one)])
        show_change(f"Will change {title(one)}", *yaml_without_secrets(there, one))


def _application(objects: Sequence[Object]) -> Shell:
    """By standard input: an object may be a Secret, or long. JSON that was cut is none any more."""
    ordered = sorted(objects, key=lambda one: one["kind"] not in _FIRST)
    text = json.dumps({"apiVersion": "v1", "kind": "List", "items": ordered}, ensure_ascii=False)
    return Shell(_APPLY, _stdin=text)


def _removal(one: Object, differing: Difference) -> Shell:
    patch = json.dumps(differing.removals())
    return Shell(
        f"{KUBECTL} patch {_named(one)} --field-manager {MANAGER} --type json --patch {shlex.quote(patch)}"
    )


def _deletion(one: Object) -> Shell:
    return Shell(f"{_DELETE} {_named(one)}", seconds=_PATIENCE + SILENCE)


def _named(one: Object) -> str:
    namespace = one["metadata"].get("namespace")
    place = f" --namespace {shlex.quote(namespace)}" if namespace else ""
    return f"{kind(one)} {shlex.quote(one['metadata']['name'])}{place}"
