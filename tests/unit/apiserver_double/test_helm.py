"""What real Helm does to the double: a release's life."""

from __future__ import annotations

import json
from pathlib import Path

from . import chart
from .cluster import Client


def test_a_release_lives(helm: Client, kubectl: Client, tmp_path: Path) -> None:
    demo = chart.write(tmp_path / "demo")
    colour = ("get", "configmap", "demo-config", "-o", "jsonpath={.data.colour}")

    assert "STATUS: deployed" in helm(
        "install", "demo", demo, "--namespace=apps", "--create-namespace", "--wait"
    )
    kubectl.run("config", "set-context", "--current", "--namespace=apps")
    assert kubectl(*colour) == "red"
    assert kubectl("get", "configmap", "demo-config", "-o", "jsonpath={.data.kubernetes}") == "v1.33.2"
    assert kubectl("get", "widget", "shown", "-o", "jsonpath={.spec.colour}") == "red"

    helm("upgrade", "demo", demo, "--namespace=apps", "--set=colour=blue,shown=false,workload=true")
    assert kubectl(*colour) == "blue"
    assert 'widgets.lab.test "shown" not found' in kubectl("get", "widget", "shown", status=1)
    container = "jsonpath={.spec.template.spec.containers[0].env[0].value}"
    assert kubectl("get", "deployment", "demo", "-o", container) == "blue"

    helm("rollback", "demo", "1", "--namespace=apps")
    assert kubectl(*colour) == "red"
    assert kubectl("get", "widget", "shown", "-o", "jsonpath={.spec.colour}") == "red"

    history = json.loads(helm("history", "demo", "--namespace=apps", "-o", "json"))
    assert [(each["revision"], each["status"]) for each in history] == [
        (1, "superseded"), (2, "superseded"), (3, "deployed"),
    ]  # fmt: skip
    secrets = kubectl("get", "secrets", "--field-selector=type=helm.sh/release.v1", "-o", "name").split()
    assert len(secrets) == 3
    assert json.loads(helm("list", "--namespace=apps", "-o", "json"))[0]["revision"] == "3"
    assert (
        helm("get", "values", "demo", "--namespace=apps", "--revision=2", "-o", "json").strip()
        == '{"colour":"blue","shown":false,"workload":true}'
    )

    helm("uninstall", "demo", "--namespace=apps", "--wait")
    assert kubectl("get", "configmaps,services,deployments,widgets,secrets", "-o", "name") == ""
    assert (
        kubectl("get", "crd", "-o", "name").strip()
        == "customresourcedefinition.apiextensions.k8s.io/widgets.lab.test"
    )


def test_an_upgrade_that_fails_is_told_and_undone(helm: Client, kubectl: Client, tmp_path: Path) -> None:
    demo = chart.write(tmp_path / "demo")
    here = "--namespace=failing"
    helm("install", "demo", demo, here, "--create-namespace", "--wait")
    broken = "--set=colour=green,workload=true"
    said = helm("upgrade", "demo", demo, here, broken, "--wait", "--timeout=3s", status=1)
    assert "timed out" in said, "no controller ever makes the pod ready"
    assert json.loads(helm("status", "demo", here, "-o", "json"))["info"]["status"] == "failed"
    helm("rollback", "demo", "1", here)
    found = kubectl("-n", "failing", "get", "configmap", "demo-config", "-o", "jsonpath={.data.colour}")
    assert found == "red"
    assert kubectl("-n", "failing", "get", "deployments", "-o", "name") == ""
