"""Steps of the story that guests and containers share."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

from ciliumlab.topology import Node

from .deploy import Deploy
from .running import RunningLab

# Where faults are put into a host's doubles.
FAULTS = "/etc/kubernetes-double/faults"

KUBECTL = "kubectl --kubeconfig /etc/kubernetes/admin.conf"

# All that a deploy could change on a host, as lines. Left out: what machines write of their own accord
# (logs, clocks, timers, the record of who logged in, what a cluster that runs keeps) and what lies in memory.
_FOOTPRINT = r"""
# An emulated machine that has just booted may take longer than systemctl's 25 s to tell its units.
export SYSTEMD_BUS_TIMEOUT=600
find / -xdev \( -path /dev -o -path /proc -o -path /run -o -path /sys -o -path /tmp -o -path /var/tmp \
    -o -path /var/lib/lastlog -o -path /var/lib/systemd -o -path /var/log -o -path /var/lib/etcd \
    -o -path /var/lib/containerd -o -path /var/lib/kubelet -o -path /var/lib/kubernetes-double \
    -o -path /root/.kube/cache \) -prune \
    -o -type d -printf 'file %p %M %u:%g\n' -o -printf 'file %p %M %u:%g %s %C@ %l\n'
dpkg-query -W -f 'package ${db:Status-Abbrev} ${Package} ${Version}\n'
ip -o -4 address | sed 's/valid_lft.*//; s/^/address /'
ip -o link | sed 's/^/link /'
ip -4 route | sed 's/^/route /'
units=$(systemctl list-units --plain --no-legend --type=service,target --state=active) || exit 1
unit_files=$(systemctl list-unit-files --no-legend --type=service,socket,swap,target,timer) || exit 1
echo "$units" | sed 's/^/unit /'
echo "$unit_files" | sed 's/^/unit file /'
sysctl -a --pattern '^net[.]ipv4[.](ip_forward|conf)' | sed 's/^/sysctl /'
sed 's/ .*//; s/^/module /' /proc/modules
sed 's/^/swap /' /proc/swaps
"""


def come_up(lab: RunningLab) -> None:
    with lab.step("boot", essential=True):
        lab.up()
    assert set(lab.status().values()) == {"up"}


def dry_run_changes_nothing(lab: RunningLab) -> None:
    """The first run of all, with everything still to do, and only told."""
    before = footprints(lab)
    with lab.step("look at what a first deploy would change"):
        run = lab.pyinfra("--dry", "inventory/lab.py", "deploy.py")
    after = footprints(lab)
    assert run.status == 0, run.said
    assert set(run.planned) == set(lab.machines)
    assert {
        name: sorted(before[name] ^ after[name]) for name in lab.machines if before[name] != after[name]
    } == {}


def footprints(lab: RunningLab) -> dict[str, set[str]]:
    return lab.everywhere(lambda name: set(lab.shell(name, _FOOTPRINT).splitlines()))


def deploy(lab: RunningLab) -> None:
    with lab.step("deploy for the first time", essential=True):
        run = lab.deploy()
        _expect_success(run)
    assert set(run.changed) == set(lab.machines)


# What machines were like when a deploy of all stages was proven.
_PROVEN = "proven"


def begin_deployed(lab: RunningLab) -> None:
    """Machines right after a deploy: put back to what an earlier story with this lab has proven, or made now,
    which takes several times as long.
    """
    if _PROVEN in lab.snapshots:
        with lab.step("put the machines back to what was proven", essential=True):
            lab.ciliumlab("restore", _PROVEN)
            lab.up()  # what was off then is so still
            settled(lab)
    else:
        lab.destroy()
        come_up(lab)
        deploy(lab)
        lab.snapshot(_PROVEN)
        settled(lab)


def states_hold(lab: RunningLab, when: str) -> None:
    with lab.step(f"prove the states {when}"):
        lab.prove()


def a_report_tells_all(lab: RunningLab, folder: Path) -> None:
    """By what pyinfra and pytest themselves have written: first of a lab as it is declared, then of a route
    that was lost.
    """
    deploy, checks, page = folder / "deploy.json", folder / "checks.xml", folder / "report.html"
    run = lab.deploy()
    _expect_success(run)
    deploy.write_text(json.dumps(run.answer))
    options = ["--deploy", str(deploy), "--checks", str(checks), "--output", str(page)]
    with lab.step("prove the states for a report"):
        lab.prove("", f"--junit-xml={checks}")
    with lab.step("write a report"):
        lab.ciliumlab("report", *options)
    text = page.read_text()
    assert "0 checks failed" in text
    assert 'class="missing"' not in text
    assert "was another one than this" not in text
    assert all(service in text for service in ("default/webpod", "default/netshoot-web"))
    route = "172.20.0.0/16 via 192.168.10.200"
    lab.shell(lab.first, f"ip route del {route}")
    lab.disprove("test_static_route", f"--junit-xml={checks}")
    lab.shell(lab.first, f"ip route add {route} dev eth1 proto static")
    lab.ciliumlab("report", *options)
    missing = re.findall(r'class="missing"><td>([^<]+)', page.read_text())
    assert missing == [f"{route} dev eth1 proto static"]


def nothing_changes(lab: RunningLab, title: str, what: str = "deploy.py") -> None:
    with lab.step(title):
        run = lab.deploy(what)
        _expect_success(run)
    assert run.changed == {}


def _expect_success(run: Deploy) -> None:
    assert (run.status, run.failed) == (0, []), run.said


def reboot(lab: RunningLab) -> None:
    # A guest has a kernel of its own, which may panic.
    panic = {_a_worker(lab): "sync; echo c > /proc/sysrq-trigger"} if lab.kind == "guest" else {}
    with lab.step("reboot all machines", essential=True):
        lab.reboot(panic)
        settled(lab)


def a_killed_machine_is_named_and_converges(lab: RunningLab) -> None:
    """Cut one machine's power while the deploy installs a package there."""
    victim = _a_worker(lab)
    # Real work for all that costs little: a package for the victim, after which come more operations.
    lab.shell(victim, "dpkg --remove --force-depends tree")
    lab.everywhere(lambda name: lab.shell(name, "rm /etc/profile.d/ciliumlab.sh"))

    def kill_at_work() -> None:
        lab.shell(victim, "until pgrep -x apt-get; do sleep 0.1; done")
        lab.kill(victim)

    with lab.step("deploy while a machine is killed"), ThreadPoolExecutor() as pool:
        killing = pool.submit(kill_at_work)
        run = lab.deploy()
        killing.result()
    assert run.status == 1, run.said
    # The others went on, up to what cannot be done without it; there each says why.
    stopped = set(run.failed) - {victim}
    assert victim in run.failed, run.said
    assert not stopped or f"stopped, as {victim} failed before" in run.said
    for name in set(lab.machines) - {victim}:
        lab.shell(name, "[ -e /etc/profile.d/ciliumlab.sh ]")
    assert lab.status()[victim] == "off"

    with lab.step("bring the killed machine back", essential=True):
        lab.up()
        settled(lab)
    with lab.step("deploy again", essential=True):
        run = lab.deploy()
        _expect_success(run)
    assert set(run.changed) == {victim}


def a_snapshot_is_restored(lab: RunningLab) -> None:
    with lab.step("take a snapshot"):
        lab.snapshot(_PROVEN)
    lab.everywhere(lambda name: lab.shell(name, "echo changed > /etc/changed; rm /etc/hosts; sync"))
    with lab.step("restore a snapshot", essential=True):
        lab.ciliumlab("restore", _PROVEN)
        settled(lab)
    found = lab.everywhere(lambda name: lab.shell(name, "ls /etc/changed /etc/hosts 2>/dev/null || true"))
    assert set(found.values()) == {"/etc/hosts\n"}


def swap_is_seen_and_switched_off(lab: RunningLab) -> None:
    """As when somebody adds some, on a kernel of its own."""
    victim = _a_worker(lab)
    lab.shell(
        victim,
        "dd if=/dev/zero of=/swapfile bs=1M count=16 status=none && chmod 600 /swapfile"
        " && mkswap /swapfile > /dev/null && swapon /swapfile"
        " && echo '/swapfile none swap sw 0 0' >> /etc/fstab",
    )
    with lab.step("prove that swap is seen"):
        failed = lab.disprove("swap")
    assert {f"test_swap_is_off[{victim}]", f"test_fstab_brings_no_swap[{victim}]"} <= failed
    with lab.step("switch swap off"):
        run = lab.deploy("tasks/base.py")
        _expect_success(run)
    assert set(run.changed) == {victim}
    assert lab.shell(victim, "tail -n +2 /proc/swaps; rm /swapfile") == ""
    lab.prove("swap")
    nothing_changes(lab, "run tasks/base.py after swap", "tasks/base.py")


# How far a clock is set forward, in seconds: more than the slowest answer takes.
_AHEAD = 600


@contextmanager
def _clock_ahead(lab: RunningLab, name: str) -> Iterator[None]:
    """Containers share their host's clock: there it is a `date` of its own that says another time."""
    if lab.kind == "container":
        program = "/usr/local/bin/date"
        lab.shell(
            name,
            f"printf '%s\\n' '#!/bin/sh' 'exec /bin/date --date \"{_AHEAD} seconds\" \"$@\"' > {program}"
            f" && chmod 755 {program}",
        )
        back = f"rm {program}"
    else:
        service = "systemd-timesyncd.service 2>/dev/null"  # not every image has it
        lab.shell(name, f"systemctl stop {service}; date -s '{_AHEAD} seconds' > /dev/null")
        back = f"date -s '{_AHEAD} seconds ago' > /dev/null; systemctl start {service} || true"
    try:
        yield
    finally:
        lab.shell(name, back)


def a_clock_that_is_off_stops_the_run(lab: RunningLab) -> None:
    victim = _a_worker(lab)
    lab.shell(victim, "rm /etc/profile.d/ciliumlab.sh")
    with _clock_ahead(lab, victim):
        before = footprints(lab)
        with lab.step("deploy with a clock that is off"):
            run = lab.deploy()
        assert (run.status, set(run.failed)) == (1, set(lab.machines)), run.said
        assert re.search(rf"{victim}\W.*clock: is \d+ s ahead of the controller's; set both right", run.said)
        assert f"stopped, as {victim} cannot take part; nothing was changed on any host" in run.said
        assert "Traceback" not in run.said
        assert footprints(lab) == before
        assert lab.disprove("clock") == {f"test_clock[{victim}]"}
    with lab.step("deploy with the clock set right"):
        run = lab.deploy()
        _expect_success(run)
    assert set(run.changed) == {victim}
    lab.prove("clock")


def _a_worker(lab: RunningLab) -> str:
    return next(
        name
        for name, machine in lab.machines.items()
        if isinstance(machine, Node) and machine.role == "worker"
    )


def destroy(lab: RunningLab) -> None:
    """Nothing is left: no process, no mount, no namespace, no disk."""
    with lab.step("destroy"):
        lab.destroy()
    assert lab.traces() == []
    assert set(lab.status().values()) == {"not made"}
    assert not [path for path in lab.state.root.rglob("*") if path.is_socket() or path.name == "machines"]


def kubectl(lab: RunningLab, command: str) -> str:
    """What kubectl prints on the first node of the control plane."""
    return lab.shell(lab.first, f"{KUBECTL} {command}")


# Waits for all that is to run in the cluster, as long as an emulated machine may need.
_SETTLED = f"""
set -e
until {KUBECTL} --request-timeout 5s get --raw /readyz > /dev/null 2>&1; do
    [ $((n += 1)) -lt 300 ] || {{ echo "the API server does not answer"; exit 1; }}; sleep 1
done
{KUBECTL} wait node --all --for=condition=Ready --timeout=300s
{KUBECTL} get daemonsets,deployments --all-namespaces \\
    -o jsonpath='{{range .items[*]}}{{.kind}}/{{.metadata.name}} -n {{.metadata.namespace}}{{"\\n"}}{{end}}' |
    while read -r each; do {KUBECTL} rollout status $each --timeout=300s || exit 1; done
"""


_AGENT_ANSWERS = """
health="curl -s --unix-socket /var/run/cilium/cilium.sock http://localhost/v1/healthz"
until $health | jq -e '.cilium.state == "Ok"' > /dev/null; do
    [ $((n += 1)) -lt 300 ] || { echo "no agent answers"; exit 1; }; sleep 1
done
"""


def settled(lab: RunningLab) -> None:
    """Wait until all of the cluster, where there is one, runs again."""
    if lab.data.get("cluster") == "auto":
        return
    nodes = [name for name, machine in lab.machines.items() if isinstance(machine, Node)]
    # A node that was away for a moment only is still Ready to the API server, whatever runs there.
    lab.everywhere(lambda name: name in nodes and lab.shell(name, _AGENT_ANSWERS, timeout=600))
    lab.shell(lab.first, _SETTLED, timeout=1200)
