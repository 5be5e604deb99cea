"""What of a live object is drift, and what an API server or a controller has filled in."""

from __future__ import annotations

from typing import Any

import pytest

from ciliumlab.drift import difference, shown
from ciliumlab.objects import documents, key, labelled, merged, of_part, title


def entry(manager: str, fields: dict[str, Any], subresource: str = "") -> dict[str, Any]:
    return {"manager": manager, "operation": "Update", "fieldsV1": fields, "subresource": subresource}


def live(spec: Any, *entries: dict[str, Any]) -> dict[str, Any]:
    metadata = {"name": "a", "managedFields": list(entries)}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec}


def wanted(spec: Any) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "a"}, "spec": spec}


CONTAINER = 'k:{"name":"c"}'
PORT = 'k:{"containerPort":80,"protocol":"TCP"}'


def owned(below: dict[str, Any]) -> dict[str, Any]:
    return {"f:spec": {"f:containers": {CONTAINER: {".": {}, "f:name": {}, **below}}}}


@pytest.mark.parametrize(
    ("asked", "there"),
    [
        ({"cpu": "1000m"}, {"cpu": "1"}),
        ({"cpu": 1}, {"cpu": "1"}),
        ({"cpu": 0.5}, {"cpu": "500m"}),
        ({"memory": "1024Mi"}, {"memory": "1Gi"}),
        ({"memory": "1500M"}, {"memory": "1500M"}),
    ],
)
def test_quantities_are_what_they_are_worth(asked: dict[str, Any], there: dict[str, Any]) -> None:
    spec = {"containers": [{"name": "c", "resources": {"limits": asked}}]}
    found = {"containers": [{"name": "c", "resources": {"limits": there}}]}
    assert not difference(wanted(spec), live(found, entry("ciliumlab", owned({}))))


@pytest.mark.parametrize(
    ("asked", "there", "said"),
    [
        ({"limits": {"cpu": "1"}}, {"limits": {"cpu": "2"}}, "spec.limits.cpu"),
        ({"size": "1k"}, {"size": "1000"}, "spec.size"),
        ({"on": True}, {"on": 1}, "spec.on"),
        ({"on": True}, {}, "spec.on"),
        ({"on": False}, {}, ""),
        ({"on": False}, {"on": True}, "spec.on"),
        ({"empty": {}, "none": [], "zero": 0, "text": ""}, {}, ""),
        ({"list": [1, 2]}, {"list": [2, 1]}, "spec.list[0], spec.list[1]"),
        ({"list": [1]}, {"list": [1, 2]}, "spec.list"),
        ({"list": [{"a": 1}]}, {"list": [{"a": 1, "filled": 2}]}, ""),
        ({"list": [{"a": 1}]}, {"list": [{"a": 2}]}, "spec.list[0].a"),
        ({"map": {"a": 1}}, {"map": "a"}, "spec.map"),
    ],
)
def test_what_differs_is_named(asked: Any, there: Any, said: str) -> None:
    assert str(difference(wanted(asked), live(there, entry("ciliumlab", {"f:spec": {}})))) == said


def test_whose_it_is_decides_about_what_was_not_asked_for() -> None:
    spec = {"a": 1, "filled": 1, "scheduled": 1, "scaled": 1, "added": {"x/y": 1}, "former": 1}
    found = difference(
        wanted({"a": 1}),
        live(
            spec,
            entry("ciliumlab", {"f:spec": {"f:a": {}, "f:former": {}}}),
            entry("kube-scheduler", {"f:spec": {"f:scheduled": {}}}),
            entry("kubectl", {"f:spec": {"f:scaled": {}}}, subresource="scale"),
            entry("kubectl-edit", {"f:spec": {"f:added": {"f:x/y": {}}}}),
        ),
    )
    assert (found.changed, found.extra) == ([("spec", "former")], [("spec", "added")])
    assert found.removals() == [{"op": "remove", "path": "/spec/added"}]


def test_items_are_told_apart_by_their_keys() -> None:
    asked = {"containers": [{"name": "c", "ports": [{"containerPort": 80}, {"containerPort": 81}]}]}
    there = {
        "containers": [
            {"name": "added"},
            {"name": "filled-in"},
            {"name": "c", "ports": [{"containerPort": 80, "protocol": "TCP", "hostPort": 8}]},
        ]
    }
    found = difference(
        wanted(asked),
        live(
            there,
            entry("ciliumlab", owned({"f:ports": {PORT: {".": {}, "f:containerPort": {}}}})),
            entry("edit", {"f:spec": {"f:containers": {'k:{"name":"added"}': {".": {}, "f:name": {}}}}}),
            entry("edit", owned({"f:ports": {PORT: {"f:hostPort": {}}}})),
        ),
    )
    assert found.changed == [("spec", "containers", 2, "ports", "81")]
    assert [one["path"] for one in found.removals()] == [
        "/spec/containers/0",
        "/spec/containers/2/ports/0/hostPort",
    ]


def test_removals_do_not_move_one_another() -> None:
    keys = {f'k:{{"name":"{name}"}}': {".": {}} for name in ("x", "y")}
    there = {"containers": [{"name": "c"}, {"name": "x"}, {"name": "y"}]}
    entries = entry("ciliumlab", owned({})), entry("edit", {"f:spec": {"f:containers": keys}})
    found = difference(wanted({"containers": [{"name": "c"}]}), live(there, *entries))
    assert [one["path"] for one in found.removals()] == ["/spec/containers/2", "/spec/containers/1"]


def test_a_whole_that_somebody_has_written_anew_is_taken_back() -> None:
    whole = {"f:spec": {"f:selector": {}}}
    there = live({"selector": {"a": "b", "c": "d"}}, entry("kubectl-edit", whole))
    assert str(difference(wanted({"selector": {"a": "b"}}), there)) == "spec.selector"
    shared = live({"selector": {"a": "b"}}, entry("ciliumlab", whole), entry("kubectl-edit", whole))
    assert not difference(wanted({"selector": {"a": "b"}}), shared)


def test_labels_of_others_are_theirs() -> None:
    one = live({}, entry("ciliumlab", {"f:metadata": {"f:labels": {"f:a": {}, "f:gone": {}}}}))
    one["metadata"]["labels"] = {"a": "2", "gone": "1", "theirs": "1"}
    asked = wanted({})
    asked["metadata"]["labels"] = {"a": "1"}
    assert str(difference(asked, one)) == "metadata.labels.a, metadata.labels.gone"


def test_what_is_shown_is_what_was_asked_for_and_what_is_extra() -> None:
    there = live(
        {"a": 2, "filled": 1, "added": {"b": 1}}, entry("edit", {"f:spec": {"f:added": {"f:b": {}}}})
    )
    asked = wanted({"a": 1})
    assert shown(asked, there, difference(asked, there))["spec"] == {"a": 2, "added": {"b": 1}}


def test_objects_are_told_apart_and_given_their_labels() -> None:
    one = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "a", "creationTimestamp": None},
    }
    assert key(one) == ("apps", "Deployment", "default", "a")
    assert (title(one), title({**one, "metadata": {"name": "a", "namespace": "b"}})) == (
        "Deployment a",
        "Deployment b/a",
    )
    (copy,) = labelled([one], "shop")
    assert copy["metadata"] == {
        "name": "a",
        "labels": {"app.kubernetes.io/managed-by": "ciliumlab", "ciliumlab.io/part": "shop"},
    }
    assert "labels" not in one["metadata"]
    assert (of_part([one, copy], "shop"), of_part([copy], "other", "more")) == ([copy], [])


def test_a_manifest_is_its_objects() -> None:
    assert documents([None, {"kind": "A"}, {"kind": "BList", "items": [{"kind": "B"}]}]) == [
        {"kind": "A"},
        {"kind": "B"},
    ]


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": {"b": 1, "c": 2}}, {"a": {"b": 3, "c": None}}, {"a": {"b": 3}}),
        ({"a": [1]}, {"a": [2, 3]}, {"a": [2, 3]}),
        ({"a": 1}, {"a": {"b": 1}}, {"a": {"b": 1}}),
    ],
)
def test_a_merge_patch(target: Any, patch: Any, result: Any) -> None:
    before = repr(target)
    assert merged(target, patch) == result
    assert repr(target) == before
