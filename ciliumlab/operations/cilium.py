"""Cilium: that its next minor version can come, that agents run what was declared, and what they leave."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import suppress

from pyinfra.context import host, state

from ciliumlab.facts.cilium import HOST_DEVICE, Agent, AgentState, HostRoute, PodCidrs, Traces
from ciliumlab.facts.helm import Release, ReleaseState
from ciliumlab.facts.shell import quoted
from ciliumlab.operations import helm
from ciliumlab.operations.api import Commands, Refused, operation, preparing, read, read_on
from ciliumlab.operations.cilium_agent import Values, against, mode_of, wanted_by
from ciliumlab.operations.steps import Shell
from ciliumlab.operations.waits import Until
from ciliumlab.sources import Pinned
from ciliumlab.versions import parsed

# cilium/cilium#41811: these look for such a route with the MTU of the mode that they run in, and so find no
# route that was made in the other one. #41819 mends it.
_LEAVING_ROUTES = ((1, 18, 0), (1, 18, 2))

_PREFLIGHT = "cilium-preflight"

# The chart's cgroup.hostRoot, which its init container mounts in the host's own namespace (cgroup.autoMount);
# nothing in a cgroup2 can be removed as a file.
_CGROUPS = "/run/cilium/cgroupv2"
_UNMOUNT = f"while mountpoint -q {_CGROUPS}; do umount {_CGROUPS} || exit 1; done"


@operation
def preflighted(release: str, namespace: str, chart: Pinned, values: Values, timeout: int = 600) -> Commands:
    """
    Before another minor version of Cilium, have its preflight checks passed on all nodes, and gone again.

    + release: of Cilium, as it is
    + namespace: where it is
    + chart: that it shall be of, see `ciliumlab.sources.Pinned`
    + values: that it shall have; the checks need k8sServiceHost and k8sServicePort of them
    + timeout: seconds in which the checks must have passed

    They fetch the new images on every node and look whether policies are still valid
    (docs.cilium.io/en/v1.18/operations/upgrade, "Running pre-flight check"). A minor version that is not the
    next one, or is an older one, refuses: between others no upgrade is tested.
    """
    found = read(Release, release=release, namespace=namespace)
    if found["trouble"] and not preparing():
        why = next((line for line in found["trouble"] if line.startswith("Error")), found["trouble"][0])
        raise Refused(f"Helm cannot tell what {release} is ({why.strip()}); nothing was changed")
    is_now, shall_be = _deployed(found), chart["version"]
    if is_now and parsed(is_now)[:2] != parsed(shall_be)[:2]:
        _next(is_now, shall_be)
        yield from helm.release._inner(
            release=_PREFLIGHT,
            namespace=namespace,
            chart=chart,
            values={
                "preflight": {"enabled": True},
                "agent": False,
                "operator": {"enabled": False},
                **{key: values[key] for key in ("k8sServiceHost", "k8sServicePort") if key in values},
            },
            timeout=timeout,
        )
        yield from helm.absent._inner(release=_PREFLIGHT, namespace=namespace, timeout=timeout)
    elif is_now and read(Release, release=_PREFLIGHT, namespace=namespace)["revisions"]:
        # What a run left that was cut, or that failed and was given up.
        yield from helm.absent._inner(release=_PREFLIGHT, namespace=namespace, timeout=timeout)
    else:
        host.noop(
            f"from {is_now} to {shall_be} the minor version stays" if is_now else "Cilium is not there yet"
        )


@operation
def running(values: Values, nodes: Collection[str] = (), version: str = "", timeout: int = 600) -> Commands:
    """
    Have the agent on this node run what the chart's values say.

    + values: of the release, complete; what they leave out is the chart's default
    + nodes: names of all nodes, to tell which of them runs what when this one runs something else
    + version: of Cilium, "1.18.0"; any by default, and where the values name an image of their own
    + timeout: seconds in which the agent must have come to it

    Not what it was told counts, but what it runs: an agent that was not restarted runs what it did before,
    and nodes in mixed modes drop each other's packets (cilium/cilium#9680).
    """
    wanted = wanted_by(values, version)

    def differing() -> list[str]:
        return list(against(host.name, read(Agent), wanted))

    found = differing()
    if not found:
        host.noop(f"the agent runs {wanted['mode']}, and all else as declared")
        return
    if preparing() and state.config.DIFF:
        for line in found:
            host.log(f"Will be waited for: {line}")
    yield Until(
        f"the agent on {host.name} runs what is declared",
        differing,
        seconds=timeout,
        besides=lambda: list(_mixed(nodes)),
    )


@operation
def without_stale_routes(node: str, through: str) -> Commands:
    """
    Have no route on this node that the agent left behind when it was switched from a tunnel to native mode.

    + node: this node's name in the cluster
    + through: a host of the control plane, where the nodes' pod CIDRs are asked for

    Agents 1.18.0 to 1.18.2 leave those that lead to other nodes' pods, by cilium_host, where no tunnel is
    any more. Others remove them, and are left to it.
    """
    found = read(Agent)
    if found["trouble"]:
        if not preparing():
            raise Refused(f"the agent on {node} does not answer ({found['trouble']}); nothing was changed")
        host.noop("to be seen once the agent runs")
        return
    if not _leaves_routes(found):
        host.noop(f"an agent {found['version']} that runs {mode_of(found)} leaves none")
        return
    stale = list(_stale(found, node, through))
    for route in stale:
        via = f" via {route['via']}" if route["via"] else ""
        yield Shell(f"ip -4 route delete {route['to']}{via} dev {HOST_DEVICE}")
    if not stale:
        host.noop(f"no route of {HOST_DEVICE} leads to pods of other nodes")


@operation
def absent() -> Commands:
    """
    Have nothing on a host that Cilium made there, once its cluster is gone.

    Without it kubelet takes the host's network for ready, though nobody is there that makes it.
    """
    found = read(Traces)
    # An end of a pair of devices takes the other one with it.
    if found["devices"]:
        links = quoted(found["devices"])
        yield Shell(f"for link in {links}; do [ ! -e /sys/class/net/$link ] || ip link delete $link; done")
    if found["files"]:
        yield Shell(f"{_UNMOUNT}; rm -rf {quoted(found['files'])}")
    if not found["devices"] and not found["files"]:
        host.noop("Cilium has left nothing here")


def _deployed(found: ReleaseState) -> str | None:
    """The version that runs: of the revision that was deployed last, and not of one that failed."""
    whole = [one["chart"] for one in found["revisions"] if one["status"] in ("deployed", "superseded")]
    return whole[-1].partition("-")[2] if whole else None


def _next(is_now: str, shall_be: str) -> None:
    """Refuses a version that is no next one."""
    (major, minor), wanted = parsed(is_now)[:2], parsed(shall_be)[:2]
    if wanted < (major, minor):
        raise Refused(
            f"Cilium {is_now} runs, and {shall_be} is older: there is no way back; nothing was changed"
        )
    if wanted != (major, minor + 1):
        raise Refused(
            f"Cilium {is_now} runs, and {shall_be} skips a minor version: upgrade to the newest"
            f" {major}.{minor + 1} first (--data cilium_version=…); nothing was changed"
        )


def _leaves_routes(found: AgentState) -> bool:
    oldest, newest = _LEAVING_ROUTES
    return (
        found["routing"] == "native"
        and bool(found["version"])
        and oldest <= parsed(found["version"]) <= newest
    )


def _stale(found: AgentState, node: str, through: str) -> Iterator[HostRoute]:
    pods = read_on(through, PodCidrs)
    if pods["trouble"]:
        raise Refused(f"the nodes' pod CIDRs cannot be read ({pods['trouble']}); nothing was changed")
    others = {cidr for name, its in pods["nodes"].items() if name != node for cidr in its["cidrs"]}
    yield from (route for route in found["routes"] if route["to"] in others)


def _mixed(nodes: Collection[str]) -> Iterator[str]:
    """That nodes run different modes, if so. One that cannot be asked runs none."""
    modes = {}
    for name in nodes:
        with suppress(Refused):
            if mode := mode_of(read_on(name, Agent)):
                modes[name] = mode
    if len({*modes.values()}) > 1:
        each = ", ".join(f"{name} {mode}" for name, mode in modes.items())
        yield f"nodes in mixed modes drop each other's packets: {each}"
