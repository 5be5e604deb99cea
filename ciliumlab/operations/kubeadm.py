"""A cluster by kubeadm: its control plane, the nodes that join it, and how either is undone."""

from __future__ import annotations

import copy
import secrets
import string
from collections.abc import Sequence
from functools import cache
from typing import Any

import yaml
from gevent.lock import BoundedSemaphore  # type: ignore[import-untyped]
from pyinfra.api.arguments import ConnectorArguments
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.connectors.util import CommandOutput
from pyinfra.context import host
from typing_extensions import override

from ciliumlab.facts.etcd import STOPPED
from ciliumlab.facts.kubernetes import KUBECTL, STARTED, Cluster, Node, NodeState
from ciliumlab.operations.api import Commands, Refused, operation, preparing, read, read_on
from ciliumlab.operations.steps import On, Shell

Document = dict[str, Any]

API = "kubeadm.k8s.io/v1beta4"

# Seconds that kubeadm may take: it pulls images, and waits up to four minutes for each of several things.
_DURATION = 1800

# Seconds in which a node that has joined must be known to the API server.
_REGISTRATION = 120

# By standard input, so that no secret is in a process list or a file. Through cat, as kubeadm opens its
# standard input anew by its name, which is refused for the socket that sshd may have put there.
_CONFIGURED = "cat | {command} --config /dev/stdin"


class Invitation:
    """What a node needs to join, made by this process and known to it alone until kubeadm takes it.

    The token is valid for an hour, and the certificate key, with which the control plane's certificates
    are encrypted that are handed over, for two (kubeadm's own limit).
    """

    def __init__(self) -> None:
        self.token = f"{_random(6)}.{_random(16)}"
        self.certificate_key = secrets.token_hex(32)
        self.taken: set[str] = set()
        """What the control plane has taken already, "token" and "certificate key"."""
        self.lock = BoundedSemaphore()


def _random(length: int) -> str:
    # [a-z0-9]{6}.[a-z0-9]{16}, kubernetes.io/docs/reference/access-authn-authz/bootstrap-tokens
    return "".join(secrets.choice(string.ascii_lowercase + string.digits) for _ in range(length))


@cache
def invitation() -> Invitation:
    """The one of this run."""
    return Invitation()


@operation
def initialised(documents: Sequence[Document]) -> Commands:
    """
    Have a control plane on a host, whose API server is well.

    + documents: kubeadm's configuration documents; a token that is None in them is filled in

    A control plane that is well is left alone. One whose ``kubeadm init`` was cut before it came to its
    end holds nothing yet: it is taken away and made again. One that was there and is not well stops the
    run, untouched: what it holds cannot be made again.
    """
    found = read(Node)
    if found["initialised"] and not found["started"] and not found["trouble"]:
        host.noop("the API server is well")
        return
    if _cut(found, "init"):
        host.log("kubeadm init was cut before it came to its end: it is undone and done again")
        yield _reset()
    elif found["stopped"] and not found["initialised"]:
        raise Refused(
            "the control plane was stopped to bring back a snapshot of etcd, and that was cut: restore it "
            "again (tasks/restore.py); nothing was touched"
        )
    elif found["initialised"]:
        raise Refused(
            f"the control plane was initialised and is not well ({_first(found['trouble'])}); nothing was "
            "touched: journalctl -u kubelet and crictl ps -a say more; a snapshot of etcd can be restored"
        )
    elif found["joined"]:
        raise Refused(
            f"this host is a worker of the cluster at {found['endpoint']}; reset it first (kubeadm reset)"
        )
    elif found["etcd"]:
        raise Refused("/var/lib/etcd holds the data of a former cluster; save it, then kubeadm reset")
    yield _Initialise("init", "kubeadm init --skip-token-print", _filled(documents))


@operation
def joined(documents: Sequence[Document], through: str) -> Commands:
    """
    Have a host joined to a cluster, as a worker or one of its control plane.

    + documents: kubeadm's configuration documents; token, certificate key and CA hashes that are None in
      them are filled in
    + through: a host of the control plane, where the token is made and the cluster asked

    A token of one hour is made when the first of a run's hosts has to join, and only then. A host that
    has joined is left alone, and one whose ``kubeadm join`` was cut is reset and joined again.
    """
    found = read(Node)
    wanted = next(one for one in documents if one["kind"] == "JoinConfiguration")
    name = wanted["nodeRegistration"]["name"]
    if found["joined"] and not found["started"]:
        yield from _left_alone(found, wanted, through)
        return
    if found["etcd"] and found["started"] != "join":
        raise Refused("/var/lib/etcd holds the data of a former cluster; save it, then kubeadm reset")
    cluster = read_on(through, Cluster)
    if cluster["trouble"] and not preparing():
        raise Refused(
            f"the cluster does not answer on {through}: {_first(cluster['trouble'])}; nothing was changed"
        )
    if found["touched"] or found["started"]:
        host.log("kubeadm join was cut before it came to its end: it is undone and done again")
        yield _reset()
        if name in cluster["members"]:
            # kubeadm refuses a node that it takes for ready, as the API server does for a while yet.
            yield On(through, f"{KUBECTL} delete node {name} --ignore-not-found")
    if "controlPlane" in wanted:
        yield _certificates(through, cluster["version"])
    yield _token(through, cluster["version"])
    yield _Begun("join", "kubeadm join", _filled(documents, cluster["ca_hash"]))
    yield _registered(name, through)


@operation
def reset() -> Commands:
    """
    Undo what kubeadm has made on a host, and all that the cluster kept there.
    """
    found = read(Node)
    if not found["touched"] and not found["started"]:
        host.noop("kubeadm has made nothing here")
        return
    yield _reset()


def _left_alone(found: NodeState, wanted: Document, through: str) -> Commands:
    at = wanted["discovery"]["bootstrapToken"]["apiServerEndpoint"]
    name = wanted["nodeRegistration"]["name"]
    control_plane = wanted.get("controlPlane")
    known = [at]
    if control_plane:
        # kubelet of a control-plane node talks to its own API server from 1.33 on: feature gate
        # ControlPlaneKubeletLocalMode (kubernetes.io/docs/reference/setup-tools/kubeadm/kubeadm-init).
        local = control_plane["localAPIEndpoint"]
        known.append(f"{local['advertiseAddress']}:{local['bindPort']}")
    if found["endpoint"] not in known:
        raise Refused(
            f"this host has joined the cluster at {found['endpoint']}, and the lab's is at {at}; "
            "reset it first (kubeadm reset)"
        )
    if control_plane and not found["initialised"]:
        raise Refused("this host has joined as a worker, and is of the control plane now; remove it first")
    if control_plane and found["trouble"]:
        raise Refused(f"the API server here is not well ({_first(found['trouble'])}); nothing was touched")
    cluster = read_on(through, Cluster)
    if cluster["trouble"] or name in cluster["members"]:
        host.noop(f"joined to {at}")
        return
    host.log(
        "this host has joined and the API server does not know it (any more): kubelet registers it again"
    )
    yield Shell("systemctl restart kubelet.service")
    yield _registered(name, through)


def _registered(name: str, through: str) -> On:
    return On(
        through,
        f"until {KUBECTL} get node {name} -o name; do [ $((n += 1)) -le {_REGISTRATION} ] ||"
        f' {{ echo "{name} has joined, and the API server does not know it: see its journalctl -u kubelet"'
        " >&2; exit 1; }; sleep 1; done",
        seconds=_REGISTRATION * 3,
    )


def _cut(found: NodeState, command: str) -> bool:
    """Whether kubeadm began here and did not come to its end; without our note, only while etcd, and so
    an API server, has never run.
    """
    return found["started"] == command or (found["touched"] and not found["etcd"] and not found["joined"])


def _reset() -> Shell:
    return Shell(
        f"kubeadm reset --force && rm -rf /var/lib/etcd/member {STOPPED} /etc/cni/net.d/05-cilium.conflist"
        f" && rm -f {STARTED}",
        seconds=_DURATION,
    )


class _Begun(Shell):
    """A kubeadm command of which a note is on the host from its beginning to its end."""

    def __init__(self, what: str, command: str, documents: str) -> None:
        super().__init__(
            f"mkdir -p $(dirname {STARTED}) && echo {what} > {STARTED} && sync {STARTED}"
            f" && {_CONFIGURED.format(command=command)} && rm {STARTED}",
            seconds=_DURATION,
            _stdin=documents,
        )


class _Initialise(_Begun):
    """``kubeadm init``, which makes the token of its documents; made again, kubeadm would refuse it."""

    @override
    def execute(self, state: State, host: Host, connector_arguments: ConnectorArguments) -> object:
        answer = super().execute(state, host, connector_arguments)
        if isinstance(answer, tuple) and answer[0]:
            invitation().taken.add("token")
        return answer


class _Invite(On):
    """A step on the control plane that the first host of a run takes for all; the others wait for it."""

    def __init__(self, other: str, what: str, command: str, documents: Sequence[Document]) -> None:
        # What kubeadm prints of it is the secret itself.
        super().__init__(other, f"{_CONFIGURED.format(command=command)} > /dev/null", _stdin=_yaml(documents))
        self.what = what

    @override
    def execute(self, state: State, host: Host, connector_arguments: ConnectorArguments) -> object:
        with invitation().lock:
            if self.what in invitation().taken:
                return True, CommandOutput([])
            answer = super().execute(state, host, connector_arguments)
            if isinstance(answer, tuple) and answer[0]:
                invitation().taken.add(self.what)
            return answer


def _token(through: str, version: str) -> _Invite:
    tokens = [{"token": invitation().token, "ttl": "1h0m0s"}]
    return _Invite(
        through,
        "token",
        "kubeadm token create",
        [
            {"apiVersion": API, "kind": "InitConfiguration", "bootstrapTokens": tokens},
            _version(version),
        ],
    )


def _certificates(through: str, version: str) -> _Invite:
    key = invitation().certificate_key
    return _Invite(
        through,
        "certificate key",
        "kubeadm init phase upload-certs --upload-certs --skip-certificate-key-print",
        [{"apiVersion": API, "kind": "InitConfiguration", "certificateKey": key}, _version(version)],
    )


def _version(version: str) -> Document:
    """Without it kubeadm asks the internet which version is the newest."""
    return {"apiVersion": API, "kind": "ClusterConfiguration", "kubernetesVersion": version}


def _filled(documents: Sequence[Document], ca_hash: str = "") -> str:
    """The documents as YAML with what is secret or known only now: a copy, which stays in this process."""
    filled = copy.deepcopy(list(documents))
    for document in filled:
        for token in document.get("bootstrapTokens", []):
            token["token"] = token["token"] or invitation().token
        if discovery := document.get("discovery"):
            discovery["bootstrapToken"]["token"] = invitation().token
            discovery["bootstrapToken"]["caCertHashes"] = [ca_hash]
        if "controlPlane" in document:
            document["controlPlane"]["certificateKey"] = invitation().certificate_key
    return _yaml(filled)


def _yaml(documents: Sequence[Document]) -> str:
    return yaml.safe_dump_all(documents, sort_keys=False)


def _first(lines: Sequence[str]) -> str:
    return lines[0].strip() if lines else "it says nothing"
