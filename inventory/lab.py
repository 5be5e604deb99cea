"""lab.yaml as pyinfra hosts and groups: the plan's part for each host, and how to reach it.

``CILIUMLAB_TOPOLOGY`` names another lab.yaml, ``CILIUMLAB_STATE`` another folder for the lab's own keys.
pyinfra takes every list here whose name has no leading underscore for a group.
"""

import os
import sys
from pathlib import Path

import click

from ciliumlab import plan
from ciliumlab.errors import LabError
from ciliumlab.settings import Settings
from ciliumlab.state import State, directory
from ciliumlab.topology import load

_HERE = Path(__file__).parent
_LOCAL = "127.0.0.1"

# Data that pyinfra itself takes from --data: global arguments (_sudo), and how to connect.
_PYINFRA_DATA = ("_", "ssh_")


def _overrides():
    """What ``--data`` says about the lab, of the pyinfra command that reads this inventory."""
    context = click.get_current_context(silent=True)
    given = context.params.get("data", ()) if context else ()
    return [override for override in given if not override.startswith(_PYINFRA_DATA)]


def _reach(machine, state):
    """How to log in to a machine: pyinfra's data for its SSH connector."""
    key = machine.ssh_key or (str(state.key) if state.key.exists() else None)
    # Machines that `ciliumlab up` made have host keys that are known from their first boot on.
    pinned = machine.ssh_host == _LOCAL and state.known_hosts.exists()
    return {
        "ssh_hostname": machine.ssh_host,
        "ssh_port": machine.ssh_port,
        "ssh_user": machine.ssh_user,
        # A guest without hardware acceleration takes its time to say hello; one that has died without a
        # word is to be noticed nevertheless (paramiko would wait for an hour).
        "ssh_paramiko_connect_kwargs": {"banner_timeout": 60, "auth_timeout": 60, "channel_timeout": 60},
        **({"ssh_key": key} if key else {}),
        **(
            {"ssh_known_hosts_file": str(state.known_hosts), "ssh_strict_host_key_checking": "yes"}
            if pinned
            else {}
        ),
    }


def _groups():
    """Each group's name with its hosts."""
    path = Path(os.environ.get("CILIUMLAB_TOPOLOGY") or _HERE / "lab.yaml")
    topology = load(path)
    settings = Settings.read(_HERE.parent / "group_data" / "all.py", _overrides())
    planned = plan.build(topology, settings)
    state = State(directory(path))
    groups = {}
    for machine in topology.machines:
        entry = planned["hosts"][machine.name]
        data = {**entry, "etc_hosts": planned["etc_hosts"], **_reach(machine, state)}
        for group in entry["groups"]:
            groups.setdefault(group, []).append((machine.name, data))
    return groups


try:
    globals().update(_groups())
except LabError as error:
    # One line a problem, before any host is contacted: pyinfra lets an exit pass as it is.
    print(error, file=sys.stderr)
    sys.exit(error.exit_status)
