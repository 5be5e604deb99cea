"""How kubeadm asks etcd for a member: again and again, for etcd refuses what comes too early."""

from __future__ import annotations

from typing import Any

import pytest
from kubeadm import members
from kubeadm.phases import Failed

_FIRST, _SECOND, _THIRD = "192.168.10.100", "192.168.10.110", "192.168.20.110"


class Etcd:
    """Answers as etcd 3.5 does, and refuses what ``refusals`` has left."""

    def __init__(self, *refusals: str) -> None:
        self.refusals = list(refusals)
        self.asked: list[tuple[str, str]] = []
        self.members = [self._member(1, _FIRST, name="k8s-ctr")]
        self.dead: set[str] = set()

    @staticmethod
    def _member(number: int, address: str, **more: Any) -> dict[str, Any]:
        return {"ID": str(number), "peerURLs": [f"https://{address}:2380"], **more}

    def call(self, address: str, path: str, body: dict[str, Any]) -> dict[str, Any]:
        verb = path.rpartition("/")[2]
        self.asked.append((address, verb))
        if address in self.dead:
            raise Failed(f"error syncing endpoints with etcd: dial tcp {address}:2379: connection refused")
        if verb == "add":
            if self.refusals:
                raise Failed(self.refusals.pop(0))
            self.members.append({"ID": "28", "isLearner": True, **body})
        elif verb == "promote":
            if self.refusals:
                raise Failed(self.refusals.pop(0))
            next(member for member in self.members if member["ID"] == body["ID"])["isLearner"] = False
        elif verb == "remove":
            self.members = [member for member in self.members if member["ID"] != body["ID"]]
        return {"members": [dict(member) for member in self.members]}


@pytest.fixture
def etcd(monkeypatch: pytest.MonkeyPatch) -> Etcd:
    found = Etcd()
    monkeypatch.setattr(members, "_call", found.call)
    monkeypatch.setattr(members, "_AGAIN", 0)
    return found


def test_a_member_that_is_added_too_early_is_added_later(etcd: Etcd) -> None:
    """As when another one was given its vote a moment ago."""
    etcd.refusals = [
        "etcdserver: too many learner members in cluster",
        "etcdserver: unhealthy cluster",
        "etcdserver: unhealthy cluster",
    ]
    flag = members.add([_FIRST], "k8s-c2", _SECOND, limit=5)
    assert flag == f"k8s-ctr=https://{_FIRST}:2380,k8s-c2=https://{_SECOND}:2380"
    assert [verb for _, verb in etcd.asked].count("add") == 4


def test_patience_has_an_end_in_etcds_own_words(etcd: Etcd) -> None:
    etcd.refusals = ["etcdserver: unhealthy cluster"] * 1000
    with pytest.raises(Failed, match=r"^etcdserver: unhealthy cluster$"):
        members.add([_FIRST], "k8s-c2", _SECOND, limit=0)


def test_a_member_that_is_there_is_not_added_again(etcd: Etcd) -> None:
    flag = members.add([_FIRST], "k8s-ctr", _FIRST, limit=0)
    assert flag == f"k8s-ctr=https://{_FIRST}:2380"
    assert [verb for _, verb in etcd.asked] == ["list"]


def test_one_that_joins_at_the_same_time_goes_by_its_number(etcd: Etcd) -> None:
    """Not by the name of the one that asks: etcd does not start with a name that is there twice."""
    etcd.members.append(etcd._member(255, _SECOND, name=""))
    flag = members.add([_FIRST], "k8s-c3", _THIRD, limit=0)
    assert f",ff=https://{_SECOND}:2380," in flag
    assert flag.endswith(f",k8s-c3=https://{_THIRD}:2380")


def test_another_etcd_is_asked_where_one_is_gone(etcd: Etcd) -> None:
    etcd.dead = {_FIRST}
    members.add([_FIRST, _SECOND], "k8s-c3", _THIRD, limit=0)
    assert (_SECOND, "add") in etcd.asked
    with pytest.raises(Failed, match="connection refused"):
        members.check_health([_SECOND, _FIRST], limit=0)


def test_a_learner_votes_once_it_has_caught_up(etcd: Etcd) -> None:
    members.add([_FIRST], "k8s-c2", _SECOND, limit=0)
    etcd.refusals = ["etcdserver: can only promote a learner member which is in sync with leader"] * 2
    members.promote([_FIRST], _SECOND, limit=5)
    assert [verb for _, verb in etcd.asked].count("promote") == 3
    members.promote([_FIRST], _SECOND, limit=0)
    assert [verb for _, verb in etcd.asked].count("promote") == 3


def test_a_member_is_taken_out(etcd: Etcd) -> None:
    members.add([_FIRST], "k8s-c2", _SECOND, limit=0)
    members.remove([_FIRST], _SECOND, limit=0)
    assert [member["name"] for member in etcd.members] == ["k8s-ctr"]
