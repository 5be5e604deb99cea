"""The lab that an inventory names: what each machine must be, and what is found on it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from ipaddress import IPv4Interface
from pathlib import Path
from typing import Any, Generic, NoReturn, TypeVar

import pytest

from . import declared, talks
from .found import (
    base,
    capture,
    cilium,
    containerd,
    hubble,
    kubernetes,
    network,
    objects,
    pods,
    reach,
    shell,
    web,
)
from .ssh import Connection, Silent

T = TypeVar("T")

ROOT = Path(__file__).parents[2]

# Up to here every node is tried with every other one; in a larger lab with the first of each segment.
_SMALL_LAB = 8

# So many machines are asked at a time.
_AT_ONCE = 16


class Unreadable(Exception):
    """The inventory cannot be read; says all that is wrong, and carries the exit status that it deserves."""

    def __init__(self, problems: str, exit_status: int) -> None:
        super().__init__(problems)
        self.exit_status = exit_status


class Trouble(Exception):
    """A machine does not answer, or not in a way that can be understood; says all of it."""


class Asked(Generic[T]):
    """A property that a machine is asked for, once: all of ``group`` are, at the same time, when a test first
    wants to know it of one of them.

    ``ask`` runs in a thread: what it needs of other properties must be known before.
    """

    def __init__(self, group: str, ask: Callable[[Machine], T]) -> None:
        self.group = group
        self._ask = ask

    def answer(self, machine: Machine) -> T | Trouble:
        if machine.trouble:
            return machine.trouble
        try:
            return self._ask(machine)
        except Trouble as trouble:
            return trouble

    def __get__(self, machine: Machine, owner: type[Machine]) -> T:
        if self not in machine.told:
            machine.lab.ask(self, machine)
        answer: T | Trouble = machine.told[self]
        if isinstance(answer, Trouble):
            machine.give_up(answer)
        return answer


def asked(group: str) -> Callable[[Callable[[Machine], T]], Asked[T]]:
    return lambda ask: Asked(group, ask)


class Machine:
    """One machine of the inventory.

    What it must be is in ``data``; what it is, is asked once a stage, when a test first wants to know.
    A machine that does not answer fails the first test that wants to know, and the others are skipped.
    """

    def __init__(self, entry: dict[str, Any], sockets: Path) -> None:
        self.name: str = entry["name"]
        self.groups: list[str] = entry["groups"]
        self.data: dict[str, Any] = entry["data"]
        self.interfaces: dict[str, dict[str, Any]] = self.data["interfaces"]
        self.connection = Connection(self.data, sockets)
        self.trouble: Trouble | None = None
        """Why it is asked for nothing more."""
        self._given_up = False
        self.told: dict[Asked[Any], Any] = {}
        self.lab: Lab
        # Which addresses it shall try; filled in by the lab, which knows the other machines.
        self.fetched: list[str] = []
        self.pinged: list[str] = []
        self.traced: list[str] = []

    def __str__(self) -> str:
        return self.name

    # What it must be ---------------------------------------------------------------------------------

    @property
    def cards(self) -> list[str]:
        """Its interfaces on segments."""
        return [name for name, interface in self.interfaces.items() if not interface.get("dummy")]

    @property
    def dummies(self) -> list[str]:
        return [name for name, interface in self.interfaces.items() if interface.get("dummy")]

    @property
    def addresses(self) -> list[IPv4Interface]:
        """On segments and dummies, with their networks."""
        return [IPv4Interface(one) for entry in self.interfaces.values() for one in entry["addresses"]]

    # What it is --------------------------------------------------------------------------------------

    @property
    def base(self) -> base.Base:
        return self._base[0]

    @property
    def clock_off(self) -> float:
        """Seconds by which its clock is ahead of this machine's, or behind (less than 0): at the least, as
        nobody knows when between the question and the answer it looked at it.
        """
        found, before, after = self._base
        return max(found.ended - after, 0) or min(found.began - before, 0)

    @asked("all")
    def _base(self) -> tuple[base.Base, float, float]:
        before = time.time()
        found = self._ask(shell.script(base.questions(self.data)), base.read)
        return found, before, time.time()

    @asked("all")
    def network(self) -> network.Network:
        return self._ask(shell.script(network.questions()), network.read)

    @asked("routers")
    def web(self) -> web.Web:
        return self._ask(shell.script(web.questions()), web.read)

    @property
    def containerd(self) -> containerd.Containerd:
        """Skips where ``cluster=auto`` has left the runtime out."""
        found = self._containerd
        if self.data["cluster"] == "auto" and not found.packages and not found.files:
            pytest.skip(f"{self}: no container runtime was deployed here, as cluster=auto allows")
        return found

    @asked("nodes")
    def _containerd(self) -> containerd.Containerd:
        return self._ask(shell.script(containerd.questions()), containerd.read)

    @property
    def kubelet(self) -> kubernetes.Kubelet:
        """Skips where ``cluster=auto`` has left the cluster out."""
        found = self._kubelet
        if self.data["cluster"] == "auto" and "nodes" in self.groups and not found.packages:
            pytest.skip(f"{self}: no cluster was deployed here, as cluster=auto allows")
        return found

    @asked("nodes")
    def _kubelet(self) -> kubernetes.Kubelet:
        return self._ask(shell.script(kubernetes.kubelet_questions()), kubernetes.read_kubelet)

    @property
    def cluster(self) -> kubernetes.Cluster:
        """As this control-plane node tells it."""
        _ = self.kubelet
        return self._cluster

    @asked("control_plane")
    def _cluster(self) -> kubernetes.Cluster:
        return self._ask(shell.script(kubernetes.cluster_questions()), kubernetes.read_cluster)

    @property
    def agent(self) -> cilium.Agent:
        """As Cilium's agent on this node tells it."""
        _ = self.kubelet
        return self._agent

    @asked("nodes")
    def _agent(self) -> cilium.Agent:
        return self._ask(shell.script(cilium.agent_questions()), cilium.read_agent)

    @property
    def release(self) -> cilium.Release:
        """As this control-plane node tells it."""
        _ = self.kubelet
        return self._release

    @asked("control_plane")
    def _release(self) -> cilium.Release:
        return self._ask(shell.script(cilium.release_questions()), cilium.read_release)

    @property
    def objects(self) -> objects.Objects:
        """As this control-plane node tells them."""
        _ = self.kubelet
        return self._objects

    @asked("control_plane")
    def _objects(self) -> objects.Objects:
        return self._ask(shell.script(objects.questions()), objects.read)

    @property
    def talks(self) -> shell.Answers:
        """What this node and the pods on it reach; talks.py knows the names of the questions."""
        _ = self.lab.first.objects  # which say what there is to ask for
        return self._talks

    @asked("nodes")
    def _talks(self) -> shell.Answers:
        questions = talks.questions(self.lab, self)
        script = shell.together(questions, functions=pods.FUNCTIONS, at_once=pods.AT_ONCE)
        return self._ask(script, lambda found: found)

    @cached_property
    def capture(self) -> capture.Capture:
        """What passes this router while pods of different segments talk."""
        networks = declared.pod_networks(self.data)
        self.ask(shell.script(capture.start(networks)), capture.read_start)
        try:
            talks.talk_across(self.lab)
        finally:
            found = self.ask(shell.script(capture.stop(networks)), capture.read)
        return found

    @cached_property
    def announced(self) -> shell.Answers:
        """What this router reaches of the services that have addresses, and whose address each is."""
        script = shell.together(talks.router_questions(self.lab), at_once=pods.AT_ONCE)
        return self.ask(script, lambda found: found)

    @property
    def flows(self) -> hubble.Flows:
        """What Hubble saw here of the ping from each pod on this node to each other one."""
        _ = self.talks
        return self._flows

    @asked("control_plane")
    def _flows(self) -> hubble.Flows:
        return self._ask(shell.script(hubble.questions()), hubble.read)

    @asked("nodes")
    def pages(self) -> shell.Answers:
        """What the router's web server answers this machine, by the address that it was asked at."""
        return self._ask(shell.together(web.fetches(self.fetched)), lambda found: found)

    @asked("all")
    def reached(self) -> dict[str, reach.Reached]:
        """What it takes to get to each address."""
        return self._ask(
            shell.together(reach.questions(self.pinged, self.traced)),
            lambda found: {address: reach.read(said) for address, said in found.items()},
        )

    @property
    def login(self) -> dict[str, str]:
        """``who`` one is after a login, what ``vi`` says that it is, and all that was ``shown``."""
        self.answers()
        return self._login

    @asked("all")
    def _login(self) -> dict[str, str]:
        # The names and their signs are apart, so that the line as typed is not taken for the answer.
        shown = self.connection.login('echo "who""=$(id -un)"; echo "vi""=$(vi --version | head -n 1)"')
        return {"shown": shown, **dict(re.findall(r"^(who|vi)=(.*)$", shown, re.MULTILINE))}

    def seen(self, topic: type[T]) -> T | None:
        """What a test has already asked for, of this kind; None where none has."""
        return next((value for value in self.told.values() if isinstance(value, topic)), None)

    def answers(self) -> None:
        """Fail, or skip if that was done already, when this machine does not answer."""
        _ = self.base

    def ask(self, script: str, read: Callable[[shell.Answers], T]) -> T:
        """For what is asked of this machine alone, or as a test goes."""
        if self.trouble:
            self.give_up(self.trouble)
        try:
            return self._ask(script, read)
        except Trouble as trouble:
            self.give_up(trouble)

    def _ask(self, script: str, read: Callable[[shell.Answers], T]) -> T:
        """Raises Trouble."""
        output = ""
        try:
            output = self.connection.run(script)
            return read(shell.answers(output))
        except Silent as why:
            self.trouble = Trouble(f"{self}: does not answer at {self.connection.where}: {why}")
        except (ValueError, LookupError) as error:
            self.trouble = Trouble(f"{self}: cannot understand what it answers ({error!r}):\n{output}")
        raise self.trouble

    def give_up(self, trouble: Trouble) -> NoReturn:
        """Fail the test at hand; skip it where one has failed for this machine's trouble before."""
        if self._given_up:
            pytest.skip(str(trouble))
        self._given_up = True
        pytest.fail(str(trouble), pytrace=False)


class Lab:
    """All machines. ``close`` ends the connections to them."""

    def __init__(self, entries: Iterable[dict[str, Any]]) -> None:
        # The path of a Unix socket must be short.
        self._sockets = Path(tempfile.mkdtemp(prefix="states-"))
        self.machines = [Machine(entry, self._sockets) for entry in entries]
        self.nodes = [machine for machine in self.machines if "nodes" in machine.groups]
        self.control_plane = [machine for machine in self.nodes if "control_plane" in machine.groups]
        self.routers = [machine for machine in self.machines if "routers" in machine.groups]
        for machine in self.machines:
            machine.lab = self
        for one, _, address, _ in self.pings():
            one.pinged.append(address)
        for one, _, address, _ in self.paths():
            one.traced.append(address)
        for node, _, address in self.fetches():
            node.fetched.append(address)

    def close(self) -> None:
        for machine in self.machines:
            machine.connection.close()
        shutil.rmtree(self._sockets, ignore_errors=True)

    def ask(self, topic: Asked[Any], machine: Machine) -> None:
        """Have this machine, and all others that the topic concerns, told it."""
        concerned = [one for one in self.machines if topic.group in ("all", *one.groups)]
        waiting = [one for one in dict.fromkeys([*concerned, machine]) if topic not in one.told]
        with ThreadPoolExecutor(_AT_ONCE) as pool:
            for one, answer in zip(waiting, pool.map(topic.answer, waiting), strict=True):
                one.told[topic] = answer

    @property
    def first(self) -> Machine:
        """The control-plane node that is asked for what the whole cluster knows."""
        return self.control_plane[0]

    def node(self, name: str) -> Machine:
        return next(node for node in self.nodes if node.name == name)

    def pairs(self) -> list[tuple[Machine, Machine]]:
        """Nodes that must reach one another, both ways."""
        if len(self.nodes) <= _SMALL_LAB:
            return [(one, other) for one in self.nodes for other in self.nodes if one is not other]
        first = {node.addresses[0].network: node for node in reversed(self.nodes)}
        ways = [(node, other) for node in self.nodes for other in first.values() if node is not other]
        return list(dict.fromkeys([*ways, *((other, node) for node, other in ways)]))

    def pings(self) -> list[tuple[Machine, Machine, str, int]]:
        """Who must reach whom at which address, and the TTL of the answer: one less for each router."""
        between_nodes = [
            (one, other, str(other.addresses[0].ip), 64 - len(self._gateways(one, other)))
            for one, other in self.pairs()
        ]
        to_routers = [(node, router, address, 64) for node, router, address in self.fetches()]
        from_routers = [
            (router, node, str(node.addresses[0].ip), 64) for router in self.routers for node in self.nodes
        ]
        return [*between_nodes, *to_routers, *from_routers]

    def paths(self) -> list[tuple[Machine, Machine, str, tuple[str, ...]]]:
        """The addresses on the way from each node to others, the target's own being the last."""
        return [
            (one, other, address, (*self._gateways(one, other), address))
            for one, other in self.pairs()
            for address in [str(other.addresses[0].ip)]
        ]

    def fetches(self) -> list[tuple[Machine, Machine, str]]:
        """Who must get whose page at which address."""
        return [
            (node, router, str(address.ip))
            for node in self.nodes
            for router in self.routers
            for address in router.addresses
        ]

    def _gateways(self, one: Machine, other: Machine) -> list[str]:
        """The router's address on the segment of ``one``, unless both are on it."""
        segment = one.addresses[0].network
        if segment == other.addresses[0].network:
            return []
        return [
            str(address.ip)
            for router in self.routers
            for address in router.addresses
            if address.network == segment
        ]


def read(inventory: Path, overrides: Iterable[str]) -> Lab:
    """The lab of a pyinfra inventory; ``overrides`` are those of its ``--data``. Raises Unreadable.

    Another process reads it, as pyinfra patches the one that it is imported into.
    """
    if not inventory.is_file():  # pyinfra would take it for a host's name
        raise Unreadable(f"{inventory}: no such inventory", 2)
    command = [sys.executable, "-m", "pyinfra", str(inventory), "debug-inventory", "--json"]
    command += [f"--data={override}" for override in overrides]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode != 0:
        problems = [line for line in done.stderr.splitlines() if line and not line.startswith("-->")]
        raise Unreadable("\n".join(problems), done.returncode)
    return Lab(json.loads(done.stdout))
