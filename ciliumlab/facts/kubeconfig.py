"""root's kubeconfig beside kubeadm's, compared on the host: what they hold leaves it never."""

from __future__ import annotations

from typing import TypedDict

from typing_extensions import override

from ciliumlab.facts.kubernetes import ADMIN
from ciliumlab.facts.shell import Sections, State, sections

CONFIG = "/root/.kube/config"


class KubeconfigState(TypedDict):
    """``merged`` and ``current`` are SHA-256 of what root's kubeconfig shall be and of what it is;
    ``merged`` is empty where kubeadm has made none. ``mode`` is root's file's, in octal digits.
    ``contexts`` are the names of those in root's file.
    """

    merged: str
    current: str
    mode: str
    contexts: list[str]


class Kubeconfig(State[KubeconfigState]):
    """How root's kubeconfig compares with kubeadm's under the context's name.

    + context: what kubeadm's context is called in root's kubeconfig
    """

    @override
    def command(self, context: str) -> str:
        return sections(
            merged=f"[ -e {ADMIN} ] && {merged(context)} | sha256sum | cut -d' ' -f1",
            current=f"sha256sum {CONFIG} | cut -d' ' -f1",
            mode=f"stat -c %a {CONFIG}",
            contexts=f"kubectl --kubeconfig {CONFIG} config get-contexts -o name",
        )

    @override
    def parse(self, found: Sections) -> KubeconfigState:
        return KubeconfigState(
            merged="".join(found["merged"]),
            current="".join(found["current"]),
            mode="".join(found["mode"]),
            contexts=found["contexts"],
        )


def merged(context: str) -> str:
    """A command that prints root's kubeconfig with kubeadm's cluster, user and context in it.

    Other clusters stay, and so does the context that somebody chose. kubectl's own rule merges: of
    several files, the first that names a thing counts (kubernetes.io/docs/concepts/configuration/
    organize-cluster-access-kubeconfig).
    """
    return (
        "( umask 077; new=$(mktemp) && trap 'rm -f \"$new\"' EXIT"
        f' && cp {ADMIN} "$new"'
        ' && kubectl --kubeconfig "$new" config rename-context kubernetes-admin@kubernetes'
        f" {context} > /dev/null"
        f" && {{ ! kubectl --kubeconfig {CONFIG} config current-context > /dev/null 2>&1"
        ' || kubectl --kubeconfig "$new" config unset current-context > /dev/null; }'
        f' && KUBECONFIG="$new:{CONFIG}" kubectl config view --raw --flatten )'
    )
