"""How the states read what programs print: in the forms of the real ones."""

from __future__ import annotations

import json

import pytest

from tests.states.found import capture, cilium, hubble, network, objects, pods, shell

# iputils: ping.c and ping_common.c; the older one, and musl's word, which the reference lab shows.
PING = """PING 172.20.2.41 (172.20.2.41) 56(84) bytes of data.
64 bytes from 172.20.2.41: icmp_seq=1 ttl=62 time=1.84 ms

--- 172.20.2.41 ping statistics ---
1 packets transmitted, 1 received, 0% packet loss, time 0ms
rtt min/avg/max/mdev = 1.840/1.840/1.840/0.000 ms
"""
LOST = """PING 172.20.2.41 (172.20.2.41) 56(84) bytes of data.

--- 172.20.2.41 ping statistics ---
3 packets transmitted, 0 received, 100% packet loss, time 2055ms
"""
TOO_LONG = """PING 172.20.2.41 (172.20.2.41) 1472(1500) bytes of data.
{}

--- 172.20.2.41 ping statistics ---
2 packets transmitted, 0 received, +2 errors, 100% packet loss, time 1015ms
"""


def pinged(*parts: str) -> pods.Pinged:
    return pods.read_ping("==then==\n".join(parts), [1450, 1500])


@pytest.mark.parametrize(
    "word",
    [
        "ping: local error: message too long, mtu=1450",
        "ping: local error: Message too long, mtu=1450",
        "ping: sendmsg: Message too large",
    ],
)
def test_a_packet_that_is_refused_at_home(word: str) -> None:
    found = pinged(PING, PING, TOO_LONG.format(word))
    assert (found.answered, found.whole) == (True, {1450: "arrives", 1500: "is refused before it leaves"})


def test_a_packet_that_is_lost_on_the_way() -> None:
    """Which is something else than refused."""
    assert pinged(PING, PING, LOST).whole == {1450: "arrives", 1500: "is lost"}


def test_pods_that_do_not_reach_one_another() -> None:
    assert not pods.read_ping(LOST, []).answered
    assert not pods.read_ping("no network namespace below /run/netns has 172.20.0.5", []).answered


def test_pages() -> None:
    whoami = "Hostname: webpod-697b545f57-{}\nIP: 127.0.0.1\nIP: 172.20.1.20\nGET / HTTP/1.1\n\n"
    said = whoami.format("abc") + whoami.format("def") + "curl: (28) Connection timed out after 3001 ms\n"
    assert pods.answering(said) == ["webpod-697b545f57-abc", "webpod-697b545f57-def"]
    assert pods.answering("OK from netshoot-web-5c59d94bd4-x\n") == ["netshoot-web-5c59d94bd4-x"]


def test_shares() -> None:
    said = "     33 Hostname: webpod-697b545f57-abc\n      7 Hostname: webpod-697b545f57-def\n"
    assert pods.shares(said) == {"webpod-697b545f57-abc": 33, "webpod-697b545f57-def": 7}
    assert pods.shares("no network namespace below /run/netns has 172.20.0.5\n") == {}


def test_an_address_outside_the_cluster() -> None:
    neighbour = "192.168.10.211 dev eth1 lladdr 08:00:27:9f:1b:0c REACHABLE \n"
    found = pods.read_outside(f"Hostname: webpod-1\n==then==\n{neighbour}")
    assert found == (["webpod-1"], {"08:00:27:9f:1b:0c"})
    unknown = "curl: (7) Failed to connect\n==then==\n192.168.10.211 dev eth1  FAILED \n"
    assert pods.read_outside(unknown) == ([], set())


# tcpdump -n -q -t -r, of a recording on all interfaces.
def test_capture() -> None:
    found = capture.read(
        {
            "ended": "tcpdump: listening on any\n8 packets captured\n",
            "vxlan": "eth1  In  IP 192.168.10.100.42424 > 192.168.20.100.8472: UDP, length 106\n"
            "eth2  Out IP 192.168.10.100.42424 > 192.168.20.100.8472: UDP, length 106\n",
            "geneve": "",
            "bare": "eth1  In  IP 172.20.0.5 > 172.20.2.41: ICMP echo request, id 7, seq 1, length 64\n",
        }
    )
    assert found.tunnelled == {"vxlan": {("192.168.10.100", "192.168.20.100")}, "geneve": set()}
    assert found.bare == {("172.20.0.5", "172.20.2.41")}


def test_a_capture_that_does_not_begin() -> None:
    with pytest.raises(ValueError, match="tcpdump"):
        capture.read_start({"started": "sh: 1: tcpdump: not found\n"})


# Models StatusResponse and DaemonConfiguration of cilium/cilium, api/v1/openapi.yaml.
HEALTH = {
    "cilium": {"state": "Ok", "msg": "1.18.0 (v1.18.0-5b8b1f5e)"},
    "routing": {"inter-host-routing-mode": "Native", "tunnel-protocol": "vxlan"},
    "kube-proxy-replacement": {"mode": "True", "deviceList": [{"name": "eth1", "ip": ["192.168.10.100"]}]},
    "masquerading": {"enabled": True, "enabledProtocols": {"ipv4": True}, "mode": "BPF"},
    "hubble": {"state": "Ok"},
}
CONFIG = {"status": {"daemonConfigurationMap": {"EnableL2Announcements": True}, "routeMTU": 1500}}


def agent(health: object, config: object) -> cilium.Agent:
    return cilium.read_agent({"health": f"{json.dumps(health)}\n", "config": f"{json.dumps(config)}\n"})


def test_agent() -> None:
    found = agent(HEALTH, CONFIG)
    assert (found.health, found.version, found.devices) == ("Ok", "1.18.0", frozenset({"eth1"}))
    assert found.runs == {
        "datapath": "native",
        "kube-proxy replacement": "True",
        "masquerading": "BPF",
        "route MTU": 1500,
        "L2 announcements": True,
        "BGP control plane": None,
    }


def test_agent_in_a_tunnel() -> None:
    routing = {"inter-host-routing-mode": "Tunnel", "tunnel-protocol": "geneve"}
    assert agent({**HEALTH, "routing": routing}, CONFIG).runs["datapath"] == "geneve"


def test_agent_that_does_not_answer() -> None:
    said = "curl: (7) Couldn't connect to server\n"
    found = cilium.read_agent({"health": said, "config": said})
    assert found.health == "no answer: curl: (7) Couldn't connect to server"
    assert found.runs["datapath"] == ""


def test_release() -> None:
    newest = {"revision": 3, "status": "deployed", "chart": "cilium-1.18.0", "app_version": "1.18.0"}
    counts = {"desiredNumberScheduled": 3, "updatedNumberScheduled": 3, "numberAvailable": 2}
    node = {
        "metadata": {"name": "k8s-ctr"},
        "spec": {
            "addresses": [
                {"ip": "192.168.10.100", "type": "InternalIP"},
                {"ip": "172.20.0.98", "type": "CiliumInternalIP"},
            ],
            "ipam": {"podCIDRs": ["172.20.0.0/24"]},
        },
    }
    found = cilium.read_release(
        {
            "history": json.dumps([newest]),
            "values": '{"routingMode":"native"}\n',
            "configuration": json.dumps({"data": {"routing-mode": "native"}}),
            "agents": json.dumps({"status": counts}),
            "operators": json.dumps(
                {"status": {"replicas": 1, "updatedReplicas": 1, "availableReplicas": 1}}
            ),
            "nodes": json.dumps({"items": [node]}),
        }
    )
    assert (found.chart, found.status, found.values) == (
        "cilium-1.18.0",
        "deployed",
        {"routingMode": "native"},
    )
    assert (found.agents, found.operators) == (cilium.Rollout(3, 3, 2), cilium.Rollout(1, 1, 1))
    assert found.addresses == {"k8s-ctr": ["192.168.10.100"]}
    assert found.pod_cidrs == {"k8s-ctr": ["172.20.0.0/24"]}


def test_no_release() -> None:
    found = cilium.read_release(dict.fromkeys(cilium.release_questions(), "\n"))
    assert (found.chart, found.values, found.pod_cidrs) == ("", {}, {})
    assert found.agents == cilium.Rollout(0, 0, 0)


# Conditions as of cilium/cilium, operator/pkg/lbipam.
def condition(kind: str, status: str, message: str) -> dict[str, str]:
    return {"type": f"cilium.io/{kind}", "status": status, "message": message}


def counted(conflict: str) -> dict[str, object]:
    numbers = {"IPsTotal": "5", "IPsUsed": "2", "IPsAvailable": "3"}
    return {
        "kind": "CiliumLoadBalancerIPPool",
        "metadata": {"name": "cilium-lb-ippool", "labels": {"app.kubernetes.io/managed-by": "ciliumlab"}},
        "status": {
            "conditions": [
                condition("PoolConflict", "True" if conflict else "False", conflict),
                *(condition(kind, "Unknown", number) for kind, number in numbers.items()),
            ]
        },
    }


def service(name: str, **status: object) -> dict[str, object]:
    return {
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {"clusterIP": "10.96.1.2"},
        "status": status,
    }


def lease(name: str, holder: str) -> dict[str, object]:
    return {"metadata": {"name": name}, "spec": {"holderIdentity": holder}}


def found_objects(**items: list[dict[str, object]]) -> objects.Objects:
    answers = {
        kind: json.dumps({"items": items[kind]}) if kind in items else "" for kind in objects.questions()
    }
    return objects.read(answers)


def test_pools() -> None:
    pool = counted("")
    found = found_objects(CiliumLoadBalancerIPPool=[pool])
    assert found.pool(pool) == objects.Pool(total=5, used=2, available=3, conflict="")
    assert found.ours("CiliumLoadBalancerIPPool") == {"cilium-lb-ippool"}
    clash = "Pool conflicts since range '192.168.10.211 - 192.168.10.215' overlaps range …"
    told = found_objects(CiliumLoadBalancerIPPool=[counted(clash)]).pool(pool)
    assert told and told.conflict == clash


def test_services_and_who_leads_them() -> None:
    given = {"loadBalancer": {"ingress": [{"ip": "192.168.10.211", "ipMode": "VIP"}]}}
    web, other = service("webpod", **given), service("other")
    other["status"] = {
        "conditions": [condition("IPAMRequestSatisfied", "False", "The IP … is already allocated")]
    }
    leases = [
        lease("cilium-l2announce-default-webpod", "k8s-w1"),
        lease("cilium-operator-resource-lock", "x"),
    ]
    found = found_objects(Service=[web, other], Lease=leases)
    assert found.service(web) == objects.Service("10.96.1.2", ["192.168.10.211"], "")
    assert found.service(other) == objects.Service("10.96.1.2", [], "The IP … is already allocated")
    assert found.holders == {"default/webpod": "k8s-w1"}


def test_pods() -> None:
    def pod(name: str, *conditions: dict[str, str], **metadata: object) -> dict[str, object]:
        return {
            "metadata": {"name": name, "namespace": "default", "labels": {"app": "webpod"}, **metadata},
            "spec": {"nodeName": "k8s-w1"},
            "status": {"phase": "Pending", "podIP": "172.20.1.20", "conditions": list(conditions)},
        }

    ready = {"type": "Ready", "status": "True"}
    waiting = {"type": "Ready", "status": "False", "message": "containers with unready status: [webpod]"}
    items = [
        pod("c", ready, deletionTimestamp="2026-01-01T00:00:00Z"),
        pod("b", waiting),
        pod("a", ready),
        pod("d"),
    ]
    found = found_objects(Pod=items).pods("default")
    assert [(one.name, one.trouble) for one in found] == [
        ("a", ""),
        ("b", "containers with unready status: [webpod]"),
        ("c", "is about to go"),
        ("d", "Pending"),
    ]
    assert found_objects(Pod=items).pods("kube-system") == []


def test_differences() -> None:
    wanted = {"blocks": [{"start": "192.168.10.211", "stop": "192.168.10.215"}]}
    assert list(objects.differences(wanted, {**wanted, "disabled": False})) == []
    widened = {"blocks": [{"start": "192.168.10.211", "stop": "192.168.10.220"}]}
    (line,) = objects.differences(wanted, widened)
    assert line == 'blocks[0].stop is "192.168.10.220" instead of "192.168.10.215"'
    (line,) = objects.differences(wanted, {})
    assert line.startswith("blocks is null")
    (line,) = objects.differences({}, {"routingModee": "native"}, exact=True)
    assert line == 'routingModee is "native" instead of null'
    (line,) = objects.differences({"values": ["k8s-ctr"]}, {"values": ["k8s-ctr", "k8s-w0"]})
    assert line.startswith("values is")


def flow(where: str) -> str:
    ends = {"source": "172.20.0.5", "destination": "172.20.2.41", "ipVersion": "IPv4"}
    told = {"verdict": "FORWARDED", "IP": ends, "trace_observation_point": where, "Type": "L3_L4"}
    return json.dumps({"flow": told, "node_name": "k8s-ctr"})


def test_hubble() -> None:
    said = f"{flow('TO_ENDPOINT')}\n{flow('TO_OVERLAY')}\n"
    found = hubble.read({"server": "there\n", "program": "hubble v1.18.5", "flows": said})
    assert found.trouble == ""
    assert ("TO_OVERLAY", "FORWARDED") in found.seen("172.20.0.5", "172.20.2.41")
    assert found.seen("172.20.2.41", "172.20.0.5") == set()


@pytest.mark.parametrize(
    ("server", "program", "flows", "why"),
    [
        ("", "hubble v1.18.5", "", "there is no Hubble server at /var/run/cilium/hubble.sock"),
        ("there", "", "sh: 1: hubble: not found", "no program hubble: sh: 1: hubble: not found"),
        ("there", "hubble v1.18.5", "", "hubble v1.18.5: it knows of no packet"),
    ],
)
def test_hubble_that_tells_nothing(server: str, program: str, flows: str, why: str) -> None:
    assert hubble.read({"server": server, "program": program, "flows": flows}).trouble == why


def test_questions_that_wait_together() -> None:
    """No more of them at a time than is said."""
    found = shell.together({str(number): "true" for number in range(5)}, functions="f() { :; }", at_once=2)
    lines = found.splitlines()
    assert lines[1] == "f() { :; }"
    assert [number for number, line in enumerate(lines[2:]) if line == "wait"] == [2, 5, 7]


def test_addresses_that_an_administrator_gives() -> None:
    """The lab's own files, and one in /run that hides one of them, are not his."""
    declared = "network: {ethernets: {eth1: {addresses: [%s]}}}"
    files = {
        path: shell.File(path, "600", "root:root", 0, text)
        for path, text in {
            "/etc/netplan/60-ciliumlab.yaml": declared % "192.168.10.100/24",
            "/run/netplan/60-ciliumlab.yaml": declared % "192.168.10.99/24",
            "/etc/netplan/70-mine.yaml": declared % "198.51.100.8/24",
            "/etc/netplan/80-empty.yaml": "",
            "/etc/netplan/90-other.yaml": "network: {ethernets: {eth0: {dhcp4: true}}}",
            "/etc/systemd/network/61-ciliumlab-dummies-loop1.netdev": "[NetDev]\nName=loop1\n",
        }.items()
    }
    unit = shell.Unit(there=True, active=True, at_boot="enabled", started=0)
    found = network.Network(files, links={}, routes=[], networkd=unit, frr=unit, networkd_settings={})
    assert found.declared_by_others("eth1") == {"198.51.100.8/24"}
    assert found.declared_by_others("eth0") == set()
