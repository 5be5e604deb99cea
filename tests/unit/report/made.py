"""What a report is made of, by the programs that really write it: pytest and pyinfra."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

from ciliumlab.plan.routes import PodsOf, tables
from ciliumlab.report.found import Found
from ciliumlab.settings import Settings
from ciliumlab.topology import load

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "inventory" / "lab.yaml"
DATA = ["datapath=geneve", "l2_announcements=true"]
SETTINGS = Settings.read(ROOT / "group_data" / "all.py", DATA)

_POD_CIDRS = {"k8s-ctr": ["172.20.0.0/24"], "k8s-w1": ["172.20.1.0/24"], "k8s-w0": ["172.20.2.0/24"]}

# Checks of each kind, as tests/states names them, and words that could break a page or its filter.
_CHECKS = """
import pytest

MACHINES = ["k8s-ctr", "k8s-w1", "k8s-w0", "router"]

@pytest.fixture(scope="session", autouse=True)
def found(record_testsuite_property):
    yield
    record_testsuite_property("ciliumlab.found", {found!r})
    record_testsuite_property("ciliumlab.data", {data!r})

@pytest.mark.parametrize("machine", MACHINES)
def test_static_route(request, machine):
    evidence = f"{{machine}}: routes to 10.10.0.0/16: expected via 192.168.10.200, found via 192.168.10.200"
    request.node.user_properties.append(("ciliumlab.evidence", evidence))

@pytest.mark.parametrize(("machine", "what"), [("k8s-w1", "172.20.0.0/16")], ids=["k8s-w1:172.20.0.0/16"])
def test_lost_route(request, machine, what):
    request.node.user_properties.append(("ciliumlab.evidence", "expected a route, found none"))
    pytest.fail("k8s-w1: expected a route, found <script>document.title = 'broken'</script>", pytrace=False)

def test_left_out():
    pytest.skip("no pods in this lab & nothing to see")
"""


def found() -> Found:
    """A lab as it shall be, but for one route that k8s-w1 lacks and one that nobody asked for."""
    expected = tables(load(REFERENCE), SETTINGS)
    routes = {
        name: [
            str(route).replace(str(route.to), _POD_CIDRS[route.to.node][0])
            if isinstance(route.to, PodsOf)
            else f"{route} src 192.168.10.1"
            for route in found
        ]
        for name, found in expected.items()
    }
    routes["k8s-w1"] = [line for line in routes["k8s-w1"] if not line.startswith("172.20.0.0/16")]
    routes["k8s-w1"].append("192.0.2.0/24 via 192.168.10.9 dev eth1")
    return {
        "routes": routes,
        "pod_cidrs": _POD_CIDRS,
        "datapaths": {"k8s-ctr": "geneve", "k8s-w1": "geneve", "k8s-w0": "vxlan"},
        "versions": {"k8s-ctr": {"Kubernetes": "1.33.2", "Cilium": "1.17.9"}},
        "services": [{"name": "default/webpod", "addresses": ["192.168.10.211"], "leader": "k8s-w1"}],
    }


@cache
def checks() -> Path:
    """JUnit XML of pytest's."""
    folder = Path(mkdtemp(prefix="report-"))
    text = _CHECKS.format(found=json.dumps(found()), data=json.dumps(DATA))
    (folder / "test_network.py").write_text(text)
    done = _run("pytest", "-q", "--junit-xml", "checks.xml", "-p", "no:cacheprovider", at=folder)
    assert done.returncode == 1, done.stdout
    return folder / "checks.xml"


@cache
def deploy() -> Path:
    """What pyinfra says of a dry run over a fresh lab."""
    done = _run("pyinfra", "--dry", "--json", "tests/unit/operations/fresh.py", "deploy.py", at=ROOT)
    assert done.returncode == 0, done.stderr
    return _file(done.stdout)


@cache
def failed_deploy() -> Path:
    """What it says of a run that changes names on nodes and fails on the router."""
    folder = Path(mkdtemp(prefix="report-"))
    (folder / "silent.py").write_text(
        f'import runpy\nglobals().update(runpy.run_path("{ROOT}/tests/unit/operations/fresh.py"))\n'
        'failure = {"success": False, "stderr": "Input/output error"}\n'
        'routers[0][1]["fake_responses"] = {"/etc/hosts": failure}\n'
    )
    (folder / "hosts.py").write_text(
        "from pyinfra.context import host\n"
        "from ciliumlab.operations import hosts\n"
        'hosts.block(name="Names", entries=host.data.etc_hosts, title="lab")\n'
    )
    done = _run("pyinfra", "-y", "--json", str(folder / "silent.py"), str(folder / "hosts.py"), at=ROOT)
    assert done.returncode == 1, done.stderr
    return _file(done.stdout)


@cache
def _state() -> Path:
    return Path(mkdtemp(prefix="report-"))


def times() -> Path:
    """Where the last of these runs has left how long it took."""
    return _state() / "times.json"


def _file(text: str) -> Path:
    file = Path(mkdtemp(prefix="report-")) / "deploy.json"
    file.write_text(text)
    return file


def _run(module: str, *arguments: str, at: Path) -> subprocess.CompletedProcess[str]:
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("CILIUMLAB_", "PYTEST_"))
    }
    kept["CILIUMLAB_STATE"] = str(_state())
    return subprocess.run(
        [sys.executable, "-m", module, *arguments],
        cwd=at,
        env=kept,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
