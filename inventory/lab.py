"""lab.yaml as pyinfra hosts and groups: the plan's part for each host, and how to reach it.

``CILIUMLAB_TOPOLOGY`` names another lab.yaml, ``CILIUMLAB_STATE`` another folder for the lab's own keys.
pyinfra takes every list here whose name has no leading underscore for a group.
"""

import os
import sys
from pathlib import Path

import click
from pyinfra.context import ctx_state

from ciliumlab import outcome, plan, sources
from ciliumlab.errors import DeclarationError, LabError, Problem
from ciliumlab.machines.identity import make_known_hosts
from ciliumlab.plan.connectivity import outside
from ciliumlab.plan.kubeadm import api_servers, control_plane, endpoint
from ciliumlab.plan.pages import pages
from ciliumlab.plan.pod_routes import pod_routing
from ciliumlab.settings import Settings
from ciliumlab.state import State, directory
from ciliumlab.topology import load
from ciliumlab.transport import without_delay
from ciliumlab.wording import instead

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
    if not pinned:
        make_known_hosts()
    return {
        "ssh_hostname": machine.ssh_host,
        "ssh_port": machine.ssh_port,
        "ssh_user": machine.ssh_user,
        # A guest without hardware acceleration takes its time to say hello; one that has died without a
        # word is to be noticed nevertheless (paramiko would wait for an hour).
        "ssh_paramiko_connect_kwargs": {
            **{"banner_timeout": 60, "auth_timeout": 60, "channel_timeout": 60},
            "transport_factory": without_delay,
        },
        **({"ssh_key": key} if key else {}),
        **(
            {"ssh_known_hosts_file": str(state.known_hosts), "ssh_strict_host_key_checking": "yes"}
            if pinned
            else {}
        ),
    }


def _check_node(name, topology):
    """The node that a task is to take must be one of the lab's."""
    names = [node.name for node in topology.nodes]
    if name and name not in names:
        raise DeclarationError(Problem("node", f"{name} is no node of this lab; {instead(name, names)}"))


def _summarise(topology, settings, first, state):
    """Of a run of pyinfra, not of other readers of this file, a summary is its last word; with ``--json``
    there is none, as whoever reads that has all of it.
    """
    context = click.get_current_context(silent=True)
    if not context or not ctx_state.isset():
        return

    def tell(ended):
        # Only a run that has come to its end waits for these.
        from ciliumlab import summary
        from ciliumlab.report import times

        times.keep(ended, state)
        if not context.params.get("json_output"):
            summary.tell(ended, pages(topology, settings), topology.router.name, first)

    outcome.follow(context, ctx_state.get(), tell)


def _groups():
    """Each group's name with its hosts."""
    path = Path(os.environ.get("CILIUMLAB_TOPOLOGY") or _HERE / "lab.yaml")
    topology = load(path)
    settings = Settings.read(_HERE.parent / "group_data" / "all.py", _overrides())
    _check_node(settings.node, topology)
    planned = plan.build(topology, settings)
    first, *_ = [node.name for node in control_plane(topology)]
    documents = {first: planned["kubeadm"]["init"], **planned["kubeadm"]["join"]}
    everywhere = {
        "lab": topology.name,
        "etc_hosts": planned["etc_hosts"],
        "nodes": [node.name for node in topology.nodes],
        "control_plane": [node.name for node in control_plane(topology)],
        "endpoint": endpoint(topology),
        "api_servers": api_servers(topology),
        "routers": [topology.router.name],
        **sources.everything(settings),
        "helm_values": planned["helm_values"],
        "kubernetes_objects": planned["manifests"],
        "pod_routing": pod_routing(topology, settings),
        "outside": outside(topology, settings),
    }
    state = State(directory(path))
    _summarise(topology, settings, first, state)
    groups = {}
    for machine in topology.machines:
        entry = planned["hosts"][machine.name]
        data = {**entry, **everywhere, "kubeadm": documents.get(machine.name, []), **_reach(machine, state)}
        for group in entry["groups"]:
            groups.setdefault(group, []).append((machine.name, data))
    return groups


try:
    globals().update(_groups())
except LabError as error:
    # One line a problem, before any host is contacted: pyinfra lets an exit pass as it is.
    print(error, file=sys.stderr)
    sys.exit(error.exit_status)
