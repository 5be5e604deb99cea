"""root's way to the cluster."""

from __future__ import annotations

from pyinfra.context import host

from ciliumlab.facts.kubeconfig import CONFIG, Kubeconfig, merged
from ciliumlab.operations.api import Commands, operation, read
from ciliumlab.operations.steps import Shell


@operation
def present(context: str) -> Commands:
    """
    Have kubeadm's administrator in root's kubeconfig, where other clusters may be too.

    + context: its name there; it is the current one unless another was chosen

    What is in the file never leaves the host.
    """
    found = read(Kubeconfig, context=context)
    # Where kubeadm has made no administrator (yet, in a dry run), it is the step that says so.
    if not found["merged"] or found["current"] != found["merged"]:
        yield Shell(
            f"umask 077 && mkdir -p $(dirname {CONFIG}) && {merged(context)} > {CONFIG}.ciliumlab"
            f" && sync {CONFIG}.ciliumlab && mv -fT {CONFIG}.ciliumlab {CONFIG}"
        )
    elif found["mode"] != "600":
        yield Shell(f"chmod 600 {CONFIG}")
    else:
        host.noop(f"{CONFIG} has the context {context}")


@operation
def absent(context: str) -> Commands:
    """
    Have a context, and kubeadm's cluster and administrator, in root's kubeconfig no more.

    + context: its name there
    """
    if context not in read(Kubeconfig, context=context)["contexts"]:
        host.noop(f"{CONFIG} has no context {context}")
        return
    config = f"kubectl --kubeconfig {CONFIG} config"
    yield Shell(
        f'[ "$({config} current-context)" != {context} ] || {config} unset current-context;'
        f" {config} delete-user kubernetes-admin; {config} delete-cluster kubernetes;"
        f" {config} delete-context {context}"
    )
