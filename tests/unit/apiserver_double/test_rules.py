"""Patches, managed fields, selectors and protobuf as functions: what needs no etcd and no kubectl."""

from __future__ import annotations

from typing import Any

import pytest
from apiserver import lists, managed, patches, protobuf, selection, tables
from apiserver.errors import StatusError
from apiserver.resources import built_in

POD_KEYS = lists.built_in("Pod")


@pytest.mark.parametrize(
    ("target", "patch", "expected"),
    [
        # The examples of RFC 7396, appendix A.
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        ({"a": "foo"}, "bar", "bar"),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch(target: Any, patch: Any, expected: Any) -> None:
    assert patches.merge(target, patch) == expected


def test_json_patch() -> None:
    operations = [
        {"op": "test", "path": "/a/b~1c", "value": 1},
        {"op": "add", "path": "/list/-", "value": 3},
        {"op": "add", "path": "/list/0", "value": 0},
        {"op": "replace", "path": "/a/b~1c", "value": 2},
        {"op": "copy", "from": "/a", "path": "/copied"},
        {"op": "move", "from": "/gone", "path": "/here"},
        {"op": "remove", "path": "/list/1"},
    ]
    document = {"a": {"b/c": 1}, "list": [1, 2], "gone": "x"}
    expected = {"a": {"b/c": 2}, "list": [0, 2, 3], "copied": {"b/c": 2}, "here": "x"}
    assert patches.json_patch(document, operations) == expected
    assert document == {"a": {"b/c": 1}, "list": [1, 2], "gone": "x"}, "the original stays"


@pytest.mark.parametrize(
    "operation",
    [
        {"op": "test", "path": "/a", "value": 2},
        {"op": "remove", "path": "/nothing"},
        {"op": "replace", "path": "/nothing", "value": 1},
        {"op": "add", "path": "/list/9", "value": 1},
        {"op": "dance", "path": "/a"},
    ],
)
def test_json_patch_that_cannot_be(operation: dict[str, Any]) -> None:
    with pytest.raises(StatusError) as refused:
        patches.json_patch({"a": 1, "list": []}, [operation])
    assert refused.value.code == 422


def test_strategic_merge_by_key_delete_and_replace() -> None:
    target = {
        "spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}], "tolerations": [1]}
    }
    patch = {
        "spec": {
            "$setElementOrder/containers": [{"name": "c"}, {"name": "a"}],
            "containers": [{"name": "a", "image": "2"}, {"name": "b", "$patch": "delete"}, {"name": "c"}],
            "tolerations": [2],
        }
    }
    merged = patches.strategic(target, patch, POD_KEYS)
    assert merged["spec"]["containers"] == [{"name": "c"}, {"name": "a", "image": "2"}]
    assert merged["spec"]["tolerations"] == [2], "a list without a key is replaced"
    replaced = patches.strategic({"data": {"a": 1}}, {"data": {"$patch": "replace", "b": 2}}, POD_KEYS)
    assert replaced == {"data": {"b": 2}}
    kept = patches.strategic(
        {"metadata": {"finalizers": ["a"]}}, {"metadata": {"finalizers": ["b"]}}, POD_KEYS
    )
    assert kept["metadata"]["finalizers"] == ["a", "b"]


def manager(name: str) -> managed.Manager:
    return managed.Manager(name, "Apply", "v1")


def apply(live: dict[str, Any], config: dict[str, Any], name: str, force: bool = False) -> dict[str, Any]:
    whole = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}, **config}
    return managed.applied(live, whole, manager(name), POD_KEYS, force)


def empty() -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "p"}}


def test_ownership_is_written_as_kubernetes_writes_it() -> None:
    ports = [{"containerPort": 80}]
    live = apply(empty(), {"spec": {"containers": [{"name": "a", "image": "1", "ports": ports}]}}, "one")
    entry = live["metadata"]["managedFields"][0]
    container = entry["fieldsV1"]["f:spec"]["f:containers"]['k:{"name":"a"}']
    assert (entry["manager"], entry["operation"], entry["fieldsType"]) == ("one", "Apply", "FieldsV1")
    port = {".": {}, "f:containerPort": {}}
    assert container == {
        ".": {},
        "f:name": {},
        "f:image": {},
        "f:ports": {'k:{"containerPort":80,"protocol":"TCP"}': port},
    }
    assert managed.owned(live)[manager("one")] >= {("f:spec", "f:containers", 'k:{"name":"a"}', "f:image")}


def test_two_managers_share_conflict_force_and_let_go() -> None:
    live = apply(empty(), {"spec": {"containers": [{"name": "a", "image": "1"}]}}, "one")
    live = apply(
        live, {"spec": {"containers": [{"name": "a", "image": "1"}, {"name": "b", "image": "1"}]}}, "two"
    )
    with pytest.raises(StatusError) as refused:
        apply(live, {"spec": {"containers": [{"name": "a", "image": "2"}]}}, "two")
    assert refused.value.code == 409
    assert refused.value.body["details"]["causes"] == [
        {
            "reason": "FieldManagerConflict",
            "message": 'conflict with "one" using v1',
            "field": '.spec.containers[name="a"].image',
        }
    ]
    live = apply(live, {"spec": {"containers": [{"name": "a", "image": "2"}]}}, "two", force=True)
    assert live["spec"]["containers"] == [{"name": "a", "image": "2"}], "b was only two's"
    live = apply(live, {"spec": {}}, "two")
    assert live["spec"]["containers"] == [{"name": "a"}], "one lost the image and keeps its container"


def test_an_update_takes_what_it_changes() -> None:
    live = apply(empty(), {"metadata": {"name": "p", "labels": {"a": "1", "b": "1"}}}, "one")
    new = {**live, "metadata": {**live["metadata"], "labels": {"a": "2", "b": "1"}}}
    managed.updated(live, new, managed.Manager("kubectl", "Update", "v1"), POD_KEYS)
    owned = {each.name: fields for each, fields in managed.owned(new).items()}
    assert owned == {
        "one": frozenset({("f:metadata", "f:labels", "f:b")}),
        "kubectl": frozenset({("f:metadata", "f:labels", "f:a")}),
    }


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("", True), ("a=1", True), ("a==1", True), ("a=2", False), ("a!=2", True), ("missing!=2", True),
        ("a", True), ("!a", False), ("!b", True), ("a in (1,2)", True), ("a in (2)", False),
        ("a notin (2,3),c", True), ("a,c=x/y.z", True),
    ],
)  # fmt: skip
def test_label_selectors(selector: str, chosen: bool) -> None:
    assert selection.labels(selector)({"metadata": {"labels": {"a": "1", "c": "x/y.z"}}}) == chosen


@pytest.mark.parametrize(
    ("selector", "chosen"),
    [
        ("metadata.name=n", True), ("metadata.name!=n", False), ("spec.unschedulable=false", True),
        ("spec.nodeName=", True), ("spec.deep.flag=true,metadata.name=n", True),
    ],
)  # fmt: skip
def test_field_selectors(selector: str, chosen: bool) -> None:
    obj = {"metadata": {"name": "n"}, "spec": {"deep": {"flag": True}}}
    assert selection.fields(selector)(obj) == chosen


def test_a_selector_that_cannot_be_read() -> None:
    with pytest.raises(StatusError):
        selection.labels("a in (b")
    with pytest.raises(StatusError):
        selection.fields("metadata.name")


def field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2, len(content)]) + content


def test_protobuf_is_read_and_what_is_unknown_refused() -> None:
    entry = field(1, b"key") + field(2, b"value")
    metadata = field(1, b"n") + field(2, b"") + bytes([7 << 3, 0])
    config_map = field(1, metadata) + field(2, entry)
    kind = field(1, field(1, b"v1") + field(2, b"ConfigMap"))
    assert protobuf.decoded(b"k8s\0" + kind + field(2, config_map)) == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "n"},
        "data": {"key": "value"},
    }
    with pytest.raises(StatusError, match="ConfigMap, field 9"):
        protobuf.decoded(b"k8s\0" + kind + field(2, field(9, b"")))
    with pytest.raises(StatusError, match="Novelty"):
        protobuf.decoded(b"k8s\0" + field(1, field(2, b"Novelty")))


def test_a_table_says_what_kubectl_prints() -> None:
    node = {
        "metadata": {"name": "n", "labels": {"node-role.kubernetes.io/control-plane": ""}},
        "spec": {"unschedulable": True},
        "status": {"conditions": [{"type": "Ready", "status": "False"}]},
    }
    table = tables.table(built_in("nodes"), [node], {}, "None")
    row = dict(zip((c["name"] for c in table["columnDefinitions"]), table["rows"][0]["cells"], strict=True))
    assert row["Status"] == "NotReady,SchedulingDisabled" and row["Roles"] == "control-plane"
    assert row["Age"] == "<unknown>" and row["Internal-IP"] == "<none>"
