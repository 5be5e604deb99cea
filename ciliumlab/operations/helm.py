"""Releases of Helm's, on a host of the control plane; by Helm 3 or 4."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping
from typing import Any

from pyinfra.context import host

from ciliumlab.facts.helm import HELM, Release, ReleaseState, Repositories, Revision, deployed, history, lock
from ciliumlab.operations.api import Commands, Refused, operation, preparing, read, show_change
from ciliumlab.operations.downloads import DURATION, kept
from ciliumlab.operations.rollouts import functions
from ciliumlab.operations.shown import yaml_without_secrets
from ciliumlab.operations.steps import SILENCE, Shell, sha256
from ciliumlab.sources import Pinned

# What Helm writes into a release while it is at work, and finds again when it was killed: it then refuses to
# do anything (Status.IsPending in its release/status.go). One whose removal was cut can only be removed.
_PENDING = ("pending-install", "pending-upgrade", "pending-rollback")
_REMOVED = ("uninstalling", "uninstalled")

# What Helm has put on objects of its releases since 3.2.
_SELECTOR = "app.kubernetes.io/managed-by=Helm"

# How this project's revisions are told from those of others.
_BY = "by ciliumlab"

# Helm 4 applies on the server, where what was changed by hand would be a conflict; by default as the release
# was applied before, and --force-conflicts is an error where that was on the client.
_ON_SERVER = " --server-side=true --force-conflicts"


@operation
def repository(repository_name: str, url: str) -> Commands:
    """
    Have a chart repository that root's Helm knows.

    + repository_name: its name there
    + url: its address
    """
    if read(Repositories).get(repository_name) == url:
        host.noop(f"{repository_name} is at {url}")
        return
    yield Shell(f"helm repo add {shlex.quote(repository_name)} {shlex.quote(url)} --force-update")


@operation
def release(
    release: str,
    namespace: str,
    chart: Pinned,
    values: Mapping[str, Any],
    keep: Collection[str] = (),
    timeout: int = 600,
) -> Commands:
    """
    Have a release of a chart with exactly these values, rolled out on all nodes.

    + release: its name
    + namespace: where it is; made if it is not there
    + chart: see `ciliumlab.sources.Pinned`; downloaded on the host when a change needs it
    + values: all of them that are not the chart's own
    + keep: keys of the values that stay what the release was first installed with
    + timeout: seconds in which it has to roll out, and then, if it has not, to go back

    When it does not roll out, the host says why, and the former revision is put back; a first one is left as
    it is, to be looked at. What a killed run left half done is undone first: back to the revision that was
    deployed, or away where there never was one.
    """
    task = _Task(release, namespace, timeout)
    found = read(Release, release=release, namespace=namespace)
    if found["busy"]:
        host.log(f"another run's Helm is still at {release}: its end is waited for")
        yield task.step("true")
        found = read(Release, release=release, namespace=namespace)
    newest = _newest(found, release)
    if newest and newest["status"] in (*_PENDING, *_REMOVED):
        yield from _recovery(task, found, newest)
        found = read(Release, release=release, namespace=namespace)
        newest = _newest(found, release)
    wanted = {**values, **{key: found["values"][key] for key in keep if key in found["values"]}}
    if newest and _stands(newest, chart) and _canonical(found["values"]) == _canonical(wanted):
        if not found["unfinished"]:
            host.noop(f"{release} is {newest['chart']} with these values, and rolled out")
            return
        host.log(f"{release} is as declared, and has not rolled out yet: {', '.join(found['unfinished'])}")
        yield task.step("rolled_out || { reasons; exit 1; }")
        return
    _show(release, newest, chart, found["values"], wanted)
    yield task.change(chart, wanted, found["helm"])


@operation
def absent(release: str, namespace: str, timeout: int = 600, foreign: bool = True) -> Commands:
    """
    Have no such release, and nothing that is its own.

    + release: its name
    + namespace: where it is
    + timeout: seconds that Helm waits for its objects to be gone
    + foreign: whether one goes too that this project has not installed
    """
    found = read(Release, release=release, namespace=namespace)
    if not _newest(found, release):
        host.noop(f"there is no release {release}")
        return
    if not foreign and not any(one["description"] == _BY for one in found["revisions"]):
        host.noop(f"{release} was installed by somebody else")
        return
    task = _Task(release, namespace, timeout)
    yield task.step(task.uninstall)


class Step(Shell):
    """A step at a release: ``helm`` is the command of Helm's that its script is about."""

    def __init__(self, helm: str, script: str, seconds: int, text: str = "") -> None:
        self.helm = helm
        super().__init__(script, seconds=seconds, **({"_stdin": text} if text else {}))


class _Task:
    """What is done with a release, as shell steps; one at a time on a host, whoever runs them."""

    def __init__(self, release: str, namespace: str, timeout: int) -> None:
        self.release, self.namespace, self.timeout = release, namespace, timeout
        self.name = f"{shlex.quote(release)} --namespace {shlex.quote(namespace)}"
        self.waiting = f"--wait --timeout {timeout}s"
        self.uninstall = f"{HELM} uninstall {self.name} {self.waiting}"

    def step(self, command: str) -> Step:
        """Waits, if it has to, for a Helm that another run has left at work."""
        return Step(command, self._locked(command), self._seconds)

    def rollback(self, revision: int, helm: str) -> Step:
        """Does not wait: what comes after it does."""
        return self.step(f"{HELM} rollback {self.name} {revision}{_forced(helm)} > /dev/null")

    def change(self, chart: Pinned, values: Mapping[str, Any], helm: str) -> Step:
        """Installs or upgrades, waits, and goes back where that fails.

        The values go in by standard input, so that they are in no process list, no file and no log; to the
        host a connection that is cut looks like their end.
        """
        text = json.dumps(values, ensure_ascii=False, sort_keys=True)
        fetched, file = kept(chart, ".tgz")
        title = f"{self.release}: {chart['version']}"
        upgrade = (
            f"{HELM} upgrade {self.name} {file} --install --create-namespace --reset-values --values -"
            f" {self.waiting} --description {shlex.quote(_BY)}{_forced(helm)}"
        )
        script = f"""\
values=$(cat)
[ "$(printf %s "$values" | sha256sum)" = '{sha256(text)}  -' ] || {{
    echo {shlex.quote(f"{title}: the values did not arrive whole; nothing was changed")} >&2; exit 1
}}
{{ {fetched}; }} < /dev/null || {{
    echo {
            shlex.quote(f"{title}: the chart cannot be had from {chart['url']}; nothing was changed")
        } >&2; exit 1
}}
deployed() {{ {deployed(self.release, self.namespace)}; }} 2> /dev/null
newest() {{ {history(self.release, self.namespace)} | grep -o '"revision":[0-9]*' | tail -n 1; }} 2> /dev/null
before=$(deployed) made=$(newest)
if printf %s "$values" | {upgrade} > /dev/null && rolled_out; then exit 0; fi
echo {shlex.quote(f"{title} has not rolled out. Its history:")} >&2
{HELM} history {self.name} --max 5 >&2
reasons
if [ "$made" = "$(newest)" ]; then
    echo {shlex.quote(f"{self.release}: nothing was changed")} >&2
elif [ -z "$before" ]; then
    echo {
            shlex.quote(
                f"{self.release}: no revision was ever deployed that could be put back; this one is left "
                "as it is, to be looked at, and the next run goes on from it"
            )
        } >&2
elif end=$(($(date +%s) + {self.timeout})) &&
    {HELM} rollback {self.name} "$before" {self.waiting}{_forced(helm)} > /dev/null && rolled_out; then
    echo {shlex.quote(self.release)}": revision $before is back" >&2
else
    reasons
    echo {shlex.quote(self.release)}": revision $before was put back, and has not rolled out either" >&2
fi
exit 1"""
        return Step(upgrade, self._locked(script), self._seconds + DURATION, text)

    @property
    def _seconds(self) -> int:
        """For another's work, one's own, and the way back, each of which ends by itself."""
        return 5 * self.timeout + SILENCE

    def _locked(self, command: str) -> str:
        file = lock(self.release, self.namespace)
        busy = f"{self.release}: another run's Helm is still at it; see ps -C helm; nothing was changed"
        return f"""\
export LC_ALL=C
umask 077
mkdir -p "$(dirname {file})" && exec 9> {file}
flock --wait {3 * self.timeout} 9 || {{ echo {shlex.quote(busy)} >&2; exit 1; }}
end=$(($(date +%s) + {self.timeout}))
{functions(_SELECTOR, f"{self.namespace}/{self.release}")}
{command}"""


def _newest(found: ReleaseState, release: str) -> Revision | None:
    """The newest revision; None where there is none, or in a dry run no cluster yet."""
    if found["trouble"]:
        if preparing():
            return None
        why = next((line for line in found["trouble"] if line.startswith("Error")), found["trouble"][0])
        raise Refused(f"Helm cannot tell what {release} is ({why.strip()}); nothing was changed")
    return found["revisions"][-1] if found["revisions"] else None


def _stands(newest: Revision, chart: Pinned) -> bool:
    """Whether this version of the chart is deployed."""
    return newest["status"] == "deployed" and newest["chart"].endswith(f"-{chart['version']}")


def _recovery(task: _Task, found: ReleaseState, newest: Revision) -> Commands:
    """What brings a release that was left half done to a revision that was whole, or away."""
    former = _former(found["revisions"]) if newest["status"] in _PENDING else None
    left = f"{task.release} was left {newest['status']} by a run that was cut"
    if former:
        host.log(f"{left}: it goes back to revision {former['number']} first")
        yield task.rollback(former["number"], found["helm"])
    else:
        why = ", and no revision was ever deployed" if newest["status"] in _PENDING else ""
        host.log(f"{left}{why}: it is taken away first")
        yield task.step(task.uninstall)


def _former(revisions: Collection[Revision]) -> Revision | None:
    """The revision that was deployed last.

    Helm writes the former one as superseded just before the new one as deployed. One that failed may be
    superseded too, and its description then says so.
    """
    for status in ("deployed", "superseded"):
        whole = [one for one in revisions if one["status"] == status and " failed" not in one["description"]]
        if whole:
            return whole[-1]
    return None


def _forced(helm: str) -> str:
    return "" if helm.startswith("3.") or not helm else _ON_SERVER


def _canonical(values: Mapping[str, Any]) -> str:
    """Values as one text, the same for what Helm takes for the same: to it every number is a float."""
    return json.dumps(_floats(values), sort_keys=True)


def _floats(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _floats(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_floats(item) for item in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _show(
    release: str,
    newest: Revision | None,
    chart: Pinned,
    before: Mapping[str, Any],
    after: Mapping[str, Any],
) -> None:
    verb = f"Will upgrade {release} from {newest['chart']} to" if newest else f"Will install {release} in"
    show_change(f"{verb} version {chart['version']}", *yaml_without_secrets(before, after))
