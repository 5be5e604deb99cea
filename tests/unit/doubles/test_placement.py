"""DaemonSets and the scheduler: which pods go where, and why not."""

from __future__ import annotations

from typing import Any

import pytest
from controllers import budgets, daemonsets, endpoints, leftovers, placement
from controllers.actions import Action
from controllers.scheduler import place
from controllers.templates import template_hash
from objects import NOW, daemon_set, deployment, meta, node, pod

CONTROL_PLANE = {"key": "node-role.kubernetes.io/control-plane", "effect": "NoSchedule"}
NOT_READY = {"key": "node.kubernetes.io/not-ready", "effect": "NoSchedule"}
NODES = [node("a", taints=[CONTROL_PLANE]), node("b", disk="ssd"), node("c")]


def verbs(actions: list[Action]) -> list[str]:
    return [action.verb for action in actions]


def affinity(*terms: dict[str, Any]) -> dict[str, Any]:
    required = {"nodeSelectorTerms": [{"matchExpressions": [term]} for term in terms]}
    return {"affinity": {"nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": required}}}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({}, {"b", "c"}),
        ({"tolerations": [CONTROL_PLANE]}, {"a", "b", "c"}),
        ({"tolerations": [{"operator": "Exists"}]}, {"a", "b", "c"}),
        ({"tolerations": [{"key": "other", "operator": "Exists"}]}, {"b", "c"}),
        ({"nodeSelector": {"disk": "ssd"}}, {"b"}),
        (affinity({"key": "disk", "operator": "In", "values": ["ssd"]}), {"b"}),
        (affinity({"key": "disk", "operator": "NotIn", "values": ["ssd"]}), {"c"}),
        (affinity({"key": "disk", "operator": "Exists"}), {"b"}),
        (affinity({"key": "disk", "operator": "DoesNotExist"}), {"c"}),
        (
            affinity(
                {"key": "kubernetes.io/hostname", "operator": "In", "values": ["c"]},
                {"key": "disk", "operator": "In", "values": ["ssd"]},
            ),
            {"b", "c"},
        ),
    ],
)
def test_a_pod_may_be_on(spec: dict[str, Any], expected: set[str]) -> None:
    asked = pod("p", **spec)
    assert {n["metadata"]["name"] for n in NODES if not placement.refusal(asked, n, [])} == expected


def test_why_not_is_said_in_the_words_of_the_scheduler() -> None:
    assert place(pod("p"), [], []) == ("", "no nodes available to schedule pods")
    _, why = place(pod("p", nodeSelector={"disk": "hdd"}), NODES, [])
    assert why == (
        "0/3 nodes are available: 1 node(s) had untolerated taint "
        "{node-role.kubernetes.io/control-plane: }, 2 node(s) didn't match Pod's node affinity/selector. "
        "preemption: 0/3 nodes are available: 3 Preemption is not helpful for scheduling."
    )


def test_pods_are_spread_and_keep_apart_where_they_must() -> None:
    assert place(pod("p"), NODES, [pod("q", "b")]) == ("c", "")
    owner = deployment(2)
    others = [pod("q", "b", owner=owner), pod("r", "c"), pod("s", "c")]
    assert place(pod("p", owner=owner), NODES, others) == ("c", ""), "its own kind counts first"
    term = {"labelSelector": {"matchLabels": {"app": "x"}}, "topologyKey": "kubernetes.io/hostname"}
    against = {"affinity": {"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [term]}}}
    labels = {"metadata": {"labels": {"app": "x"}}}
    assert place(pod("p", **against), NODES, [pod("q", "b", **labels)]) == ("c", "")
    assert place(pod("p", **labels), NODES, [pod("q", "b", **against)]) == ("c", ""), "theirs counts, too"
    _, why = place(pod("p", **against), NODES, [pod("q", "b", **labels), pod("r", "c", **labels)])
    assert "2 node(s) didn't match pod anti-affinity rules. preemption" in why
    assert "1 Preemption is not helpful for scheduling, 2 No preemption" not in why
    assert "2 No preemption victims found for incoming pod, 1 Preemption is not helpful" in why


def test_two_cannot_have_one_port_of_a_host() -> None:
    ports = [{"containerPort": 9963, "hostPort": 9963, "protocol": "TCP"}]
    spec = {"containers": [{"name": "c", "image": "i", "ports": ports}], "hostNetwork": True}
    assert placement.refusal(pod("p", **spec), NODES[2], [pod("q", "c", **spec)]) == placement.PORTS
    assert placement.refusal(pod("p", **spec), NODES[2], [pod("q", "c")]) == ""


def test_a_daemon_set_makes_pods_for_the_nodes_it_may_have() -> None:
    made = daemonsets.actions(daemon_set(), NODES, [], NOW)
    assert verbs(made) == ["create", "create", "status"]
    assert [daemonsets._node_of(action.obj) for action in made[:2]] == ["b", "c"]
    for action in made[:2]:
        assert place(action.obj, NODES, [])[0] == daemonsets._node_of(action.obj)
    assert made[2].change["desiredNumberScheduled"] == 2
    cordoned = {**NODES[2], "spec": {"unschedulable": True}}
    assert place(made[1].obj, [*NODES[:2], cordoned], [])[0] == "c", "its pods tolerate a cordon"


def test_a_daemon_set_stays_where_only_new_pods_may_not_go() -> None:
    agent = daemon_set()
    mark = {"metadata": {"labels": {daemonsets.HASH: template_hash(agent["spec"]["template"])}}}
    there = [pod("p", "b", owner=agent, **mark)]
    silent = node("b", taints=[NOT_READY])
    assert verbs(daemonsets.actions(agent, [silent], there, NOW)) == ["status"]
    elsewhere = daemon_set(nodeSelector={"disk": "hdd"})
    assert verbs(daemonsets.actions(elsewhere, [silent], there, NOW)) == ["delete", "status"]


@pytest.mark.parametrize(
    ("most", "ready", "gone"),
    [
        (1, "abcd", "a"),
        (2, "abcd", "ab"),
        ("50%", "abcd", "ab"),
        (1, "abc", "d"),
        (2, "abc", "ad"),
        (1, "", "abcd"),
    ],
)
def test_a_daemon_set_is_replaced_in_turns(most: int | str, ready: str, gone: str) -> None:
    agent, nodes = daemon_set("i:2", most), [node(name) for name in "abcd"]
    old = {"metadata": {"labels": {daemonsets.HASH: "old"}}}
    pods = [pod(f"p{name}", name, owner=agent, ready=name in ready, **old) for name in "abcd"]
    made = daemonsets.actions(agent, nodes, pods, NOW)
    assert sorted(a.obj["spec"]["nodeName"] for a in made if a.verb == "delete") == list(gone)
    status = made[-1].change
    assert status["numberReady"] == len(ready)
    assert status["observedGeneration"] == 1
    assert "updatedNumberScheduled" not in status


def test_a_node_whose_pod_is_going_is_waited_for() -> None:
    agent = daemon_set()
    going = {"metadata": {"labels": {daemonsets.HASH: "old"}, "deletionTimestamp": "2026-01-01T12:00:30Z"}}
    made = daemonsets.actions(agent, [node("a"), node("b")], [pod("p", "a", owner=agent, **going)], NOW)
    assert [daemonsets._node_of(a.obj) for a in made if a.verb == "create"] == ["b"]


def service(**spec: Any) -> dict[str, Any]:
    ports = [{"name": "http", "port": 80, "targetPort": "web", "protocol": "TCP"}]
    return {
        "kind": "Service",
        "apiVersion": "v1",
        "metadata": meta("Service", "web"),
        "spec": {"selector": {"app": "web"}, "ports": ports, **spec},
    }


def test_endpoints_are_the_ready_pods_by_the_names_of_their_ports() -> None:
    named = [{"name": "c", "image": "i", "ports": [{"name": "web", "containerPort": 8080}]}]
    labels = {"metadata": {"labels": {"app": "web"}}}
    pods = [pod("p", "a", containers=named, **labels), pod("q", "b", ready=False, containers=named, **labels)]
    pods += [pod("r", "a"), pod("s", **labels)]
    made = endpoints.actions([service()], pods, [], [])
    assert verbs(made) == ["create", "create"]
    (subset,) = made[0].obj["subsets"]
    assert subset["ports"] == [{"name": "http", "port": 8080, "protocol": "TCP"}]
    assert [each["targetRef"]["name"] for each in subset["addresses"]] == ["p"]
    assert [each["targetRef"]["name"] for each in subset["notReadyAddresses"]] == ["q"]
    assert [each["conditions"]["ready"] for each in made[1].obj["endpoints"]] == [True, False]
    known = [[action.obj] for action in made]
    assert endpoints.actions([service()], pods, *known) == []
    assert verbs(endpoints.actions([service()], pods[1:], *known)) == ["patch", "patch"]
    assert verbs(endpoints.actions([], pods, *known)) == ["delete", "delete"]
    assert endpoints.actions([service(selector={})], pods, [], []) == []


def test_a_budget_counts_what_is_healthy() -> None:
    labels = {"metadata": {"labels": {"app": "web"}}}
    pods = [pod("p", "a", **labels), pod("q", "b", **labels), pod("r", "c", ready=False, **labels)]
    selector = {"matchLabels": {"app": "web"}}
    for spec, allowed in (({"minAvailable": 1}, 1), ({"maxUnavailable": 1}, 0), ({"minAvailable": "50%"}, 0)):
        budget = {
            "kind": "PodDisruptionBudget",
            "metadata": meta("Budget", "b"),
            "spec": {"selector": selector, **spec},
        }
        (action,) = budgets.actions([budget], pods, [])
        assert action.change["disruptionsAllowed"] == allowed, spec


def test_nobody_is_left_over() -> None:
    lost, silent = pod("p", "gone"), pod("q", "b")
    made = leftovers.actions([lost, silent], [node("b", ready="Unknown")], [], [], [], NOW)
    assert verbs(made) == ["delete", "status"]
    assert made[0].change == {"gracePeriodSeconds": 0}
    assert made[1].change["conditions"][0]["status"] == "False"
    orphan = pod("r", "a", owner=daemon_set())
    assert verbs(leftovers.actions([orphan], [node("a")], [], [], [], NOW)) == ["delete"]
    assert leftovers.actions([orphan], [node("a")], [], [], [daemon_set()], NOW) == []
