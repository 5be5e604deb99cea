"""Figures of the lab's machines: nothing to do, everything to do, and their boot."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

from jinja2 import Environment, StrictUndefined

from .inventories import for_ansible, netplans
from .machines import OURS, Lab, ansible_changed_nothing, changes, nothing_changed
from .measure import ROOT, Figure, in_turn, ratio

# Of Ansible's time, what a run of ours may take: where commands are emulated, and at native speed.
_OF_ANSIBLE = {"guest": 1 / 40, "container": 1 / 15}

# The stages that make a router of a fresh machine, and all that are measured, each alone.
_ROUTER = Path(__file__).parent / "router.py"
_STAGES = re.findall(r'"(tasks/.+[.]py)"', OURS.read_text())


def same_state(lab: Lab, folder: Path, runs: int) -> Iterator[Figure]:
    """What ours still finds to do on fresh machines that one of the others has converged, which is nothing.

    The other way round is part of every run of `no_op`.
    """
    inventory = folder / "inventory.yaml"
    for name, converge in (("Ansible", lambda: lab.ansible(inventory)), ("stock operations", lab.stock)):
        lab.destroy()
        lab.up()
        for_ansible(lab.hosts, inventory)
        converge()
        done = changes(lab.ours())
        note = "; ".join(f"{host}: {', '.join(operations)}" for host, operations in done.items())
        yield Figure(
            f"operations that change something after {name}", sum(map(len, done.values())), "", 0, note
        )


def no_op(lab: Lab, folder: Path, runs: int) -> Iterator[Figure]:
    """A converged lab converged again: ours against stock operations and Ansible. And what it asks."""
    lab.up()
    lab.ours()
    inventory = folder / "inventory.yaml"
    for_ansible(lab.hosts, inventory)
    # What is no state of the lab comes first: Ansible installs python3-apt for itself, and stock operations
    # note when package lists were fetched. From then on each finds nothing to do in what ours has made.
    lab.ansible(inventory)
    lab.stock()

    def ours() -> float:
        done = lab.ours()
        nothing_changed(done)
        return done.seconds

    def stock() -> float:
        done = lab.stock()
        nothing_changed(done)
        return done.seconds

    def ansible() -> float:
        done = lab.ansible(inventory)
        ansible_changed_nothing(done, lab.names)
        return done.seconds

    samples = in_turn(runs, ours=ours, stock=stock, ansible=ansible)
    yield Figure(
        "no-op, against stock operations", ratio(samples, "ours", "stock"), "x", 0.5, samples=samples
    )
    yield Figure(
        "no-op, against Ansible",
        ratio(samples, "ours", "ansible"),
        "x",
        _OF_ANSIBLE[lab.kind],
        samples=samples,
    )
    yield from _commands(lab, folder / "counts.json")


def _commands(lab: Lab, file: Path) -> Iterator[Figure]:
    """Of the host that is asked most."""
    for what, stages in (*((stage, 1) for stage in _STAGES), (OURS, len(_STAGES))):
        counts = lab.counted(what, file)
        name = what if isinstance(what, str) else f"{stages} stages"
        samples = {host: [float(count)] for host, count in counts.items()}
        # Fewer than two a stage, of whole ones.
        limit = 2 * stages - 1
        yield Figure(f"commands in a no-op of {name}", max(counts.values()), "", limit, samples=samples)


def first_converge(lab: Lab, folder: Path, runs: int) -> Iterator[Figure]:
    """The router on a machine that nothing was done to, ours against a shell script."""
    name = "router"
    script = ""

    def fresh(converge: Callable[[], float]) -> Callable[[], float]:
        def measure() -> float:
            lab.destroy()
            lab.up(name)
            return converge()

        return measure

    lab.up(name)
    script = _script(lab, name)
    samples = in_turn(
        runs,
        ours=fresh(lambda: lab.ours(_ROUTER, "--limit", name).seconds),
        shell=fresh(lambda: lab.shell(name, script).seconds),
    )
    # The script has made what we would have.
    nothing_changed(lab.ours(_ROUTER, "--limit", name))
    yield Figure(
        "first converge of the router, against the shell",
        ratio(samples, "ours", "shell"),
        "x",
        1.15,
        samples=samples,
    )


def _script(lab: Lab, name: str) -> str:
    (data,) = [host["data"] for host in lab.hosts if host["name"] == name]
    environment = Environment(undefined=StrictUndefined, keep_trailing_newline=True)

    def rendered(source: str, **values: object) -> str:
        return environment.from_string((ROOT / source).read_text()).render(**values)

    return rendered(
        "tests/bench/router.sh.j2",
        **{key: data[key] for key in ("packages", "timezone", "etc_hosts", "sysctls")},
        **netplans(data["interfaces"]),
        login=rendered("files/base/login.sh.j2", user=data["ssh_user"]),
        networkd=rendered("files/network/networkd.conf.j2"),
        page=rendered("files/router/index.html.j2", name=name),
    )


def boot(lab: Lab, folder: Path, runs: int) -> Iterator[Figure]:
    """`ciliumlab up` of all four machines against one, with the image made before."""
    lab.destroy()
    lab.up()

    def measure(*names: str) -> float:
        lab.destroy()
        return lab.up(*names).seconds

    samples = in_turn(runs, four=measure, one=lambda: measure("router"))
    cores, machines = os.cpu_count() or 1, len(lab.names)
    enough = cores >= machines
    yield Figure(
        f"boot of {machines} machines, against one",
        ratio(samples, "four", "one"),
        "x",
        1.5 if enough else None,
        "" if enough else f"{cores} cores for {machines} machines: processors are the limit",
        samples,
    )
