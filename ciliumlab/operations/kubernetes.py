"""Kubernetes' packages and nodes: which version runs where, and how it moves to the next."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from pyinfra.context import host

from ciliumlab.facts.apt import Offered, Packages
from ciliumlab.facts.kubernetes import ADMIN, KUBECTL, UPGRADING, Cluster, ClusterState, Node
from ciliumlab.operations import apt
from ciliumlab.operations.api import Commands, Refused, operation, preparing, read, read_on
from ciliumlab.operations.steps import On, Shell
from ciliumlab.wording import closest

PACKAGES = ("kubeadm", "kubectl", "kubelet")

# Every package of pkgs.k8s.io has been released once: the part after the version has never been another.
_REVISION = "1.1"

_TAINT = "node-role.kubernetes.io/control-plane:NoSchedule"

# Seconds in which a node has to be drained, and in which it has to come back.
_PATIENCE = 300
_DURATION = 1800

# Without a limit for a single request, which here would end the watch that it waits by.
_WAIT = f"kubectl --kubeconfig {ADMIN} wait"

# A shell command that waits until the API server answers and says what keeps it from that; kubectl itself
# gives up at the first refused connection.
SERVED = (
    f"until {KUBECTL} get --raw /readyz > /dev/null 2>&1; do [ $((n += 1)) -le 120 ] ||"
    f' {{ {KUBECTL} get --raw "/readyz?verbose" >&2; exit 1; }}; sleep 2; done'
)


def packages(version: str, names: Collection[str] = PACKAGES) -> list[str]:
    """Kubernetes' packages with their versions in pkgs.k8s.io: "kubelet=1.33.2-1.1"."""
    return [f"{name}={version}-{_REVISION}" for name in names]


@operation
def unmoved(version: str) -> Commands:
    """
    Make sure that the packages of a node are in no other version than the wanted one.

    + version: of Kubernetes, "1.33.2"

    A node of a cluster moves by an upgrade (drained, and after the control plane) and by nothing else, so
    that another version refuses. Where no cluster is yet, any version is replaced.
    """
    there = read(Packages)["packages"]
    others = [
        f"{name} {there[name]['version']}"
        for name in PACKAGES
        if name in there and there[name]["installed"] and not apt.satisfies(there, *packages(version, [name]))
    ]
    if others and read(Node)["joined"]:
        raise Refused(
            f"{', '.join(others)} is installed on a node of a cluster, and {version} is wanted: a node moves"
            " by an upgrade alone; do one, or want the version that runs; nothing was changed"
        )
    host.noop(f"{', '.join(others)} will be replaced" if others else f"no other version than {version}")
    yield from ()


@operation
def offered(version: str, repository: str) -> Commands:
    """
    Make sure that a package repository has a version of Kubernetes, before anything is replaced by it.

    + version: of Kubernetes, "1.33.3"
    + repository: URL of a flat apt repository, with a slash at its end

    Nothing is asked where that version is installed already.
    """
    there = read(Packages)["packages"]
    wanted = [one for one in packages(version) if not apt.satisfies(there, one)]
    if wanted:
        versions = read(Offered, index=f"{repository}Packages", names=[*PACKAGES])
        if not versions:
            raise Refused(f"{repository}Packages cannot be read from this host; nothing was changed")
        if lacking := [one for one in wanted if one not in versions]:
            near = closest(lacking[0], versions)
            raise Refused(
                f"{repository} has no {', '.join(lacking)}"
                + (f" (the nearest is {near})" if near else "")
                + "; nothing was changed"
            )
    host.noop(f"{version} is {'to be had' if wanted else 'installed'}")
    yield from ()


@operation
def upgradable(version: str, nodes: Collection[str], through: str) -> Commands:
    """
    Make sure that a cluster can move to a version, before anything does.

    + version: of Kubernetes, "1.33.3": another patch, or the next minor version
    + nodes: names of the nodes that the cluster must have
    + through: a host of the control plane, where the cluster is asked
    """
    problems = list(_hindrances(read_on(through, Cluster), version, nodes))
    if problems:
        raise Refused("; ".join(problems) + "; nothing was changed")
    host.noop(f"the cluster can move to {version}")
    yield from ()


def moves(version: str, through: str) -> bool:
    """Whether any part of the cluster is in another version than the wanted one."""
    cluster = read_on(through, Cluster)
    found = {cluster["version"], *(member["version"] for member in cluster["members"].values())}
    return found != {f"v{version}"}


def _hindrances(cluster: ClusterState, version: str, nodes: Collection[str]) -> Iterator[str]:
    """Rules from kubernetes.io/docs/tasks/administer-cluster/kubeadm/kubeadm-upgrade and
    kubernetes.io/releases/version-skew-policy.
    """
    if cluster["trouble"]:
        yield f"the cluster does not answer ({cluster['trouble'][0].strip()})"
        return
    is_now, shall_be = _numbers(cluster["version"]), _numbers(version)
    if shall_be < is_now:
        yield f"the cluster runs {cluster['version']}, and {version} is older: kubeadm does not go back"
    if shall_be[:2] > (is_now[0], is_now[1] + 1):
        yield (
            f"the cluster runs {cluster['version']}, and {version} skips a minor version: "
            f"upgrade to {is_now[0]}.{is_now[1] + 1} first"
        )
    for name in nodes:
        if name not in cluster["members"]:
            yield f"{name} is not in the cluster: join it first (deploy.py)"
        elif not cluster["members"][name]["ready"] and not cluster["members"][name]["upgrading"]:
            yield f"{name} is not Ready: kubectl describe node {name} says why"


@operation
def upgraded(version: str, node: str, through: str, first: bool = False, cut: bool = False) -> Commands:
    """
    Move a node of a cluster to a version: drained, upgraded by kubeadm, kubelet restarted, and back.

    + version: of Kubernetes, "1.33.3"; its package repository must be declared on the host already
    + node: the node's name
    + through: a host of the control plane, where the cluster is asked
    + first: upgrade the control plane as a whole, before any other node
    + cut: only when an upgrade of this node has been cut before it came to its end

    Each step looks at what is, so that one that was cut goes on where it ended. It refuses while another
    node is on its way: that one was cut or has failed, and two that are drained may be one too many.
    """
    cluster = _answering(read_on(through, Cluster))
    member = cluster["members"].get(node)
    if member is None:
        raise Refused(f"{node} is not in the cluster; nothing was changed")
    if cut and not member["upgrading"]:
        host.noop("no upgrade was cut here")
        return
    if others := [one for one, its in cluster["members"].items() if its["upgrading"] and one != node]:
        raise Refused(f"the upgrade of {', '.join(others)} has not come to its end; nothing was changed here")
    runs = f"v{version}"
    if not first and cluster["version"] != runs and not preparing():
        # kubernetes.io/releases/version-skew-policy: kubelet is never newer than an API server.
        raise Refused(
            f"the control plane runs {cluster['version']}, and goes to {version} before any other node;"
            " nothing was changed here"
        )
    there = read(Packages)["packages"]
    to_install = [one for one in packages(version) if not apt.satisfies(there, one)]
    if (
        not to_install
        and member["version"] == runs
        and not member["upgrading"]
        and cluster["version"] == runs
    ):
        host.noop(f"{node} runs {version}")
        return
    moves = member["version"] != runs
    kubeadm = [one for one in to_install if one.startswith("kubeadm=")]
    if kubeadm:
        yield from _installed(kubeadm)
    # Again where it may have been cut: the API server is neither the first nor the last thing that it moves.
    if first and not cluster["version"] == member["version"] == runs:
        yield Shell(f"kubeadm upgrade apply {runs} --yes", seconds=_DURATION)
    if moves:
        if not member["cordoned"]:
            yield On(through, f"{KUBECTL} annotate node {node} --overwrite {UPGRADING}={runs}")
        yield On(
            through,
            f"{KUBECTL} drain {node} --ignore-daemonsets --delete-emptydir-data --timeout {_PATIENCE}s",
            seconds=2 * _PATIENCE,
        )
        if not first:
            yield Shell("kubeadm upgrade node", seconds=_DURATION)
    rest = [one for one in to_install if one not in kubeadm]
    if rest:
        yield from _installed(rest)
    if moves:
        yield Shell("systemctl daemon-reload && systemctl restart kubelet.service")
    if moves or member["upgrading"]:
        yield On(
            through,
            f"{SERVED} && {_WAIT} node/{node} --timeout {_PATIENCE}s"
            f" --for=jsonpath='{{.status.nodeInfo.kubeletVersion}}'={runs}"
            f" && {_WAIT} node/{node} --timeout {_PATIENCE}s --for=condition=Ready",
            seconds=3 * _PATIENCE,
        )
    if member["upgrading"] or (moves and not member["cordoned"]):
        yield On(through, f"{KUBECTL} uncordon {node} && {KUBECTL} annotate node {node} {UPGRADING}-")


@operation
def removable(node: str, first: str) -> Commands:
    """
    Make sure that a node can be taken out of a cluster.

    + node: its name
    + first: the control-plane node that everything is done through, which cannot go itself
    """
    if not node:
        raise Refused("say which node is to be removed: --data node=NAME; nothing was touched")
    if node == first:
        raise Refused(
            f"{node} is the first control-plane node, and all goes through it; reset the cluster instead"
        )
    _answering(read(Cluster))
    host.noop(f"{node} can be removed")
    yield from ()


@operation
def drained(node: str, through: str) -> Commands:
    """
    Have a node without pods but those of daemon sets, before it goes.

    + node: the node's name; one that the cluster does not have is as it should be
    + through: a host of the control plane
    """
    cluster = _answering(read_on(through, Cluster))
    if node not in cluster["members"]:
        host.noop(f"{node} is not in the cluster")
        return
    # A node that is not there any more cannot say that a pod has ended: it is not waited for.
    gone = (
        ""
        if cluster["members"][node]["ready"]
        else " --force --grace-period 0 --skip-wait-for-delete-timeout 1"
    )
    yield On(
        through,
        f"{KUBECTL} drain {node} --ignore-daemonsets --delete-emptydir-data --timeout {_PATIENCE}s{gone}",
        seconds=2 * _PATIENCE,
    )


@operation
def removed(node: str, through: str) -> Commands:
    """
    Have a cluster without a node.

    + node: the node's name
    + through: a host of the control plane
    """
    cluster = _answering(read_on(through, Cluster))
    if node in cluster["members"]:
        yield On(through, f"{KUBECTL} delete node {node}")
    else:
        host.noop(f"{node} is not in the cluster")


@operation
def scheduled(nodes: Collection[str], workloads: bool) -> Commands:
    """
    Let workloads run on the nodes of the control plane, or keep them away; on one of its hosts.

    + nodes: names of the control plane's nodes
    + workloads: whether workloads run there
    """
    cluster = read(Cluster)
    if cluster["trouble"] and preparing():
        host.noop("to be seen once there is a cluster")
        return
    members = _answering(cluster)["members"]
    wrong = [name for name in nodes if name in members and (_TAINT in members[name]["taints"]) == workloads]
    if wrong:
        yield Shell(f"{KUBECTL} taint node {' '.join(wrong)} {_TAINT}{'-' if workloads else ''}")
    else:
        host.noop(f"workloads {'run' if workloads else 'do not run'} on {', '.join(nodes)}")


@operation
def without_kube_proxy() -> Commands:
    """
    Have no kube-proxy in the cluster, which another program replaces; on a host of the control plane.
    """
    cluster = read(Cluster)
    if cluster["trouble"] and preparing():
        host.noop("to be seen once there is a cluster")
    elif _answering(cluster)["kube_proxy"]:
        yield Shell(
            f"{KUBECTL} -n kube-system delete daemonset/kube-proxy configmap/kube-proxy --ignore-not-found"
        )
    else:
        host.noop("there is no kube-proxy")


def _answering(cluster: ClusterState) -> ClusterState:
    if cluster["trouble"]:
        raise Refused(f"the cluster does not answer ({cluster['trouble'][0].strip()}); nothing was changed")
    return cluster


def _installed(packages: Sequence[str]) -> Commands:
    """Installing what is held takes the hold away, so that it is put back."""
    yield from apt.install(packages)
    yield apt.mark("hold", [package.partition("=")[0] for package in packages])


def _numbers(version: str) -> tuple[int, ...]:
    """(1, 33, 2) of "v1.33.2" or "1.33.2"."""
    return tuple(int(part) for part in version.lstrip("v").split("-")[0].split("."))
