"""What real kubectl does to the double."""

from __future__ import annotations

import json
import time
from typing import Any

import yaml

from .cluster import Client

DEPLOYMENT: dict[str, Any] = {
    "apiVersion": "apps/v1",
    "kind": "Deployment",
    "metadata": {"name": "web"},
    "spec": {
        "replicas": 2,
        "selector": {"matchLabels": {"app": "web"}},
        "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {"containers": [{"name": "web", "image": "web:1", "ports": [{"containerPort": 80}]}]},
        },
    },
}


def node(name: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"node-role.kubernetes.io/control-plane": ""}},
        "status": {
            "conditions": [{"type": "Ready", "status": "True"}],
            "addresses": [{"type": "InternalIP", "address": "192.168.10.100"}],
            "nodeInfo": {"kubeletVersion": "v1.33.2"},
        },
    }


def config_map(name: str, **data: str) -> str:
    obj = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data}
    return json.dumps(obj)


def deployment(image: str, replicas: int = 2) -> str:
    changed = json.loads(json.dumps(DEPLOYMENT))
    changed["spec"]["replicas"] = replicas
    changed["spec"]["template"]["spec"]["containers"][0]["image"] = image
    return json.dumps(changed)


def test_version_and_discovery(kubectl: Client) -> None:
    assert "Server Version: v1.33.2" in kubectl("version")
    resources = kubectl("api-resources", "-o", "name").split()
    assert {"nodes", "deployments.apps", "leases.coordination.k8s.io"} <= set(resources)
    assert "apps/v1" in kubectl("api-versions").split()
    assert "error" in kubectl("explain", "pods", status=1)


def test_what_is_there_from_the_beginning(kubectl: Client) -> None:
    names = kubectl("get", "namespaces", "-o", "jsonpath={.items[*].metadata.name}").split()
    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]
    assert kubectl("get", "service", "kubernetes", "-o", "jsonpath={.spec.clusterIP}") == "10.96.0.1"
    addresses = "jsonpath={.subsets[0].addresses[*].ip}"
    assert kubectl("get", "endpoints", "kubernetes", "-o", addresses).split() == ["127.0.0.1"]


def test_a_node_is_shown_cordoned_drained_tainted_and_deleted(kubectl: Client) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p1"},
        "spec": {"nodeName": "n1", "containers": [{"name": "c", "image": "i"}]},
    }
    kubectl("create", "-f", "-", stdin=json.dumps(node("n1")))
    kubectl("create", "-f", "-", stdin=json.dumps(pod))
    header, row = kubectl("get", "nodes").splitlines()
    assert header.split() == ["NAME", "STATUS", "ROLES", "AGE", "VERSION"]
    assert row.split()[:3] + row.split()[4:] == ["n1", "Ready", "control-plane", "v1.33.2"]
    assert "192.168.10.100" in kubectl("get", "nodes", "-o", "wide")

    kubectl("cordon", "n1")
    assert "Ready,SchedulingDisabled" in kubectl("get", "node", "n1")
    assert "pod/p1 evicted" in kubectl("drain", "n1", "--force", "--ignore-daemonsets")
    assert kubectl("get", "pods", "--field-selector=spec.nodeName=n1", "-o", "name") == ""
    kubectl("uncordon", "n1")
    assert kubectl("get", "node", "n1", "-o", "jsonpath={.spec.unschedulable}") == ""

    kubectl("taint", "node", "n1", "a=b:NoSchedule")
    taints = json.loads(kubectl("get", "node", "n1", "-o", "jsonpath={.spec.taints}"))
    assert taints == [{"key": "a", "value": "b", "effect": "NoSchedule"}]
    kubectl("taint", "node", "n1", "a-")
    assert kubectl("get", "node", "n1", "-o", "jsonpath={.spec.taints}") == ""

    kubectl("wait", "--for=condition=Ready", "node/n1", "--timeout=5s")
    assert "timed out" in kubectl("wait", "--for=condition=Nope", "node/n1", "--timeout=1s", status=1)
    kubectl("delete", "node", "n1")
    assert 'nodes "n1" not found' in kubectl("get", "node", "n1", status=1)


def test_drain_respects_a_disruption_budget(kubectl: Client) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "guarded", "labels": {"app": "guarded"}},
        "spec": {"nodeName": "n2", "containers": [{"name": "c", "image": "i"}]},
    }
    kubectl("create", "-f", "-", stdin=json.dumps(node("n2")))
    kubectl("create", "-f", "-", stdin=json.dumps(pod))
    kubectl("create", "pdb", "guard", "--selector=app=guarded", "--min-available=1")
    said = kubectl("drain", "n2", "--force", "--timeout=2s", status=1)
    assert "violate the pod's disruption budget" in said
    kubectl("delete", "pdb", "guard")
    kubectl("drain", "n2", "--force")
    kubectl("delete", "node", "n2")


def test_client_side_apply_diff_patch_label_annotate_scale(kubectl: Client) -> None:
    assert "created" in kubectl("apply", "-f", "-", stdin=deployment("web:1"))
    assert "unchanged" in kubectl("apply", "-f", "-", stdin=deployment("web:1"))
    said = kubectl("diff", "-f", "-", stdin=deployment("web:2"), status=1)
    assert "-      - image: web:1" in said and "+      - image: web:2" in said
    assert "configured" in kubectl("apply", "-f", "-", stdin=deployment("web:2"))
    generation = kubectl("get", "deployment", "web", "-o", "jsonpath={.metadata.generation}")
    assert generation == "2"

    kubectl("label", "deployment", "web", "tier=front")
    kubectl("annotate", "deployment", "web", "note=yes")
    assert (
        kubectl("get", "deployments", "-l", "tier in (front),!gone", "-o", "name") == "deployment.apps/web\n"
    )
    kubectl("label", "deployment", "web", "tier-")
    assert kubectl("get", "deployments", "-l", "tier", "-o", "name") == ""
    kubectl("scale", "deployment", "web", "--replicas=3")
    kubectl(
        "patch",
        "deployment",
        "web",
        "-p",
        '{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:3"}]}}}}',
    )
    kubectl("patch", "deployment", "web", "--type=merge", "-p", '{"spec":{"paused":true}}')
    kubectl("patch", "deployment", "web", "--type=json", "-p", '[{"op":"remove","path":"/spec/paused"}]')
    spec = json.loads(kubectl("get", "deployment", "web", "-o", "jsonpath={.spec}"))
    assert spec["replicas"] == 3 and "paused" not in spec
    container = spec["template"]["spec"]["containers"]
    assert (
        len(container) == 1
        and container[0]["image"] == "web:3"
        and container[0]["ports"][0]["protocol"] == "TCP"
    )
    kubectl("delete", "deployment", "web")


def test_rollout_status_waits_for_the_controllers_word(kubectl: Client) -> None:
    kubectl("apply", "-f", "-", stdin=deployment("web:1"))
    waiting = kubectl.start("rollout", "status", "deployment/web", "--timeout=120s")
    status = {
        "observedGeneration": 1,
        "replicas": 2,
        "updatedReplicas": 2,
        "readyReplicas": 2,
        "availableReplicas": 2,
    }
    kubectl(
        "patch",
        "deployment",
        "web",
        "--subresource=status",
        "--type=merge",
        "-p",
        json.dumps({"status": status}),
    )
    said, _ = waiting.communicate(timeout=30)
    assert "successfully rolled out" in said
    kubectl("delete", "deployment", "web")


def test_a_status_is_changed_only_through_its_subresource(kubectl: Client) -> None:
    kubectl("apply", "-f", "-", stdin=deployment("web:1"))
    kubectl("patch", "deployment", "web", "--type=merge", "-p", '{"status":{"replicas":7}}')
    assert kubectl("get", "deployment", "web", "-o", "jsonpath={.status.replicas}") == ""
    kubectl(
        "patch",
        "deployment",
        "web",
        "--subresource=status",
        "--type=merge",
        "-p",
        '{"status":{"replicas":7},"spec":{"replicas":9}}',
    )
    assert kubectl("get", "deployment", "web", "-o", "jsonpath={.status.replicas} {.spec.replicas}") == "7 2"
    kubectl("delete", "deployment", "web")


def test_server_side_apply_owns_conflicts_and_takes_over(kubectl: Client) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    kubectl(*apply, "--field-manager=one", stdin=deployment("web:1"))
    before = kubectl("get", "deployment", "web", "-o", "jsonpath={.metadata.resourceVersion}")
    kubectl(*apply, "--field-manager=one", stdin=deployment("web:1"))
    assert kubectl("get", "deployment", "web", "-o", "jsonpath={.metadata.resourceVersion}") == before

    said = kubectl(*apply, "--field-manager=two", stdin=deployment("web:2"), status=1)
    assert 'Apply failed with 1 conflict: conflict with "one"' in said
    assert '.spec.template.spec.containers[name="web"].image' in said
    kubectl(*apply, "--field-manager=two", "--force-conflicts", stdin=deployment("web:2"))
    said = kubectl(*apply, "--field-manager=one", stdin=deployment("web:1"), status=1)
    assert 'conflict with "two"' in said
    kubectl("delete", "deployment", "web")


def test_server_side_apply_removes_what_its_manager_no_longer_says(kubectl: Client) -> None:
    apply = ("apply", "--server-side", "-f", "-")
    kubectl(*apply, "--field-manager=one", stdin=config_map("shared", a="1", b="1"))
    kubectl(*apply, "--field-manager=two", stdin=config_map("shared", b="1", c="1"))
    kubectl(*apply, "--field-manager=one", stdin=config_map("shared", a="1"))
    data = json.loads(kubectl("get", "configmap", "shared", "-o", "jsonpath={.data}"))
    assert data == {"a": "1", "b": "1", "c": "1"}, "two still owns b"
    kubectl(*apply, "--field-manager=two", stdin=config_map("shared", c="1"))
    assert json.loads(kubectl("get", "configmap", "shared", "-o", "jsonpath={.data}")) == {"a": "1", "c": "1"}
    kubectl("delete", "configmap", "shared")


def test_client_side_apply_hands_over_to_server_side_apply(kubectl: Client) -> None:
    kubectl("apply", "-f", "-", stdin=config_map("handed", a="1", b="1"))
    kubectl("apply", "--server-side", "-f", "-", stdin=config_map("handed", a="2"))
    assert json.loads(kubectl("get", "configmap", "handed", "-o", "jsonpath={.data}")) == {"a": "2"}
    kubectl("delete", "configmap", "handed")


def test_create_replace_and_stale_writes(kubectl: Client) -> None:
    kubectl("create", "configmap", "made", "--from-literal=a=1")
    assert "already exists" in kubectl("create", "configmap", "made", status=1)
    stale = json.loads(kubectl("get", "configmap", "made", "-o", "json"))
    kubectl("patch", "configmap", "made", "-p", '{"data":{"a":"2"}}')
    said = kubectl("replace", "-f", "-", stdin=json.dumps(stale), status=1)
    assert "the object has been modified" in said
    del stale["metadata"]["resourceVersion"]
    kubectl("replace", "-f", "-", stdin=json.dumps(stale))
    assert kubectl("get", "configmap", "made", "-o", "jsonpath={.data.a}") == "1"
    assert "unknown field" in kubectl(
        "apply", "-f", "-", stdin=config_map("typo").replace('"data"', '"date"'), status=1
    )
    assert "is invalid" in kubectl("create", "configmap", "Not_Valid", status=1)
    kubectl("delete", "configmap", "made")


def test_dry_run_changes_nothing(kubectl: Client) -> None:
    kubectl("apply", "--dry-run=server", "-f", "-", stdin=config_map("dry", a="1"))
    kubectl("create", "configmap", "dry", "--dry-run=server")
    assert "not found" in kubectl("get", "configmap", "dry", status=1)
    kubectl("apply", "-f", "-", stdin=config_map("dry", a="1"))
    kubectl("apply", "--dry-run=server", "-f", "-", stdin=config_map("dry", a="2"))
    kubectl("delete", "configmap", "dry", "--dry-run=server")
    assert kubectl("get", "configmap", "dry", "-o", "jsonpath={.data.a}") == "1"
    kubectl("delete", "configmap", "dry")


def test_get_watches(kubectl: Client) -> None:
    kubectl("create", "configmap", "watched")
    watching = kubectl.start("get", "configmaps", "watched", "-w", "--output-watch-events")
    assert watching.stdout
    try:
        assert watching.stdout.readline().split()[:2] == ["EVENT", "NAME"]
        assert watching.stdout.readline().split()[:2] == ["ADDED", "watched"]
        kubectl("patch", "configmap", "watched", "-p", '{"data":{"a":"1"}}')
        assert watching.stdout.readline().split()[:3] == ["MODIFIED", "watched", "1"]
        kubectl("delete", "configmap", "watched")
        assert watching.stdout.readline().split()[:2] == ["DELETED", "watched"]
    finally:
        watching.kill()
        watching.wait()


def test_a_namespace_goes_with_all_that_is_in_it(kubectl: Client) -> None:
    kubectl("create", "namespace", "short")
    kubectl("-n", "short", "create", "configmap", "inside")
    kubectl("-n", "short", "create", "service", "clusterip", "inside", "--tcp=80")
    kubectl("delete", "namespace", "short", "--timeout=20s")
    assert (
        kubectl(
            "get",
            "configmaps,services",
            "-A",
            "-o",
            "jsonpath={.items[?(@.metadata.namespace=='short')].metadata.name}",
        )
        == ""
    )
    assert 'namespaces "short" not found' in kubectl("-n", "short", "create", "configmap", "late", status=1)
    assert "forbidden" in kubectl("delete", "namespace", "kube-system", status=1)


def test_dependents_follow_their_owner_unless_orphaned(kubectl: Client) -> None:
    for cascade, left in (("background", ""), ("orphan", "configmap/child\n")):
        kubectl("create", "deployment", "owner", "--image=x")
        uid = kubectl("get", "deployment", "owner", "-o", "jsonpath={.metadata.uid}")
        child = json.loads(config_map("child"))
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "owner", "uid": uid}
        child["metadata"]["ownerReferences"] = [owner]
        child["metadata"]["labels"] = {"child": "yes"}
        kubectl("create", "-f", "-", stdin=json.dumps(child))
        kubectl("delete", "deployment", "owner", f"--cascade={cascade}")
        until = time.monotonic() + 10
        owned = ("get", "configmaps", "-l", "child", "-o", "jsonpath={.items[*].metadata.ownerReferences}")
        while kubectl(*owned) and time.monotonic() < until:
            time.sleep(0.1)
        assert kubectl(*owned) == ""
        assert kubectl("get", "configmaps", "-l", "child", "-o", "name") == left
    kubectl("delete", "configmap", "child")


def test_finalizers_hold(kubectl: Client) -> None:
    held = json.loads(config_map("held"))
    held["metadata"]["finalizers"] = ["lab.test/hold"]
    kubectl("create", "-f", "-", stdin=json.dumps(held))
    kubectl("delete", "configmap", "held", "--wait=false")
    assert kubectl("get", "configmap", "held", "-o", "jsonpath={.metadata.deletionTimestamp}")
    kubectl("patch", "configmap", "held", "--type=merge", "-p", '{"metadata":{"finalizers":null}}')
    assert "not found" in kubectl("get", "configmap", "held", status=1)


def test_a_definition_is_served_at_once_and_checks_its_objects(kubectl: Client) -> None:
    schema = {
        "type": "object",
        "properties": {
            "spec": {
                "type": "object",
                "required": ["size"],
                "properties": {
                    "size": {"type": "integer", "minimum": 1},
                    "colour": {"type": "string", "default": "red"},
                },
            }
        },
    }
    version = {
        "name": "v1",
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": schema},
        "additionalPrinterColumns": [{"name": "Size", "type": "integer", "jsonPath": ".spec.size"}],
    }
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "gadgets.lab.test"},
        "spec": {
            "group": "lab.test",
            "scope": "Cluster",
            "names": {"plural": "gadgets", "kind": "Gadget", "shortNames": ["gg"]},
            "versions": [version],
        },
    }
    gadget = {"apiVersion": "lab.test/v1", "kind": "Gadget", "metadata": {"name": "g"}, "spec": {"size": 3}}
    kubectl("apply", "-f", "-", stdin=yaml.safe_dump(crd))
    kubectl("wait", "--for=condition=Established", "crd/gadgets.lab.test", "--timeout=10s")
    kubectl("apply", "-f", "-", stdin=json.dumps(gadget))
    header, row = kubectl("get", "gg").splitlines()
    assert header.split() == ["NAME", "SIZE"] and row.split() == ["g", "3"]
    assert kubectl("get", "gadget", "g", "-o", "jsonpath={.spec.colour}") == "red"
    kubectl(
        "apply",
        "--server-side",
        "--force-conflicts",
        "-f",
        "-",
        stdin=json.dumps(gadget | {"spec": {"size": 4}}),
    )
    assert "spec.size: Required value" in kubectl(
        "apply", "-f", "-", stdin=json.dumps(gadget | {"spec": {}}), status=1
    )
    said = kubectl("apply", "-f", "-", stdin=json.dumps(gadget | {"spec": {"size": 1, "sise": 2}}), status=1)
    assert 'unknown field "spec.sise"' in said
    assert "greater than or equal to 1" in kubectl(
        "patch", "gadget", "g", "--type=merge", "-p", '{"spec":{"size":0}}', status=1
    )
    kubectl("delete", "crd", "gadgets.lab.test")
    assert "could not find the requested resource" in kubectl("get", "gadgets", status=1)
    assert "gadgets" not in kubectl("api-resources", "-o", "name", "--cached=false")


def test_who_am_i_and_may_i(kubectl: Client) -> None:
    assert "kubernetes-admin" in kubectl("auth", "whoami")
    assert kubectl("auth", "can-i", "delete", "nodes") == "yes\n"


def test_a_service_gets_an_address_and_a_port_of_its_own(kubectl: Client) -> None:
    kubectl("create", "service", "nodeport", "first", "--tcp=80", "--node-port=30100")
    said = kubectl("create", "service", "nodeport", "second", "--tcp=80", "--node-port=30100", status=1)
    assert "provided port is already allocated" in said
    kubectl("create", "service", "nodeport", "second", "--tcp=80")
    items = json.loads(kubectl("get", "services", "-o", "json"))["items"]
    assert len({item["spec"]["clusterIP"] for item in items}) == len(items) == 3
    kubectl("delete", "service", "first", "second")
