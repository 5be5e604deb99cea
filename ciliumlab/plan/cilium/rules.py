"""Which values of Cilium's chart cannot be: what the chart refuses, and what its agent or operator does not
start with.

The final values are judged, computed and extra ones together. What stands here is the chart's own, of 1.18.0:
templates/validate.yaml, and cilium-configmap.yaml for kube-proxy.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ciliumlab.errors import Problem
from ciliumlab.plan.cilium.agent import agent
from ciliumlab.plan.cilium.chart import Values, given, minors, wrong_keys
from ciliumlab.plan.cilium.pools import pools
from ciliumlab.plan.cilium.wrong import Wrong
from ciliumlab.settings import Settings
from ciliumlab.topology import Topology
from ciliumlab.wording import listed, shown

_CLUSTER_NAME = re.compile(r"([a-z0-9][-a-z0-9]*)?[a-z0-9]")

# Where each of them asks for a ServiceMonitor, with the switch that it depends on and that switch's default.
_MONITORS = {
    "prometheus.serviceMonitor.enabled": ("prometheus.enabled", False),
    "operator.prometheus.serviceMonitor.enabled": ("operator.prometheus.enabled", True),
    "envoy.prometheus.serviceMonitor.enabled": ("envoy.prometheus.enabled", True),
    "hubble.relay.prometheus.serviceMonitor.enabled": ("hubble.relay.prometheus.enabled", False),
    "hubble.metrics.serviceMonitor.enabled": ("hubble.enabled", True),
}


def refused(topology: Topology, settings: Settings, values: dict[str, object]) -> list[Problem]:
    """Everything against the final ``values``, a line each."""
    minor = settings.cilium_version.rpartition(".")[0]
    if minor not in minors():
        what = f"{settings.cilium_version}: the keys of this chart are not known; known: {listed(minors())}"
        return [Problem("cilium_version", what)]
    extra = settings.cilium_extra_values
    nonsense = {**dict(_kube_proxy(Values(values))), **dict(wrong_keys(values, minor))}
    told = [*nonsense.items()]
    for keys, what in _broken(topology, Values(values)):
        # The one that somebody wrote, of those that do not go together.
        key = next((key for key in keys if given(extra, key)), keys[0])
        # What is no value at all is not judged as one.
        if key not in nonsense:
            told.append((key, what))
    return [Problem(f"cilium_extra_values: {_place(key)}", what) for key, what in told]


def _place(path: str) -> str:
    """A path for people: somebody wrote its names, and they may be empty or no characters at all."""
    return ".".join(shown(name) for name in path.split("."))


def _broken(topology: Topology, values: Values) -> Wrong:
    yield from _hubble(values)
    yield from _api_server(values)
    yield from _cluster(values)
    yield from _monitors(values)
    yield from agent(topology, values)
    yield from pools(topology, values)


def _kube_proxy(values: Values) -> Iterator[tuple[str, str]]:
    found = values.get("kubeProxyReplacement", "")
    word = str(found).lower() if isinstance(found, bool) else str(found)
    if word not in ("true", "false", ""):
        what = f"{shown(found)} is neither true nor false, and the chart refuses anything else; write true"
        yield "kubeProxyReplacement", what


def _hubble(values: Values) -> Wrong:
    relay = values.on("hubble.relay.enabled")
    if values.on("hubble.ui.enabled") and not values.on("hubble.ui.standalone.enabled") and not relay:
        yield (
            ("hubble.relay.enabled", "hubble.ui.enabled"),
            "Hubble's web page asks the relay, and the chart refuses it without one; set hubble.relay.enabled"
            " to true, or hubble.ui.enabled to false",
        )
    if relay and not values.on("hubble.enabled", True):
        yield (
            ("hubble.enabled", "hubble.relay.enabled"),
            "the relay asks Hubble in the agents, and the chart refuses it without that; set hubble.enabled"
            " to true, or hubble.relay.enabled and hubble.ui.enabled to false",
        )


def _api_server(values: Values) -> Wrong:
    reference = values.get("k8sServiceHostRef.name", "") and values.get("k8sServiceHostRef.key", "")
    if reference and values.get("k8sServiceHost", ""):
        yield (
            ("k8sServiceHostRef.name", "k8sServiceHostRef.key", "k8sServiceHostRef"),
            "the chart refuses it beside k8sServiceHost, which follows from lab.yaml; leave it out",
        )


def _cluster(values: Values) -> Wrong:
    name = str(values.get("cluster.name", "default"))
    if len(name) > 32 or not _CLUSTER_NAME.fullmatch(name):
        yield (
            ("cluster.name",),
            f"{shown(name)} is no name that the chart takes for a cluster; use 1 to 32 lower-case letters,"
            " digits and hyphens, with a letter or digit first and last",
        )
    elif name == "default" and values.get("cluster.id", 0) != 0:
        yield (
            ("cluster.id", "cluster.name"),
            "the chart refuses an id for a cluster with the name default; set cluster.name too",
        )


def _monitors(values: Values) -> Wrong:
    if values.on("prometheus.serviceMonitor.trustCRDsExist"):
        return
    for key, (switch, default) in _MONITORS.items():
        if values.on(key) and values.on(switch, default):
            yield (
                (key,),
                "a ServiceMonitor is refused without the definitions of monitoring.coreos.com/v1, which this"
                " lab does not install; install them and set prometheus.serviceMonitor.trustCRDsExist, or set"
                " it to false",
            )
