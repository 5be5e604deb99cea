"""Cilium's own tests, run on a host of the control plane, with the report kept there."""

from __future__ import annotations

import shlex
import time
from collections.abc import Mapping

from pyinfra.context import host

from ciliumlab.facts.kubernetes import ADMIN, Cluster
from ciliumlab.operations.api import Commands, Refused, operation, preparing, read
from ciliumlab.operations.steps import SILENCE, Shell

REPORTS = "/var/log/ciliumlab"

_CILIUM = f"KUBECONFIG={ADMIN} cilium"

# Scenarios that ask the internet for names, or for TLS by certificates that it trusts. The form of both is
# told by `cilium connectivity test --help`, at --test.
_INTERNET = ("!fqdn", "!/pod-to-world", "!/pod-to-cidr", "!tls")


@operation
def tested(outside: Mapping[str, str] | None = None, timeout: int = 3600) -> Commands:
    """
    Have Cilium say that it is well, and its connectivity tests passed; the report is kept in
    /var/log/ciliumlab.

    + outside: for a cluster without the internet, what stands for it: "address" and "other", two addresses
      that are no node's, and "network", which has both; what no such address can stand for is left out
    + timeout: seconds that the tests may take
    """
    found = read(Cluster)
    if found["trouble"] and not preparing():
        raise Refused(f"the cluster does not answer ({found['trouble'][0].strip()}); nothing was tested")
    yield Shell(f"{_CILIUM} status --wait --wait-duration {SILENCE}s", seconds=2 * SILENCE)
    report = f"{REPORTS}/connectivity-{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}"
    host.log(f"the report will be {report}.txt, and .xml for programs")
    command = f"{_CILIUM} connectivity test --timeout {timeout}s --junit-file {report}.xml{_away(outside)}"
    yield Shell(
        f"umask 022 && mkdir -p {REPORTS} && {{ {command} > {report}.txt 2>&1 && tail -n 1 {report}.txt ||"
        f" {{ tail -n 60 {report}.txt >&2; echo 'the whole report is {report}.txt' >&2; exit 1; }}; }}",
        seconds=timeout + SILENCE,
    )


def _away(outside: Mapping[str, str] | None) -> str:
    if not outside:
        return ""
    flags = {
        "external-ip": outside["address"],
        "external-other-ip": outside["other"],
        "external-cidr": outside["network"],
        "test": ",".join(_INTERNET),
    }
    return "".join(f" --{name} {shlex.quote(value)}" for name, value in flags.items())
