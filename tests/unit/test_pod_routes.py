"""The router's way to pods: who its neighbours are, and what FRR is told of them."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import jinja2
import pytest

from ciliumlab.plan.pod_routes import pod_routing
from ciliumlab.settings import Settings
from ciliumlab.topology import load

ROOT = Path(__file__).parents[2]
VALID = sorted((Path(__file__).parent / "topologies" / "valid").glob("*.yaml"))
REFERENCE = ROOT / "inventory" / "lab.yaml"
SETTINGS = Settings.read(ROOT / "group_data" / "all.py", ['bgp_asns={"router": 64512, "nodes": 64513}'])

# Where Debian's package has it; `-C` reads a configuration and ends.
BGPD = shutil.which("bgpd", path="/usr/lib/frr")


def configuration(path: Path) -> str:
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    template = environment.from_string((ROOT / "files" / "pod_routes" / "frr.conf.j2").read_text())
    return template.render(pod_routing(load(path), SETTINGS))


def test_reference_lab() -> None:
    assert pod_routing(load(REFERENCE), SETTINGS) == {
        "neighbours": [
            {"name": "k8s-ctr", "address": "192.168.10.100", "interface": "eth1"},
            {"name": "k8s-w1", "address": "192.168.10.101", "interface": "eth1"},
            {"name": "k8s-w0", "address": "192.168.20.100", "interface": "eth2"},
        ],
        "router_id": "192.168.10.200",
        "asns": {"router": 64512, "nodes": 64513},
        "announced": [
            "172.20.0.0/16 ge 24 le 24",
            "192.168.10.211/32",
            "192.168.10.212/30 ge 32 le 32",
        ],
    }


@pytest.mark.parametrize("path", VALID, ids=lambda path: path.stem)
def test_labs_of_other_shapes(path: Path) -> None:
    topology = load(path)
    routing = pod_routing(topology, SETTINGS)
    facing = {interface.name: interface.segment.cidr for interface in topology.router.interfaces}
    assert [one["name"] for one in routing["neighbours"]] == [node.name for node in topology.nodes]
    assert all(one["address"] in facing[one["interface"]] for one in routing["neighbours"])
    assert len(routing["announced"]) >= 1 + len(topology.pools)


def test_lines_of_the_configuration() -> None:
    lines = configuration(REFERENCE).splitlines()
    assert "" not in lines
    for line in (
        "router bgp 64512",
        " bgp router-id 192.168.10.200",
        " no bgp ebgp-requires-policy",
        " bgp bestpath as-path multipath-relax",
        " no bgp graceful-restart notification",
        " neighbor nodes remote-as 64513",
        " neighbor 192.168.20.100 peer-group nodes",
        "  maximum-paths 64",
        "ip prefix-list announced-by-nodes permit 172.20.0.0/16 ge 24 le 24",
    ):
        assert line in lines
    # As a restarter, and not only a helper, FRR takes no route until every node has told its last.
    assert " bgp graceful-restart" not in lines


@pytest.mark.skipif(BGPD is None, reason="FRR's bgpd is not installed here")
@pytest.mark.parametrize("shape", ["no-pools", "one-segment", "pools-on-two-segments", "twenty-workers"])
def test_bgpd_reads_it(tmp_path: Path, shape: str) -> None:
    (path,) = (one for one in VALID if one.stem == shape)
    file = tmp_path / "frr.conf"
    file.write_text(configuration(path))
    assert BGPD
    # As whoever runs this, who may read the file.
    options = ["--skip_runas", "-n", "--log", "stdout"]
    done = subprocess.run(
        [BGPD, "-C", "-f", str(file), *options], capture_output=True, text=True, check=False
    )
    # That is said of any graceful restart. Of a line that it does not know it says so too, and goes on.
    said = [line for line in (done.stdout + done.stderr).splitlines() if "reset all peers" not in line]
    assert (done.returncode, said) == (0, []), configuration(path)
