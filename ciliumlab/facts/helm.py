"""Helm on a host of the control plane: its releases, with what they were installed with."""

from __future__ import annotations

import json
import shlex
from typing import Any, TypedDict

from typing_extensions import override

from ciliumlab.facts import workloads
from ciliumlab.facts.kubernetes import ADMIN
from ciliumlab.facts.shell import Sections, State, sections

HELM = f"helm --kubeconfig {ADMIN}"

# Helm says so of a release that it has never heard of: ErrReleaseNotFound in its storage/driver/driver.go.
_UNKNOWN = "release: not found"


def lock(release: str, namespace: str) -> str:
    """The file that is locked while a release is being changed: a run that is killed on the controller leaves
    its Helm at work on the host.
    """
    return shlex.quote(f"/run/ciliumlab/helm-{namespace}-{release}.lock")


def deployed(release: str, namespace: str) -> str:
    """A command that prints the revision of a release that is deployed, or nothing."""
    # In Helm's own order of keys, releaseInfo in its history.go; jq is not on every host.
    entry = """'"revision":[0-9]*,"updated":"[^"]*","status":"deployed"'"""
    return f"{history(release, namespace)} | grep -o {entry} | tail -n 1 | grep -o '[0-9]*' | head -n 1"


def history(release: str, namespace: str) -> str:
    """A command that prints the history of a release as JSON, the newest revision last."""
    return f"{HELM} history {shlex.quote(release)} --namespace {shlex.quote(namespace)} --output json"


class Revision(TypedDict):
    """``status`` as Helm names it ("deployed", "pending-upgrade"), ``chart`` with its version
    ("cilium-1.18.0"), ``description`` what came of it ("Upgrade complete").
    """

    number: int
    status: str
    chart: str
    description: str


class ReleaseState(TypedDict):
    """``helm`` is Helm's version, "3.21.4"; ``revisions`` the release's, oldest first, none where there is no
    release. ``values`` are what a user gave for the deployed revision: they may hold secrets.

    ``unfinished`` are the release's workloads that have not rolled out. ``busy`` is true while another run's
    Helm is at this release. ``trouble`` is what was said when there was no answer; the rest is empty then.
    """

    helm: str
    revisions: list[Revision]
    values: dict[str, Any]
    unfinished: list[str]
    busy: bool
    trouble: list[str]


class Release(State[ReleaseState]):
    """A release of Helm's, asked on a control-plane node.

    + release: its name
    + namespace: where it is
    """

    confidential = True

    @override
    def command(self, release: str, namespace: str) -> str:
        file = lock(release, namespace)
        name, space = shlex.quote(release), shlex.quote(namespace)
        return sections(
            release=f"echo {shlex.quote(f'{namespace}/{release}')}",
            helm="helm version --short",
            busy=f"[ ! -e {file} ] || flock --nonblock {file} true || echo busy",
            history=f"{history(release, namespace)} 2>&1",
            values=f'revision=$({deployed(release, namespace)}) && [ -n "$revision" ] && {HELM} get values'
            f' {name} --namespace {space} --revision "$revision" --output json',
            workloads=workloads.listing("app.kubernetes.io/managed-by=Helm"),
        )

    @override
    def parse(self, found: Sections) -> ReleaseState:
        listed = next((line for line in found["history"] if line.startswith("[")), "")
        revisions = [_revision(entry) for entry in json.loads(listed or "[]")]
        unknown = any(line.endswith(_UNKNOWN) for line in found["history"])
        if not listed and not unknown:
            return _unread(found, found["history"] or ["helm said nothing"])
        # Helm prints null where there are none. What was given at first is kept by some (see helm.release),
        # so that it must not be taken for nothing.
        if not found["values"] and any(one["status"] == "deployed" for one in revisions):
            return _unread(found, ["helm did not tell the values of the deployed revision"])
        (release,) = found["release"]
        return ReleaseState(
            helm=_version(found),
            revisions=revisions,
            values=json.loads("\n".join(found["values"]) or "null") or {},
            unfinished=[
                one["where"]
                for one in workloads.parse_listing(found["workloads"])
                if one["release"] == release and not one["rolled_out"]
            ],
            busy=bool(found["busy"]),
            trouble=[],
        )


def _unread(found: Sections, trouble: list[str]) -> ReleaseState:
    return ReleaseState(
        helm=_version(found),
        revisions=[],
        values={},
        unfinished=[],
        busy=bool(found["busy"]),
        trouble=trouble,
    )


def _version(found: Sections) -> str:
    """ "v3.10.1+g9f88ccb" without what surrounds the version."""
    return "".join(found["helm"]).removeprefix("v").partition("+")[0]


def _revision(entry: dict[str, Any]) -> Revision:
    return Revision(
        number=entry["revision"],
        status=entry["status"],
        chart=entry["chart"],
        description=entry["description"],
    )


class Repositories(State[dict[str, str]]):
    """Addresses of the chart repositories that root's Helm knows, by name."""

    @override
    def command(self) -> str:
        return sections(repositories="helm repo list --output json")

    @override
    def parse(self, found: Sections) -> dict[str, str]:
        entries = json.loads("\n".join(found["repositories"]) or "[]")
        return {entry["name"]: entry["url"] for entry in entries}
