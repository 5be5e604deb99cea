"""A lab's machines as a whole: up, down, destroy, status, snapshots; guests and containers alike."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from difflib import get_close_matches
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any

from ciliumlab import parallel
from ciliumlab.errors import DeclarationError, LabError, Problem
from ciliumlab.machines import accelerator, boot, debian, host, identity, image, ubuntu
from ciliumlab.machines.container import Containers
from ciliumlab.machines.guest import Guests
from ciliumlab.machines.image import Image
from ciliumlab.progress import Progress, Report
from ciliumlab.state import State
from ciliumlab.topology import Machine, Topology

KINDS = ("auto", "guest", "container")
IMAGES = ("auto", "ubuntu", "debian")

Kind = Guests | Containers


class Lab:
    """The machines of one topology that this host runs (those reached directly are not ours)."""

    def __init__(self, topology: Topology, state: State, where: str) -> None:
        """``where`` names the topology's file in error lines."""
        self.topology = topology
        self.state = state
        self.where = where
        self.kinds: dict[str, Kind] = {
            "guest": Guests(topology, state),
            "container": Containers(topology, state),
        }

    # Which -----------------------------------------------------------------------------------------

    def machine(self, name: str) -> Machine:
        """The machine of that name; DeclarationError naming the nearest one."""
        by_name = {machine.name: machine for machine in self.topology.machines}
        if name in by_name:
            return by_name[name]
        near = get_close_matches(name, by_name, n=1)
        hint = f"did you mean {near[0]}?" if near else f"its machines are {', '.join(by_name)}"
        raise DeclarationError(Problem(name, f"no machine of that name is in {self.where}; {hint}"))

    def local(self, names: Sequence[str] = ()) -> list[Machine]:
        """The named machines, or all, that this host runs. DeclarationError for one that it does not."""
        chosen = [self.machine(name) for name in names] or list(self.topology.machines)
        ours = [machine for machine in chosen if machine.runs_here]
        if names and len(ours) < len(chosen):
            raise DeclarationError(
                Problem(machine.name, f"is reached directly at {machine.ssh_host}; nothing here to run")
                for machine in chosen
                if machine not in ours
            )
        return ours

    def _record(self) -> dict[str, Any]:
        try:
            record: dict[str, Any] = json.loads(self.state.record.read_text())
        except FileNotFoundError:
            return {}
        return record

    def kind(self) -> Kind | None:
        """How the machines were made; None when they were not."""
        record = self._record()
        return self.kinds[record["kind"]] if record else None

    # Up ----------------------------------------------------------------------------------------------

    def up(self, names: Sequence[str], kind_option: str, image_option: str, progress: Progress) -> None:
        """Start the machines that do not run, and return when all named answer over SSH."""
        machines = self.local(names)
        if not machines:
            what = "every machine is reached directly (ssh_host); none is to be made, go on with the deploy"
            raise DeclarationError(Problem(self.where, what))
        with self._locked():
            kind, base, reason = self._choose(kind_option, image_option, progress)
            down = [machine for machine in machines if not kind.running(machine)]
            if down:
                self._refuse(
                    [
                        *kind.problems(down),
                        *host.ports(down, self.where),
                        # A container takes what it uses; a guest's memory is its own.
                        *(host.memory(down, self.where) if isinstance(kind, Guests) else []),
                        *host.disk(down, self.state.root),
                    ]
                )
                progress.say(f"machines: {kind.prepare(base)}{reason}")
                identity.prepare(self.state, self.local())
                self._remember(kind, base)
            problems = self._boot(kind, down, progress, lambda machine: kind.start(machine, base))
            problems += self._boot(kind, [machine for machine in machines if machine not in down], progress)
            self._refuse(problems)

    @staticmethod
    def _refuse(problems: list[Problem]) -> None:
        if problems:
            raise LabError(problems)

    def _choose(self, kind_option: str, image_option: str, progress: Progress) -> tuple[Kind, Image, str]:
        """The kind of machine, its image, and what speaks for the choice."""
        record = self._record()
        if record:
            if kind_option not in ("auto", record["kind"]):
                raise DeclarationError(
                    Problem(
                        f"--kind {kind_option}",
                        f"this lab's machines are {record['kind']}s; run ciliumlab destroy first",
                    )
                )
            base = Image.from_json(record["image"])
            if not base.kernel.exists():
                raise LabError(
                    Problem(str(base.folder), "the machines' image is gone; run ciliumlab destroy, then up")
                )
            return self.kinds[record["kind"]], base, ""
        guests, containers = self.kinds["guest"], self.kinds["container"]
        if kind_option == "container":
            return (
                containers,
                self._obtain("debian" if image_option == "auto" else image_option, progress),
                "",
            )
        if kind_option == "guest":
            return guests, self._obtain(image_option, progress), ""

        why_no_kvm = accelerator.why_no_device()
        tried: Image | None = None
        if why_no_kvm is None:
            self._refuse(guests.problems(self.local()))
            tried = self._obtain(image_option, progress)
            target = accelerator.TARGETS[image.architecture()]
            why_no_kvm = accelerator.why_no_hardware(target, tried.kernel)
            if why_no_kvm is None:
                return guests, tried, ""
        why_no_containers = containers.problems(self.local())
        if not why_no_containers and image_option != "ubuntu":
            return containers, self._obtain("debian", progress), f", as {why_no_kvm}"
        reason = "; ".join(problem.what for problem in why_no_containers) or "they have no Ubuntu image"
        return guests, tried or self._obtain(image_option, progress), f"; no containers: {reason}"

    def _obtain(self, option: str, progress: Progress) -> Image:
        def report(step: str, done: float | None = None) -> None:
            progress.update("image", step, done)

        sources: dict[str, Callable[[Report], Image]] = {"ubuntu": ubuntu.obtain, "debian": debian.obtain}
        choices = list(sources) if option == "auto" else [option]
        refusals: list[Problem] = []
        for name in choices:
            try:
                base = sources[name](report)
            except LabError as error:
                refusals += error.problems
                continue
            reason = f" ({refusals[0]})" if refusals else ""
            progress.finish("image", f"{base.name}{reason}")
            return base
        raise LabError(refusals)

    def _remember(self, kind: Kind, base: Image) -> None:
        record = {"kind": kind.kind, "image": base.to_json()}
        scratch = self.state.record.with_name(".machines.json.new")
        scratch.write_text(json.dumps(record, indent=1) + "\n")
        scratch.rename(self.state.record)

    def _boot(
        self,
        kind: Kind,
        machines: Sequence[Machine],
        progress: Progress,
        start: Callable[[Machine], None] | None = None,
    ) -> list[Problem]:
        """Start the machines, if they are not, and return when each has booted, or with why it has not."""
        if not machines:
            return []
        at_once = len(machines) if start is None else kind.boots_at_once or len(machines)
        for machine in machines[at_once:]:
            progress.update(machine.name, f"waits for its turn ({at_once} emulated machines boot at a time)")
        problems: list[Problem] = []
        given_up = Event()

        def boots(machine: Machine) -> None:
            log = self.state.machine(machine.name) / "console.log"
            try:
                if start is not None:
                    progress.update(machine.name, "starting")
                    start(machine)
                    progress.update(machine.name, "booting")
                boot.wait(self.state, machine, kind, log, given_up)
            except LabError as error:
                problems.extend(error.problems)
                progress.finish(machine.name, "failed")
            else:
                if not given_up.is_set():
                    progress.finish(machine.name, f"answers at {machine.ssh_host}:{machine.ssh_port}")

        _each(machines, boots, at_once, given_up)
        return problems

    # Down ----------------------------------------------------------------------------------------------

    def down(self, names: Sequence[str], progress: Progress) -> None:
        """Shut the machines down; their disks stay."""
        machines = self.local(names)
        with self._locked():
            if (kind := self.kind()) is None:
                return
            running = [machine for machine in machines if kind.running(machine)]

            def stop(machine: Machine) -> None:
                progress.update(machine.name, "shutting down")
                kind.stop(machine)
                progress.finish(machine.name, "is off")

            _each(running, stop)
            kind.close()

    def destroy(self) -> None:
        """Switch the machines off and delete all that belongs to them; images stay in the cache."""
        with self._locked():
            if (kind := self.kind()) is not None:
                _each(self.local(), kind.power_off)
                kind.close()
            for leftover in ("machines", "run"):
                shutil.rmtree(self.state.root / leftover, ignore_errors=True)
            for file in (self.state.record, self.state.known_hosts):
                file.unlink(missing_ok=True)

    # Looking -----------------------------------------------------------------------------------------

    def status(self) -> list[dict[str, Any]]:
        """A row a machine: name, state (``up``, ``off``, ``not made``, ``direct``), kind, addresses, SSH."""
        kind, ours = self.kind(), self.local()
        rows = []
        for machine in self.topology.machines:
            if machine not in ours:
                is_now, made_as = "direct", "not run here"
            elif kind is None or not self.state.machine(machine.name).exists():
                is_now, made_as = "not made", "-"
            else:
                is_now, made_as = ("up" if kind.running(machine) else "off"), kind.kind
            rows.append(
                {
                    "name": machine.name,
                    "state": is_now,
                    "kind": made_as,
                    "addresses": [interface.cidr for interface in machine.interfaces],
                    "ssh": f"{machine.ssh_user}@{machine.ssh_host}:{machine.ssh_port}",
                }
            )
        return rows

    def console(self, name: str) -> Path:
        """The Unix socket of a machine's console. LabError when it is off."""
        machine = self.local([name])[0]
        kind = self.kind()
        if kind is None or not kind.running(machine):
            raise LabError(Problem(name, f"is off; ciliumlab up {name} starts it"))
        return kind.console(machine)

    # Snapshots -----------------------------------------------------------------------------------------

    def snapshot(self, tag: str, progress: Progress) -> None:
        """Keep all machines as they are under ``tag`` (containers: their disks, by a stop and a start)."""
        with self._locked():
            kind, machines = self._made()
            self._refuse_tag(tag)
            running = [machine for machine in machines if kind.running(machine)]
            if isinstance(kind, Guests):
                self._refuse(
                    [
                        Problem(
                            machine.name, "is off, and a snapshot is of running guests; ciliumlab up first"
                        )
                        for machine in machines
                        if machine not in running
                    ]
                )
                progress.update("snapshot", tag)
                kind.snapshot(machines, tag)
            else:
                self._while_off(kind, running, progress, lambda: kind.snapshot(machines, tag))
            progress.finish("snapshot", f"{tag} is kept")

    def restore(self, tag: str, progress: Progress) -> None:
        """Put all machines back to ``tag``, and their clocks to now."""
        with self._locked():
            kind, machines = self._made()
            known = [set(kind.snapshots(machine)) for machine in machines]
            if any(tag not in tags for tags in known):
                all_have = sorted(set.intersection(*known))
                raise DeclarationError(
                    Problem(tag, f"no such snapshot; there is {', '.join(all_have) or 'none'}")
                )
            progress.update("restore", tag)
            base = self._choose("auto", "auto", progress)[1]
            if isinstance(kind, Guests):
                kind.prepare(base)
                kind.restore(machines, tag, base)
                self._refuse(self._boot(kind, machines, progress))
                _each(machines, lambda machine: boot.set_clock(self.state, machine))
            else:
                running = [machine for machine in machines if kind.running(machine)]
                self._while_off(kind, running, progress, lambda: kind.restore(machines, tag))
            progress.finish("restore", f"back at {tag}")

    def _while_off(
        self, kind: Containers, running: Sequence[Machine], progress: Progress, work: Callable[[], None]
    ) -> None:
        base = self._choose("auto", "auto", progress)[1]
        _each(running, kind.stop)
        work()
        kind.prepare(base)
        self._refuse(self._boot(kind, running, progress, lambda machine: kind.start(machine, base)))

    def _made(self) -> tuple[Kind, list[Machine]]:
        kind = self.kind()
        if kind is None:
            raise LabError(Problem(self.where, "its machines were not made yet; run ciliumlab up"))
        return kind, self.local()

    @staticmethod
    def _refuse_tag(tag: str) -> None:
        if not tag.replace("-", "").replace("_", "").isalnum() or tag.startswith("-"):
            raise DeclarationError(Problem(tag, "a snapshot's tag is letters, digits, - and _"))

    # One at a time ---------------------------------------------------------------------------------------

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.state.create()
        with self.state.lock.open("w") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise LabError(
                    Problem(
                        str(self.state.root),
                        "another ciliumlab command is at work on this lab; wait for its end",
                    )
                ) from None
            yield


def _each(
    machines: Sequence[Machine],
    work: Callable[[Machine], object],
    at_once: int | None = None,
    given_up: Event | None = None,
) -> None:
    """For all of them, ``at_once`` at a time, as parallel.run does it."""
    if machines:
        parallel.run((partial(work, machine) for machine in machines), at_once or len(machines), given_up)
