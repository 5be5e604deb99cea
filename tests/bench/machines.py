"""A lab for figures that need machines: made from inventory/lab.yaml, with its own keys and ports."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

from ciliumlab.machines.identity import ssh_command
from tests.lab.deploy import Deploy
from tests.lab.running import RunningLab

from . import inventories
from .measure import ROOT, Failed, Run, run

_HERE = Path(__file__).parent

OURS = _HERE / "ours.py"

# The distribution's containerd, as Docker's repository may be out of reach.
_DATA = ("--data", "containerd_package=containerd", "--data", "cluster=auto")

_ANSIBLE = _HERE / "ansible"
_STOCK = _HERE / "stock" / "deploy.py"

# A host's line of Ansible's recap.
_RECAP = re.compile(r"^(\S+)\s+: ok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)", re.MULTILINE)


class Lab:
    """The lab, and the ways to converge it: ours, pyinfra's stock operations, Ansible."""

    def __init__(self, kind: str) -> None:
        # Containers share a kernel that may have no dummy interfaces.
        self._lab = RunningLab(ROOT / ".lab" / "bench", kind, dummies=kind == "guest")
        self.kind = kind
        self.environment = {
            "CILIUMLAB_TOPOLOGY": str(self._lab.topology_file),
            "CILIUMLAB_STATE": str(self._lab.state.root),
        }

    @property
    def names(self) -> list[str]:
        return list(self._lab.machines)

    def up(self, *names: str) -> Run:
        """Boot machines, all or those named, until they answer."""
        return self._ciliumlab("up", "--kind", self.kind, *names)

    def destroy(self) -> None:
        self._lab.destroy()

    def _ciliumlab(self, *arguments: str) -> Run:
        return run([sys.executable, "-m", "ciliumlab", *arguments], self.environment)

    # Converging ----------------------------------------------------------------------------------------

    def ours(self, what: str | Path = OURS, *options: str) -> Run:
        return self._pyinfra("pyinfra", [*options, *_DATA, "inventory/lab.py", what])

    def counted(self, what: str | Path, file: Path) -> dict[str, int]:
        """How many commands and files a run of ours sent to each host, when it had nothing to do."""
        arguments = [*_DATA, "inventory/lab.py", what]
        nothing_changed(self._pyinfra("tests.bench.counted", arguments, str(file)))
        counts: dict[str, dict[str, int]] = json.loads(file.read_text())
        return {name: sum(ways.values()) for name, ways in counts.items()}

    def stock(self) -> Run:
        return self._pyinfra("pyinfra", [*_DATA, "inventory/lab.py", _STOCK])

    def _pyinfra(self, module: str, arguments: Sequence[str | Path], *before: str) -> Run:
        command = [sys.executable, "-m", module, *before, "--json", "-y", *arguments]
        return run(command, {**self.environment, "PYTHONPATH": str(ROOT)})

    def ansible(self, file: Path) -> Run:
        """``file`` is the inventory."""
        program = Path(sys.executable).parent / "ansible-playbook"
        settings = {"ANSIBLE_CONFIG": str(_ANSIBLE / "ansible.cfg"), "ANSIBLE_HOME": str(file.parent)}
        return run([program, "-i", file, _ANSIBLE / "site.yml"], settings)

    @cached_property
    def hosts(self) -> list[dict[str, Any]]:
        """What pyinfra knows of the hosts; the machines' keys must have been made."""
        return inventories.hosts(self.environment, _DATA)

    # The shell -----------------------------------------------------------------------------------------

    def shell(self, name: str, script: str) -> Run:
        """Run a script of root's on a machine, over one SSH connection."""
        ssh = ssh_command(self._lab.state, self._lab.machines[name], ["-o", "BatchMode=yes"])
        return run([*ssh, "sudo sh -s"], stdin=script)


def changes(done: Run) -> dict[str, list[str]]:
    """Hosts with the names of operations that a run of pyinfra, with ``--json``, has carried out."""
    return Deploy(0, json.loads(done.printed), "").changed


def nothing_changed(done: Run) -> None:
    """Raises Failed when a run of pyinfra, with ``--json``, changed something."""
    if changed := changes(done):
        raise Failed(f"a run that had nothing to do changed {changed}")


def ansible_changed_nothing(done: Run, names: Sequence[str]) -> None:
    """Raises Failed unless Ansible's recap has every host, with nothing changed."""
    recap = {name: [int(number) for number in numbers] for name, *numbers in _RECAP.findall(done.printed)}
    if recap != {name: [0, 0, 0] for name in names}:
        told = [line for line in done.printed.splitlines() if line.startswith(("TASK", "changed:", "fatal:"))]
        raise Failed("\n".join([f"Ansible had nothing to do, and its recap says {recap}", *told]))


@contextmanager
def lab(kind: str) -> Iterator[Lab]:
    """A lab whose machines are gone when this ends, however it ends."""
    made = Lab(kind)
    try:
        yield made
    finally:
        made.destroy()


def described(kind: str) -> Mapping[str, object]:
    """What stands behind the figures."""
    processor = re.search(r"^model name\s*: (.*)$", Path("/proc/cpuinfo").read_text(), re.MULTILINE)
    system = subprocess.run(["uname", "-sr"], capture_output=True, text=True, check=True).stdout.strip()
    return {
        "machines": kind,
        "processor": processor[1] if processor else "unknown",
        "system": system,
        "python": sys.version.split()[0],
    }
