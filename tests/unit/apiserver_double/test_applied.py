"""kubectl.applied and kubectl.manifest with real kubectl: drift is seen, named and put back, and no more."""

from __future__ import annotations

import json
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml

from ciliumlab.operations import kubectl as operations

from .cluster import Client, Cluster
from .control import Node, Outcome

WIDGETS = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: widgets.lab.test}
spec:
  group: lab.test
  scope: Cluster
  names: {plural: widgets, kind: Widget}
  versions:
  - name: v1
    served: true
    storage: true
    schema:
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            properties:
              size: {type: integer}
              shown: {type: boolean, default: true}
              blocks:
                type: array
                items:
                  type: object
                  properties: {start: {type: string}, wide: {type: boolean, default: false}}
              selector:
                type: object
                properties: {matchLabels: {type: object, additionalProperties: {type: string}}}
"""
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "shop"}}
WIDGET = {
    "apiVersion": "lab.test/v1",
    "kind": "Widget",
    "metadata": {"name": "one", "annotations": {"note": "ours"}},
    "spec": {"size": 1, "blocks": [{"start": "a"}, {"start": "b"}]},
}
SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {"selector": {"app": "web"}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]},
}
DEPLOYMENT = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web", "namespace": "shop"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "hostNetwork": False,
                "containers": [
                    {
                        "name": "web",
                        "image": "web:1",
                        "ports": [{"name": "http", "containerPort": 80}],
                        "resources": {"limits": {"cpu": "1000m", "memory": "1Gi"}},
                    }
                ],
            },
        },
    },
}
OBJECTS: list[dict[str, Any]] = [WIDGET, SERVICE, DEPLOYMENT, NAMESPACE]


@pytest.fixture(scope="module")
def node(cluster: Cluster, kubectl: Client, tmp_path_factory: pytest.TempPathFactory) -> Node:
    kubectl("apply", "-f", "-", stdin=WIDGETS)
    kubectl("wait", "--for=condition=Established", "crd/widgets.lab.test", "--timeout=120s")
    return Node(cluster, tmp_path_factory.mktemp("node"))


@pytest.fixture(autouse=True)
def swept(node: Node) -> None:
    apply(node, [])


def apply(node: Node, objects: list[dict[str, Any]] = OBJECTS, **more: Any) -> Outcome:
    return node.run(operations.applied, objects=objects, part="shop", **more)


def changed(one: dict[str, Any], **spec: Any) -> dict[str, Any]:
    copied = deepcopy(one)
    copied["spec"].update(spec)
    return copied


def spec(kubectl: Client, *what: str) -> Any:
    return json.loads(kubectl("get", *what, "-o", "jsonpath={.spec}"))


def test_made_once_with_what_the_api_server_fills_in(node: Node, kubectl: Client) -> None:
    first = apply(node)
    assert (first.status, len(first.commands)) == (0, 1), first.printed
    assert spec(kubectl, "widget", "one")["shown"] is True
    again = apply(node)
    assert (again.commands, again.said, again.noops) == ([], [], ["shop: 4 objects, as declared"])


def merging(kind: str, name: str, spec: dict[str, Any]) -> list[str]:
    """kubectl's words that change a spec by hand."""
    return ["patch", kind, name, "--type=merge", "--patch", json.dumps({"spec": spec})]


SHOP = ["--namespace", "shop"]
CONTAINER = "Deployment shop/web differs: spec.template.spec.containers[0]"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (merging("widget", "one", {"size": 2}), "Widget one differs: spec.size"),
        (merging("widget", "one", {"size": None}), "Widget one differs: spec.size"),
        (merging("widget", "one", {"blocks": [{"start": "a"}]}), "Widget one differs: spec.blocks"),
        (
            merging("widget", "one", {"selector": {"matchLabels": {"a": "b"}}}),
            "Widget one differs: spec.selector (not declared)",
        ),
        (
            ["patch", "service", "web", *SHOP, "-p", '{"spec":{"ports":[{"port":81,"name":"more"}]}}'],
            "Service shop/web differs: spec.ports[1] (not declared)",
        ),
        (
            [*merging("service", "web", {"selector": {"more": "x"}}), *SHOP],
            "Service shop/web differs: spec.selector",
        ),
        (["set", "image", "deployment/web", *SHOP, "web=web:2"], f"{CONTAINER}.image"),
        (["set", "env", "deployment/web", *SHOP, "A=b"], f"{CONTAINER}.env (not declared)"),
        (
            ["scale", "deployment/web", *SHOP, "--replicas=5"],
            "Deployment shop/web differs: spec.replicas",
        ),
    ],
)
def test_what_was_edited_by_hand_is_named_and_put_back(
    node: Node, kubectl: Client, edit: list[str], said: str
) -> None:
    apply(node)
    what = said.split(" differs")[0].lower()
    kind, _, name = what.partition(" ")
    where = [kind, *([name.partition("/")[2], "-n", "shop"] if "/" in name else [name])]
    before = spec(kubectl, *where)
    kubectl(*edit)
    assert spec(kubectl, *where) != before
    done = apply(node)
    assert (done.status, [line.partition(",")[0] for line in done.said]) == (0, [said]), done.printed
    assert spec(kubectl, *where) == before
    assert apply(node).commands == []


@pytest.mark.parametrize(
    "edit",
    [
        ["label", "widget", "one", "theirs=yes"],
        ["annotate", "deployment", "web", "-n", "shop", "theirs=yes"],
        ["rollout", "restart", "deployment/web", "-n", "shop"],
    ],
)
def test_what_is_nobodys_business_is_left_alone(node: Node, kubectl: Client, edit: list[str]) -> None:
    apply(node)
    kubectl(*edit)
    assert apply(node).commands == []


def test_a_label_that_was_taken_off_is_put_back(node: Node, kubectl: Client) -> None:
    apply(node)
    kubectl("label", "widget", "one", "ciliumlab.io/part-")
    assert len(apply(node).commands) == 1
    assert apply(node).commands == []


def test_what_is_declared_otherwise_is_changed_and_what_is_not_is_deleted(
    node: Node, kubectl: Client
) -> None:
    apply(node)
    done = apply(node, [changed(WIDGET, size=3), NAMESPACE, SERVICE])
    assert done.said == ["Widget one differs: spec.size", "Deployment shop/web is not declared any more"]
    assert spec(kubectl, "widget", "one")["size"] == 3
    assert "not found" in kubectl("get", "deployment", "web", "-n", "shop", status=1)

    smaller = deepcopy(WIDGET)
    del smaller["spec"]["size"], smaller["metadata"]["annotations"]
    # kinds that are not declared any more at all are known from what was noted
    done = apply(node, [smaller])
    assert [line for line in done.said if "Widget" in line] == [
        "Widget one differs: spec.size, metadata.annotations.note"
    ]
    assert "size" not in spec(kubectl, "widget", "one")
    assert "not found" in kubectl("get", "namespace", "shop", status=1)
    assert apply(node, [smaller]).commands == []

    assert apply(node, []).status == 0
    assert kubectl("get", "widgets,configmaps", "-A", "-l", "ciliumlab.io/part=shop", "-o", "name") == ""
    assert apply(node, []).noops == ["shop: there is nothing"]


def test_what_others_have_made_is_left_alone(node: Node, kubectl: Client) -> None:
    theirs = {**deepcopy(WIDGET), "metadata": {"name": "theirs"}}
    kubectl("apply", "-f", "-", stdin=json.dumps(theirs))
    node.run(operations.applied, objects=[{**WIDGET, "metadata": {"name": "other"}}], part="other")
    apply(node, [])
    assert kubectl("get", "widgets", "-o", "name").split() == [
        "widget.lab.test/other",
        "widget.lab.test/theirs",
    ]
    kubectl("delete", "widgets", "--all")


def test_what_somebody_else_made_is_taken_over(node: Node, kubectl: Client) -> None:
    there = changed(WIDGET, size=7, shown=False)
    kubectl("apply", "-f", "-", stdin=json.dumps(there))
    assert apply(node, [WIDGET]).status == 0
    apply(node, [WIDGET])
    assert apply(node, [WIDGET]).commands == []
    assert spec(kubectl, "widget", "one") == {**WIDGET["spec"], "shown": True, "blocks": [
        {"start": "a", "wide": False}, {"start": "b", "wide": False},
    ]}  # fmt: skip


def test_what_cannot_be_changed_is_made_anew(node: Node, kubectl: Client) -> None:
    apply(node)
    other = deepcopy(DEPLOYMENT)
    for labels in (other["spec"]["selector"]["matchLabels"], other["spec"]["template"]["metadata"]["labels"]):
        labels["tier"] = "front"
    done = apply(node, [WIDGET, SERVICE, other, NAMESPACE])
    assert (done.status, len(done.commands)) == (0, 2), done.printed
    assert apply(node, [WIDGET, SERVICE, other, NAMESPACE]).commands == []


def test_a_kind_that_is_unknown_is_said_in_one_line(node: Node) -> None:
    done = apply(node, [{"apiVersion": "none.test/v1", "kind": "Nothing", "metadata": {"name": "x"}}])
    assert done.printed.startswith(
        "the API server does not know Nothing.v1.none.test: install what defines it"
    )
    assert done.commands == []


def test_a_run_that_was_cut_leaves_nothing_behind(node: Node, kubectl: Client) -> None:
    """Applied and not pruned yet; and pruned in half, the record still there."""
    apply(node)
    commands = node.commands(operations.applied, objects=[], part="shop")
    for _ in range(2):
        node.shell(str(next(commands)))
    assert kubectl("get", "configmap", "ciliumlab-shop", "-n", "kube-system", "-o", "name")
    assert apply(node, []).status == 0
    assert kubectl("get", "all,widgets,configmaps", "-A", "-l", "ciliumlab.io/part=shop", "-o", "name") == ""


def test_a_secret_is_in_no_line(node: Node, kubectl: Client, caplog: pytest.LogCaptureFixture) -> None:
    def secret(password: str) -> list[dict[str, Any]]:
        meta = {"name": "key", "namespace": "default"}
        return [{"apiVersion": "v1", "kind": "Secret", "metadata": meta, "stringData": {"word": password}}]

    with caplog.at_level("INFO", logger="pyinfra"):
        for password in ("hunter2", "hunter3"):
            done = apply(node, secret(password), diff=True)
            assert done.status == 0
            for word in (password, "aHVudGVy"):
                assert word not in " ".join([*done.commands, done.printed, *done.said, caplog.text])
    assert done.said[0] == "Secret default/key differs: data.word"
    assert apply(node, secret("hunter3")).commands == []


def test_the_difference_is_shown(node: Node, kubectl: Client, caplog: pytest.LogCaptureFixture) -> None:
    apply(node)
    kubectl(
        "patch",
        "widget",
        "one",
        "--type=merge",
        "-p",
        '{"spec":{"size":2,"selector":{"matchLabels":{"a":"b"}}}}',
    )
    caplog.clear()
    with caplog.at_level("INFO", logger="pyinfra"):
        apply(node, diff=True)
    shown = [record.getMessage().strip() for record in caplog.records]
    differing = [line for line in shown if "size" in line or "matchLabels" in line or "shown" in line]
    assert len(differing) == 3, shown
    assert "size: 2" in differing[1] or "size: 2" in differing[0]


def test_pods_that_do_not_come_are_told(node: Node) -> None:
    done = apply(node, timeout=2)
    assert done.status == 1
    assert "timed out" in done.printed
    assert apply(node, timeout=2).status == 1, "what is there as declared is waited for too"


SETTINGS = {
    "apiVersion": "v1",
    "kind": "ConfigMap",
    "metadata": {"name": "settings", "namespace": "shop", "creationTimestamp": None},
    "data": {"a": "1"},
}
MANIFEST = [NAMESPACE, {"apiVersion": "v1", "kind": "List", "items": [SERVICE]}, SETTINGS]
NODE_PORT = {"kind": "Service", "name": "web", "merge": {"spec": {"type": "NodePort"}}}


def test_a_manifest_is_there_as_changed_and_gone_when_it_is_switched_off(
    node: Node, kubectl: Client, tmp_path: Path
) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump_all(MANIFEST))
    source = node.keep(path, "1")
    arguments = {"source": source, "part": "shop", "changes": [NODE_PORT]}
    done = node.run(operations.manifest, **arguments)
    assert (done.status, len(done.commands)) == (0, 1), done.printed
    assert spec(kubectl, "service", "web", "-n", "shop")["type"] == "NodePort"
    assert node.run(operations.manifest, **arguments).noops == ["shop: 3 objects, as declared"]
    assert node.run(operations.manifest, **arguments, present=False).status == 0
    assert "not found" in kubectl("get", "namespace", "shop", status=1)
    assert node.run(operations.manifest, **arguments, present=False).commands == []


def test_a_manifest_that_is_another_or_lacks_something_is_refused(node: Node, tmp_path: Path) -> None:
    path = tmp_path / "shop.yaml"
    path.write_text(yaml.safe_dump_all(MANIFEST))
    source = node.keep(path, "1")
    lacking = {"kind": "Service", "name": "wev", "merge": {}}
    done = node.run(operations.manifest, source=source, part="shop", changes=[lacking])
    assert done.printed.endswith("shop.yaml has no Service wev to be changed; nothing was changed")
    kept = node.root / "cache" / f"{source['sha256']}.yaml"
    kept.write_text("kind: List\nitems: []\n")
    done = node.run(operations.manifest, source=source, part="shop")
    assert done.status != 0 and len(done.commands) == 1, "what is kept is another, and cannot be had anew"
