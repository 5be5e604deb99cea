"""The block in /etc/hosts, whatever has become of it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ciliumlab.operations.hosts import Entry, edited

ENTRIES = [Entry(address="192.168.10.100", name="k8s-ctr"), Entry(address="192.168.10.200", name="router")]
BLOCK = "# BEGIN lab\n192.168.10.100 k8s-ctr\n192.168.10.200 router\n# END lab\n"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param("", BLOCK, id="empty"),
        pytest.param("a 1", f"a 1\n{BLOCK}", id="no newline at the end"),
        pytest.param(f"a 1\n{BLOCK}b 2\n", f"a 1\n{BLOCK}b 2\n", id="in the middle, as it should be"),
        pytest.param(
            "a 1\n# BEGIN lab\n192.168.10.1 old\n# END lab\nb 2\n", f"a 1\n{BLOCK}b 2\n", id="entries changed"
        ),
        pytest.param(
            "a 1\n# BEGIN lab\n10.0.0.1 k8s-ctr\n10.0.0.2 mine\n",
            f"a 1\n{BLOCK}10.0.0.2 mine\n",
            id="torn: an end is missing, and what follows is an administrator's",
        ),
        pytest.param(f"# END lab\na 1\n{BLOCK}", f"a 1\n{BLOCK}", id="torn: a beginning is missing"),
        pytest.param(f"{BLOCK}a 1\n{BLOCK}", f"{BLOCK}a 1\n", id="twice"),
        pytest.param(f"# BEGIN lab\n10.0.0.1 router\n{BLOCK}a 1\n", f"{BLOCK}a 1\n", id="torn, then whole"),
        pytest.param(
            "# BEGIN other\n10.0.0.1 x\n# END other\n",
            f"# BEGIN other\n10.0.0.1 x\n# END other\n{BLOCK}",
            id="another's block",
        ),
        pytest.param("127.0.1.1 k8s-ctr\n", BLOCK, id="own name on loopback"),
        pytest.param(
            "127.0.0.1 localhost k8s-ctr.lan k8s-ctr mine # comment\n",
            f"127.0.0.1 localhost mine\n{BLOCK}",
            id="own name among others on loopback",
        ),
        pytest.param("127.0.2.1 other\n", f"127.0.2.1 other\n{BLOCK}", id="another name on loopback"),
        pytest.param("::1\tlocalhost\n", f"::1\tlocalhost\n{BLOCK}", id="untouched lines keep their blanks"),
        pytest.param("10.0.2.15 k8s-ctr\n", BLOCK, id="own name on the side of the NAT"),
        pytest.param(
            "10.0.0.9 mine router k8s-ctr.lan\n",
            f"10.0.0.9 mine k8s-ctr.lan\n{BLOCK}",
            id="another machine's name among others",
        ),
        pytest.param("192.168.10.200 router\n", f"192.168.10.200 router\n{BLOCK}", id="the same once more"),
        pytest.param("fd00::1 router\n", f"fd00::1 router\n{BLOCK}", id="an address of IPv6 besides"),
        pytest.param("# 127.0.1.1 k8s-ctr\n", f"# 127.0.1.1 k8s-ctr\n{BLOCK}", id="a comment"),
    ],
)
def test_edited(before: str, after: str) -> None:
    assert edited(before, ENTRIES, "lab") == after


LINES = st.sampled_from(
    ["# BEGIN lab", "# END lab", "127.0.1.1 k8s-ctr", "10.0.0.1 router", "10.0.0.9 mine", "", "# note"]
)


@given(st.lists(LINES))
def test_a_second_time_changes_nothing_and_one_block_remains(lines: list[str]) -> None:
    once = edited("\n".join(lines), ENTRIES, "lab")
    assert edited(once, ENTRIES, "lab") == once
    assert once.count("# BEGIN lab") == once.count("# END lab") == 1
    assert BLOCK in once


@given(st.lists(LINES))
def test_lines_of_others_outside_of_blocks_stay(lines: list[str]) -> None:
    outside = [line for line in lines if line in ("10.0.0.9 mine", "# note")]
    if "# BEGIN lab" not in lines:
        once = edited("\n".join(lines), ENTRIES, "lab")
        assert [line for line in once.splitlines() if line in outside] == outside
