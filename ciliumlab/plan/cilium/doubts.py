"""What can be deployed and yet is hardly meant: values and settings that have no effect, or another one."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ciliumlab.errors import Problem
from ciliumlab.plan.cilium import computed
from ciliumlab.plan.cilium.chart import Values
from ciliumlab.plan.cilium.pools import LIST, MASK_SIZE
from ciliumlab.plan.cilium.wrong import replaces_kube_proxy, runs, tunnelled
from ciliumlab.plan.objects import pool_segments
from ciliumlab.settings import Settings
from ciliumlab.topology import Topology
from ciliumlab.versions import parsed
from ciliumlab.wording import listed

# The minors of Kubernetes that a minor of Cilium is tested with: its documentation, "Kubernetes
# Compatibility", of 1.18.
_TESTED = {"1.18": (30, 33)}

_DURATION = re.compile(r"([0-9]*\.?[0-9]+)(ms|s|m|h)")
_SECONDS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}


def doubts(topology: Topology, settings: Settings) -> list[Problem]:
    """What a person should know about these settings, a line each; none of it stops a deploy."""
    values = Values(computed.values(topology, settings))
    return [
        *_versions(settings),
        *_parts(values),
        *_datapath(settings, values),
        *_routes(settings, values),
        *_pods(topology, values),
        *_addresses(topology, settings, values),
        *_announcements(topology, values),
    ]


def _versions(settings: Settings) -> Iterator[Problem]:
    first, last = _TESTED.get(settings.cilium_version.rpartition(".")[0], (0, 99))
    if not first <= parsed(settings.kubernetes_version)[1] <= last:
        what = f"{settings.kubernetes_version}: Cilium {settings.cilium_version} is tested with Kubernetes"
        yield Problem("kubernetes_version", f"{what} 1.{first} to 1.{last}; it may work nevertheless")


def _parts(values: Values) -> Iterator[Problem]:
    """What a release is made of, in a deploy that waits for all of it."""
    for key, what in (("agent", "agents"), ("operator.enabled", "operator")):
        if not values.on(key, True):
            yield Problem(f"cilium_extra_values: {key}", f"without the {what} nothing works; leave it out")
    if values.on("preflight.enabled"):
        what = "is for a release of its own, before an upgrade; leave it out"
        yield Problem("cilium_extra_values: preflight.enabled", what)


def _datapath(settings: Settings, values: Values) -> Iterator[Problem]:
    if runs(values) != settings.datapath:
        what = f"the agents would run {runs(values)}, while kernel modules and checks follow datapath"
        yield Problem(
            "cilium_extra_values: routingMode", f"{what} ({settings.datapath}); set datapath instead"
        )


def _routes(settings: Settings, values: Values) -> Iterator[Problem]:
    routed = settings.pod_routes
    if routed != "none" and tunnelled(values):
        what = f"{routed} changes nothing between pods, which reach those of other nodes through the tunnel"
        yield Problem("pod_routes", f"{what}; set it to none, or datapath to native")
    if routed == "bgp" and not values.on("bgpControlPlane.enabled"):
        what = "without it nothing is announced to the router; leave it out"
        yield Problem("cilium_extra_values: bgpControlPlane.enabled", what)
    if settings.bgp_load_balancer_ips and routed != "bgp":
        what = f"has no effect with pod_routes {routed}; set that to bgp, or this to false"
        yield Problem("bgp_load_balancer_ips", what)


def _pods(topology: Topology, values: Values) -> Iterator[Problem]:
    kubernetes = topology.kubernetes
    if values.text("ipam.mode", "cluster-pool") != "cluster-pool":
        what = "shares of pod addresses then do not come from lab.yaml's pod CIDR by itself; leave it out"
        yield Problem("cilium_extra_values: ipam.mode", what)
        return
    if (first := next(iter(values.words(LIST)), "")) != str(kubernetes.pod_cidr):
        what = f"{first} comes before lab.yaml's {kubernetes.pod_cidr}, which nodes have routes for"
        yield Problem(f"cilium_extra_values: {LIST}", f"{what}; add pools behind it only")
    if values.get(MASK_SIZE, 24) != kubernetes.pod_cidr_mask_size:
        what = f"differs from lab.yaml's pod_cidr_mask_size, {kubernetes.pod_cidr_mask_size}"
        yield Problem(f"cilium_extra_values: {MASK_SIZE}", f"{what}; leave it out, and change it there")


def _addresses(topology: Topology, settings: Settings, values: Values) -> Iterator[Problem]:
    announced = "l2_announcements" if settings.l2_announcements else ""
    for name in filter(None, (announced, "bgp_load_balancer_ips" if settings.bgp_load_balancer_ips else "")):
        if not topology.pools:
            yield Problem(name, "there is no address to announce; add a pool to load_balancer in lab.yaml")
    if settings.workloads and not topology.pools:
        what = "without a pool in lab.yaml, their services have no address outside of the cluster"
        yield Problem("workloads", what)
    if announced:
        alone = [s.name for s in pool_segments(topology) if not topology.nodes_on(s)]
        if alone:
            what = f"no node stands on {listed(alone)} to answer for the pools there; add one, or move them"
            yield Problem(announced, what)
        if not values.on("l2announcements.enabled"):
            what = "without it no agent answers for any address; leave it out"
            yield Problem("cilium_extra_values: l2announcements.enabled", what)


def _announcements(topology: Topology, values: Values) -> Iterator[Problem]:
    if not values.on("l2announcements.enabled"):
        return
    where = "cilium_extra_values: l2announcements"
    if not replaces_kube_proxy(values):
        what = "nobody answers where kube-proxy is not replaced, and nobody says so; set it to true"
        yield Problem("cilium_extra_values: kubeProxyReplacement", what)
    duration = _seconds(values.get("l2announcements.leaseDuration", "15s"))
    deadline = _seconds(values.get("l2announcements.leaseRenewDeadline", "5s"))
    retry = _seconds(values.get("l2announcements.leaseRetryPeriod", "2s"))
    if duration < 1:
        yield Problem(f"{where}.leaseDuration", "is below one second, and the agent takes one second instead")
    if deadline >= duration:
        what = "is not shorter than leaseDuration, and the agent shortens it; give a shorter one"
        yield Problem(f"{where}.leaseRenewDeadline", what)
    if retry >= deadline:
        what = "is not shorter than leaseRenewDeadline, and the agent shortens it; give a shorter one"
        yield Problem(f"{where}.leaseRetryPeriod", what)
    services = computed.announced(topology)
    qps = values.get("k8sClientRateLimit.qps", computed.BASE_QPS)
    needed = computed.needed_qps(services, deadline) - computed.BASE_QPS if deadline > 0 else 0
    if isinstance(qps, int | float) and qps < needed:
        what = f"{qps} requests a second are too few to renew {services} leases, which takes {needed}"
        yield Problem("cilium_extra_values: k8sClientRateLimit.qps", f"{what}; leave it out, or raise it")


def _seconds(duration: object) -> float:
    """A duration of Go, "1m30s", in seconds; 0 for what is none."""
    return sum(float(number) * _SECONDS[unit] for number, unit in _DURATION.findall(str(duration)))
