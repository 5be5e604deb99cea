"""Labs as pictures: everything of lab.yaml is there, and it can be read."""

from __future__ import annotations

import re
from itertools import combinations
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml
from click.testing import CliRunner

from ciliumlab import diagram
from ciliumlab.cli import main
from ciliumlab.errors import LabError
from ciliumlab.plan.path import path as way
from ciliumlab.settings import Settings
from ciliumlab.topology import Topology, load

ROOT = Path(__file__).parents[3]
REFERENCE = ROOT / "inventory" / "lab.yaml"
VALID = sorted((ROOT / "tests" / "unit" / "topologies" / "valid").glob("*.yaml"))
SVG = "{http://www.w3.org/2000/svg}"
PATHS = {
    "none": (None, []),
    "lost": (("k8s-ctr:pod", "k8s-w0:pod"), []),
    "tunnel": (("k8s-ctr:pod", "k8s-w0:pod"), ["datapath=vxlan"]),
    "nobody": (("router", "192.168.10.211"), []),
}


def settings(*overrides: str) -> Settings:
    return Settings.read(ROOT / "group_data" / "all.py", overrides)


def drawn(topology: Topology, form: str, ends: tuple[str, str] | None = None, *data: str) -> str:
    chosen = settings(*data)
    found = way(*ends, topology, chosen) if ends else None
    return diagram.FORMATS[form](diagram.drawing(topology, chosen, found))


def large(folder: Path, nodes: int, segments: int) -> Topology:
    """A lab of so many nodes, dealt to segments like cards."""
    nets = [f"net{number}" for number in range(1, segments + 1)]
    lab = {
        "segments": {net: {"cidr": f"192.168.{at}.0/24"} for at, net in enumerate(nets, 1)},
        "router": {
            "name": "router",
            "ssh_port": 60000,
            "interfaces": {
                f"eth{at}": {"segment": net, "address": f"192.168.{at}.200"} for at, net in enumerate(nets, 1)
            },
        },
        "nodes": {
            f"k8s-node{number}": {
                "role": "worker" if number else "control-plane",
                "segment": nets[number % segments],
                "address": f"192.168.{number % segments + 1}.{100 + number}",
                "ssh_port": 60001 + number,
            }
            for number in range(nodes)
        },
        "kubernetes": {
            "pod_cidr": "172.20.0.0/16",
            "pod_cidr_mask_size": 24,
            "service_cidr": "10.96.0.0/16",
        },
    }
    file = folder / "lab.yaml"
    file.write_text(yaml.safe_dump(lab, sort_keys=False))
    return load(file)


# What is there ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", diagram.FORMATS)
@pytest.mark.parametrize("lab", [REFERENCE, *VALID], ids=lambda lab: lab.stem)
def test_all_of_a_lab_is_drawn(lab: Path, form: str) -> None:
    topology = load(lab)
    text = drawn(topology, form)
    for machine in topology.machines:
        assert re.search(rf"\b{machine.name}\b", text)
        for interface in machine.interfaces:
            assert f"{interface.name} {interface.cidr}" in text
    for segment in topology.segments:
        assert f"{segment.name} {segment.cidr}" in text
    for pool in topology.pools:
        assert f"pool {pool.name}: {pool.start}-{pool.stop}" in text
    for dummy in topology.router.dummies:
        assert f"{dummy.name} {dummy.cidr} (dummy)" in text
    nat = any(machine.ssh_host == "127.0.0.1" for machine in topology.machines)
    assert ("NAT 10.0.2.0/24" in text) == nat


@pytest.mark.parametrize("form", diagram.FORMATS)
@pytest.mark.parametrize("case", PATHS)
def test_way_is_drawn(case: str, form: str) -> None:
    ends, data = PATHS[case]
    topology = load(REFERENCE)
    text = " ".join(re.sub(r"<[^>]*>|&gt;|\s|&lt;br&gt;", " ", drawn(topology, form, ends, *data)).split())
    assert ("vxlan udp/8472" in text) == (case == "tunnel")
    assert ("default via 10.0.2.2" in text) >= (case == "lost")
    assert ("nobody answers" in text) == (case == "nobody")


# SVG ----------------------------------------------------------------------------------------------


def test_svg_needs_nothing_else() -> None:
    text = drawn(load(REFERENCE), "svg")
    assert not re.search(r"(?:href|src)=|url\(|@import", text)
    assert set(re.findall(r"https?://[^\"\s]+", text)) <= {
        "http://www.w3.org/2000/svg",
        "http://www.w3.org/1999/xlink",
        "http://www.w3.org/TR/2001/REC-SVG-20010904/DTD/svg11.dtd",
    }
    assert "prefers-color-scheme: dark" in text


def test_svg_tells_routes_where_one_points() -> None:
    root = ElementTree.fromstring(drawn(load(REFERENCE), "svg"))
    titles = {group.get("id"): group.findtext(f"{SVG}title") for group in root.iter(f"{SVG}g")}
    routes = (titles["machine-k8s-ctr"] or "").splitlines()
    assert "172.20.0.0/16 via 192.168.10.200 dev eth1 proto static" in routes
    assert "pods of k8s-w1 via 192.168.10.101 dev eth1 proto kernel" in routes


@pytest.mark.parametrize("segments", [1, 3, 8])
@pytest.mark.parametrize("nodes", [1, 3, 12, 40])
def test_svg_can_be_read(tmp_path: Path, nodes: int, segments: int) -> None:
    """Nothing lies on anything else, and it is no street either."""
    topology = large(tmp_path, nodes, segments)
    root = ElementTree.fromstring(drawn(topology, "svg"))
    found = [box for group in root.iter(f"{SVG}g") if (box := _extent(group))]
    empty = max(0, segments - nodes)
    assert len(found) == nodes + 2 + empty  # the router and the NAT
    for one, other in combinations(found, 2):
        apart = one[2] < other[0] or other[2] < one[0] or one[3] < other[1] or other[3] < one[1]
        assert apart, (one, other)
    _, _, width, height = map(float, root.attrib["viewBox"].split())
    assert width < 2000
    assert width / height < 4.5


def _extent(group: ElementTree.Element) -> tuple[float, float, float, float] | None:
    """Left, top, right and bottom of a node, by the points of its outline, or where its text begins."""
    if "node" not in group.get("class", "").split():
        return None
    outline, text = group.find(f"{SVG}path"), group.find(f"{SVG}text")
    if outline is None:
        assert text is not None
        x, y = float(text.attrib["x"]), float(text.attrib["y"])
        return x, y, x, y
    numbers = [float(number) for number in re.findall(r"-?[\d.]+", outline.attrib["d"])]
    return min(numbers[::2]), min(numbers[1::2]), max(numbers[::2]), max(numbers[1::2])


def test_without_graphviz(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(LabError, match="apt-get install graphviz"):
        drawn(load(REFERENCE), "svg")
    assert drawn(load(REFERENCE), "text")


# The command --------------------------------------------------------------------------------------


def test_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    ends = ["--path", "k8s-ctr:pod", "k8s-w0:pod"]
    done = CliRunner().invoke(main, ["diagram", "--format", "text", *ends, "--data", "datapath=geneve"])
    assert done.exit_code == 0
    assert "k8s-ctr:pod reaches k8s-w0:pod" in done.stdout
    assert "geneve udp/6081" in done.stdout


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--path", "k8s-ctr", "k8s-w9"], "did you mean"),
        (["--data", "datapath=vxlam"], "datapath"),
        (["--topology", "/nonexistent.yaml"], "/nonexistent.yaml"),
    ],
)
def test_command_refuses(monkeypatch: pytest.MonkeyPatch, arguments: list[str], told: str) -> None:
    monkeypatch.chdir(ROOT)
    done = CliRunner().invoke(main, ["diagram", *arguments])
    assert (done.exit_code, done.stdout) == (2, "")
    assert told in done.stderr
