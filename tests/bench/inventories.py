"""The lab for Ansible: what `inventory/lab.py` gives to pyinfra's hosts, as an inventory of Ansible's own."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from ciliumlab.operations.netplan import HEADER, dummy_devices, ethernets
from ciliumlab.versions import pause_image

from .measure import run

# Taken over as they are.
_PLANNED = ("packages", "sysctls", "kernel_modules", "etc_hosts", "timezone")


def hosts(environment: Mapping[str, str], data: Sequence[str]) -> list[dict[str, Any]]:
    """Name, groups and data of each host of a lab, as pyinfra has them; ``data`` are its ``--data``."""
    command = [sys.executable, "-m", "pyinfra", *data, "inventory/lab.py", "debug-inventory", "--json"]
    found: list[dict[str, Any]] = json.loads(run(command, environment).printed)
    return found


def for_ansible(found: Sequence[Mapping[str, Any]], file: Path) -> None:
    """Write the hosts as an inventory in YAML."""
    groups: dict[str, Any] = {"lab": {"hosts": {}}}
    for host in found:
        groups["lab"]["hosts"][host["name"]] = _variables(host["data"])
        for group in host["groups"]:
            groups.setdefault(group, {"hosts": {}})["hosts"].setdefault(host["name"], None)
    file.write_text(yaml.safe_dump(groups, sort_keys=False))


def _variables(data: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "ansible_host": data["ssh_hostname"],
        "ansible_port": data["ssh_port"],
        "ansible_user": data["ssh_user"],
        "ansible_ssh_private_key_file": data["ssh_key"],
        "ansible_ssh_common_args": f"-o UserKnownHostsFile={data['ssh_known_hosts_file']}",
        **{name: data[name] for name in _PLANNED},
        **netplans(data["interfaces"]),
        "sandbox_image": pause_image(data["kubernetes_version"]),
    }


def netplans(interfaces: Mapping[str, Any]) -> dict[str, str]:
    """The texts of netplan's files: ``netplan`` of what has a cable, ``dummies`` (empty without any)."""
    has_dummies = any(one.get("dummy") for one in interfaces.values())
    return {
        "netplan": _text(ethernets(interfaces)),
        "dummies": _text(dummy_devices(interfaces)) if has_dummies else "",
    }


def _text(document: Mapping[str, Any]) -> str:
    return HEADER + yaml.safe_dump(document, sort_keys=False)
