"""lab.yaml's rules: each invalid file here breaks one of them, and says in its header what is reported."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from netaddr import IPAddress, IPNetwork

from ciliumlab.errors import DeclarationError
from ciliumlab.topology import Topology, document, load
from ciliumlab.topology.claims import Span, overlaps

ROOT = Path(__file__).parents[2]
REFERENCE = ROOT / "inventory" / "lab.yaml"
TOPOLOGIES = Path(__file__).parent / "topologies"
INVALID = sorted((TOPOLOGIES / "invalid").glob("*.yaml"))
VALID = sorted((TOPOLOGIES / "valid").glob("*.yaml"))

RULES = {
    # design.md, "The rules"
    "yaml": "YAML",
    "shape": "that parses to the shape",
    "unknown-key": "unknown keys are errors, with the nearest known key named",
    "canonical-network": "canonical networks",
    "disjoint-networks": "segments, pod CIDR, service CIDR, dummy networks, NAT network pairwise disjoint",
    "summary": "the summary contains the dummies and is disjoint from the rest",
    "inside-segment": "addresses inside their segment",
    "network-or-broadcast": "neither network nor broadcast address",
    "unique-address": "unique across all machines",
    "interface-name": "interface names valid",
    "unique-interface": "and unique on a machine",
    "host-name": "host names valid (RFC 1123)",
    "unique-host-name": "unique",
    "control-plane": "at least one control-plane node",
    "pod-shares": "pod CIDR large enough for the nodes at the mask size",
    "pool-segment": "pools inside one segment",
    "pool-order": "start <= stop",
    "pool-machines": "holding no machine's address",
    "pool-disjoint": "disjoint from one another",
    "ssh-port": "SSH ports 1-65535",
    "unique-ssh-port": "unique for one ssh_host",
    "ipv6": "IPv6 refused as not supported yet",
    "router-on-every-segment": "the router has an interface on every segment",
    # what other programs would refuse later
    "address": "an address is written as four decimal numbers",
    "lab-name": "the lab's name is a host name",
    "segment-name": "a segment's name is a group of the inventory",
    "pool-name": "a pool's name is a Kubernetes object's",
    "kubeadm-limits": "sizes of the pod and the service CIDR",
    "ssh-host": "what ssh is given",
    "size": "cpus and memory_mib",
    # all at once
    "several": "all problems are reported at once",
}


def header(path: Path, word: str) -> list[str]:
    """What the comment lines ``# <word>: …`` at the top of a file say."""
    prefix = f"# {word}: "
    return [line.removeprefix(prefix) for line in path.read_text().splitlines() if line.startswith(prefix)]


def problems(path: Path) -> list[str]:
    """The lines that loading a file gives, which name the file as it was given."""
    with pytest.raises(DeclarationError) as caught:
        load(path)
    assert caught.value.exit_status == 2
    lines = str(caught.value).split("\n")
    assert len(lines) == len(caught.value.problems)
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


@pytest.mark.parametrize("path", INVALID, ids=lambda path: path.stem)
def test_invalid_file_reports_exactly_what_its_header_says(path: Path) -> None:
    assert problems(path) == header(path, "expect")


def test_every_rule_has_a_file_that_breaks_it() -> None:
    assert {rule for path in INVALID for rule in header(path, "rule")} == set(RULES)


def test_several_problems_are_reported_at_once() -> None:
    path = TOPOLOGIES / "invalid" / "several-at-once.yaml"
    assert [line.split(": ")[0] for line in problems(path)] == [
        "naem",
        "segments.net20.cidr",
        "nodes.w1.cpus",
        "load_balancer.pools.pool1.stop",
        "kubernetes.service_cidr",
        "nodes.w1.address",
        "nodes.w1.ssh_port",
    ]


def test_the_file_is_named_as_it_was_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(TOPOLOGIES)
    assert problems(Path("invalid/size-cpus.yaml")) == ["nodes.w1.cpus: must be at least 1, not 0"]


@pytest.mark.parametrize("path", [*VALID, *INVALID], ids=lambda path: path.stem)
def test_without_libyaml_the_outcome_is_the_same(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(document, "_LOADER", yaml.SafeLoader)
    if header(path, "rule") == ["yaml"]:
        assert len(problems(path)) == 1  # in the words of another parser
    elif path in INVALID:
        assert problems(path) == header(path, "expect")
    else:
        load(path)


class TestFilesThatCannotBeRead:
    def test_missing(self, tmp_path: Path) -> None:
        assert problems(tmp_path / "lab.yaml") == ["cannot be read: No such file or directory"]

    def test_directory(self, tmp_path: Path) -> None:
        assert problems(tmp_path) == ["cannot be read: Is a directory"]

    def test_forbidden(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        # Root may read everything, so the refusal is made up.
        def refuse(path: Path) -> bytes:
            raise PermissionError(13, "Permission denied", str(path))

        monkeypatch.setattr(Path, "read_bytes", refuse)
        assert problems(tmp_path / "lab.yaml") == ["cannot be read: Permission denied"]

    def test_not_utf8(self, tmp_path: Path) -> None:
        path = tmp_path / "lab.yaml"
        path.write_bytes("name: lab\n# größer\n".encode("latin-1"))
        assert problems(path) == ["is not UTF-8 text (byte 15); save it as UTF-8"]

    def test_no_bytes_at_all(self, tmp_path: Path) -> None:
        path = tmp_path / "lab.yaml"
        path.touch()
        assert problems(path) == ["is empty; start from inventory/lab.yaml of the project"]

    def test_nesting_that_would_crash_the_parser(self, tmp_path: Path) -> None:
        path = tmp_path / "lab.yaml"
        path.write_text("{a: " * 100_000)
        assert problems(path) == ["line 1: is nested deeper than 20 levels; nothing here is"]

    @pytest.mark.parametrize("escape", [r"\UFFFFFFFF", r"\uD800"])
    def test_escapes_that_are_no_characters(
        self, escape: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = tmp_path / "lab.yaml"
        path.write_text(f'name: "{escape}"\n')
        problems(path)
        monkeypatch.setattr(document, "_LOADER", yaml.SafeLoader)
        problems(path)


class TestOneMistakeIsReportedOnce:
    """A value that cannot be read is not held against what depends on it."""

    def edited(self, tmp_path: Path, old: str, new: str) -> list[str]:
        text = REFERENCE.read_text()
        assert old in text
        path = tmp_path / "lab.yaml"
        path.write_text(text.replace(old, new))
        return problems(path)

    def test_a_segment_without_a_network_has_no_wrong_addresses(self, tmp_path: Path) -> None:
        (line,) = self.edited(tmp_path, "{cidr: 192.168.10.0/24}", "{cidr: 192.168.10/24}")
        assert line.startswith("segments.net10.cidr: 192.168.10/24 is not an IPv4 address")

    def test_segments_that_are_no_mapping_are_not_missed_elsewhere(self, tmp_path: Path) -> None:
        mapping = "segments:\n  net10: {cidr: 192.168.10.0/24}\n  net20: {cidr: 192.168.20.0/24}\n"
        lines = self.edited(tmp_path, mapping, "segments: [net10, net20]\n")
        assert lines == ["segments: must be a mapping of keys to values, not a list"]

    def test_a_segment_that_cannot_be_named_is_not_missed_elsewhere(self, tmp_path: Path) -> None:
        (line,) = self.edited(tmp_path, "  net20: {cidr", "  {net20}: {cidr")
        assert line == "segments: line 6: a key must be text, not a mapping"

    def test_a_misspelt_role_is_not_a_missing_control_plane(self, tmp_path: Path) -> None:
        (line,) = self.edited(tmp_path, "role: control-plane", "role: controlplane")
        assert line == "nodes.k8s-ctr.role: controlplane is not a role; did you mean control-plane?"

    def test_a_misspelt_segment_is_not_a_missing_interface(self, tmp_path: Path) -> None:
        (line,) = self.edited(tmp_path, "eth2: {segment: net20", "eth2: {segment: net02")
        assert line.startswith("router.interfaces.eth2.segment: net02 is not a segment; did you mean net")

    def test_an_address_outside_its_segment_is_not_also_taken_twice(self, tmp_path: Path) -> None:
        (line,) = self.edited(tmp_path, "address: 192.168.20.100", "address: 192.168.10.100")
        assert line.startswith("nodes.k8s-w0.address: 192.168.10.100 is not inside 192.168.20.0/24")

    def test_two_wrong_ports_are_not_the_same_port(self, tmp_path: Path) -> None:
        lines = self.edited(tmp_path, "ssh_port: 600", "ssh_port: 7600")
        assert [line.split(": ", 1)[1] for line in lines] == [
            f"must be from 1 to 65535, not 76{port}" for port in ("0009", "0000", "0001", "0010")
        ]

    def test_a_merge_key_may_hold_what_is_missing(self, tmp_path: Path) -> None:
        lines = self.edited(
            tmp_path, "{role: worker, segment: net20,", "{<<: {role: worker, segment: net20},"
        )
        assert lines == ["nodes.k8s-w0: line 20: merge keys (<<) are not supported; write the keys out"]

    def test_a_node_given_twice_counts_once(self, tmp_path: Path) -> None:
        (line,) = self.edited(tmp_path, "  k8s-w1:", "  k8s-ctr:")
        assert line == "nodes.k8s-ctr: is given again on line 19; keep one of the two"


@pytest.fixture(scope="module")
def lab() -> Topology:
    return load(REFERENCE)


class TestReferenceLab:
    def test_machines_are_the_nodes_in_order_and_then_the_router(self, lab: Topology) -> None:
        assert [machine.name for machine in lab.machines] == ["k8s-ctr", "k8s-w1", "k8s-w0", "router"]

    def test_values_and_defaults(self, lab: Topology) -> None:
        assert [
            (m.name, m.ssh_host, m.ssh_port, m.ssh_user, m.ssh_key, m.cpus, m.memory_mib)
            for m in lab.machines
        ] == [
            ("k8s-ctr", "127.0.0.1", 60000, "vagrant", None, 2, 2560),
            ("k8s-w1", "127.0.0.1", 60001, "vagrant", None, 2, 1536),
            ("k8s-w0", "127.0.0.1", 60010, "vagrant", None, 2, 1536),
            ("router", "127.0.0.1", 60009, "vagrant", None, 1, 768),
        ]
        assert [node.role for node in lab.nodes] == ["control-plane", "worker", "worker"]

    def test_interfaces(self, lab: Topology) -> None:
        assert [
            (machine.name, interface.name, interface.segment.name, interface.cidr)
            for machine in lab.machines
            for interface in machine.interfaces
        ] == [
            ("k8s-ctr", "eth1", "net10", "192.168.10.100/24"),
            ("k8s-w1", "eth1", "net10", "192.168.10.101/24"),
            ("k8s-w0", "eth1", "net20", "192.168.20.100/24"),
            ("router", "eth1", "net10", "192.168.10.200/24"),
            ("router", "eth2", "net20", "192.168.20.200/24"),
        ]

    def test_networks(self, lab: Topology) -> None:
        assert lab.name == "cilium-lab"
        assert [segment.cidr for segment in lab.segments] == [
            IPNetwork("192.168.10.0/24"),
            IPNetwork("192.168.20.0/24"),
        ]
        assert [str(dummy.cidr) for dummy in lab.router.dummies] == ["10.10.1.200/24", "10.10.2.200/24"]
        assert lab.router.summary == IPNetwork("10.10.0.0/16")
        assert lab.kubernetes.pod_cidr == IPNetwork("172.20.0.0/16")
        assert lab.kubernetes.pod_cidr_mask_size == 24
        assert lab.kubernetes.service_cidr == IPNetwork("10.96.0.0/16")

    def test_pool_stands_on_its_segment(self, lab: Topology) -> None:
        (pool,) = lab.pools
        assert (pool.name, pool.start, pool.stop, pool.segment) == (
            "cilium-lb-ippool",
            IPAddress("192.168.10.211"),
            IPAddress("192.168.10.215"),
            lab.segments[0],
        )


class TestOverlaps:
    def test_every_pair_in_the_order_of_declaration(self) -> None:
        wide, right, left, apart = (
            Span(key, first, last, key)
            for key, first, last in [
                ("wide", 0, 99),
                ("right", 50, 60),
                ("left", 10, 50),
                ("apart", 100, 110),
            ]
        )
        assert overlaps([apart, right, wide, left]) == [(right, wide), (right, left), (wide, left)]

    def test_work_grows_with_the_number_of_spans_and_not_of_pairs(self) -> None:
        compared = 0

        class Counted(int):
            def __lt__(self, other: int) -> bool:
                nonlocal compared
                compared += 1
                return int(self) < int(other)

            def __ge__(self, other: int) -> bool:
                nonlocal compared
                compared += 1
                return int(self) >= int(other)

        count = 5000
        spans = [Span(str(n), Counted(n * 10), Counted(n * 10 + 9), "") for n in range(count)]
        assert overlaps(spans[::2] + spans[1::2]) == []
        assert compared < count * 20  # of 12,497,500 pairs


REFERENCE_TREE = yaml.safe_load(REFERENCE.read_text())
DUMPER = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.dates()
    | st.binary(max_size=4)
    | st.text(max_size=12)
    | st.sampled_from(
        ["net10", "10.0.0.0/8", "192.168.10.100", "::1", "0.0.0.0/0", "255.255.255.255/32", "eth1"]
    ),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6) | st.integers(), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("any") / "lab.yaml"


def dumped(value: object) -> bytes:
    return yaml.dump(value, Dumper=DUMPER, allow_unicode=True).encode("utf-8", "replace")


class TestWhateverIsInTheFile:
    """Either a topology or problems, each on one line; nothing else is ever raised."""

    def attempt(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        try:
            load(path)
        except DeclarationError as error:
            assert len(str(error).splitlines()) == len(error.problems) > 0
        else:
            assert isinstance(load(path), Topology)

    @given(
        content=st.binary(max_size=80)
        | st.text(max_size=80).map(lambda text: text.encode("utf-8", "replace"))
    )
    def test_any_bytes(self, path: Path, content: bytes) -> None:
        self.attempt(path, content)

    @given(value=ANYTHING)
    def test_any_value(self, path: Path, value: object) -> None:
        self.attempt(path, dumped(value))

    @given(data=st.data(), value=ANYTHING)
    def test_any_value_anywhere(self, path: Path, data: st.DataObject, value: object) -> None:
        tree = place = deepcopy(REFERENCE_TREE)
        while True:
            key = data.draw(st.sampled_from(sorted(place)))
            if not isinstance(place[key], dict) or data.draw(st.booleans()):
                break
            place = place[key]
        if data.draw(st.booleans()):
            place[key] = value
        else:
            place[data.draw(st.text(max_size=6) | st.integers() | st.none())] = place.pop(key)
        self.attempt(path, dumped(tree))
