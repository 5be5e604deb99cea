"""Dummy interfaces that survive a reboot, whichever netplan a host has."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping

import yaml
from pyinfra.api.command import PyinfraCommand
from pyinfra.context import host

from ciliumlab.facts.netplan import NETWORKD_FOLDER, Network, NetworkState, Understands
from ciliumlab.facts.shell import quoted
from ciliumlab.operations.api import Commands, operation, read, show_difference
from ciliumlab.operations.files import permissions
from ciliumlab.operations.netplan import Interface, configured, dummy_devices
from ciliumlab.operations.netplan_state import declared, dummies, missing, surplus
from ciliumlab.operations.steps import Shell, Write


@operation
def present(interfaces: Mapping[str, Interface], file: str) -> Commands:
    """
    Have dummy interfaces with their addresses, now and after every boot, and no others of this file's.

    + interfaces: by name; those that are no dummies are left to ``netplan.configuration``
    + file: name of the file below /etc/netplan, without its suffix

    netplan knows dummy devices since 1.1. Under an older one the same is said to systemd-networkd
    directly, in files below /etc/systemd/network whose names begin with ``file``.
    """
    found = read(Network)
    document = dummy_devices(interfaces)
    if not dummies(document) and not _traces(file, found):
        host.noop("no dummy interface is declared, and none was")
    elif _by_networkd(file, document, found):
        yield from _networkd(file, interfaces, found)
    else:
        yield from configured(file, document, found)


def _by_networkd(file: str, document: Mapping[str, object], found: NetworkState) -> bool:
    """Whether networkd is to do it: what is there already decides, else what netplan says."""
    traces = _traces(file, found)
    if traces:
        return traces[0].startswith(NETWORKD_FOLDER)
    return not read(Understands, document=yaml.safe_dump(document))


def _traces(file: str, found: NetworkState) -> list[str]:
    """Files that a former run made."""
    by_netplan = [path for path in found["files"] if path == f"/etc/netplan/{file}.yaml"]
    return by_netplan + [path for path in found["networkd"] if path.startswith(f"{NETWORKD_FOLDER}/{file}-")]


def _networkd(file: str, interfaces: Mapping[str, Interface], found: NetworkState) -> Commands:
    prefix = f"{NETWORKD_FOLDER}/{file}-"
    document = dummy_devices(interfaces)
    texts = networkd_files(prefix, {name: one for name, one in interfaces.items() if one.get("dummy")})
    changes: list[PyinfraCommand] = []
    for path, text in texts.items():
        there = found["networkd"].get(path)
        if there is None or there["text"] != text:
            show_difference(path, text)
            changes.append(Write(path, text))
        else:
            changes += permissions(path, there, "644", "root:root")
    unwanted = [path for path in found["networkd"] if path.startswith(prefix) and path not in texts]
    former = dummy_devices({_name_of(path, prefix): {"addresses": [], "dummy": True} for path in unwanted})
    if unwanted:
        changes.append(Shell(f"rm -f {quoted(unwanted)}"))
    wanted = declared([document])
    left_over = surplus([*wanted, *declared([former])], wanted, found, former)
    if changes or missing(wanted, found) or left_over:
        changes.append(Shell(" && ".join(_reload(wanted, [one.remove for one in left_over]))))
    if not changes:
        host.noop(f"{', '.join(wanted)}: there, and made at boot")
    yield from changes


def networkd_files(prefix: str, interfaces: Mapping[str, Interface]) -> dict[str, str]:
    """The files that make dummy interfaces, by path: see systemd.netdev(5) and systemd.network(5)."""
    files = {}
    for name, interface in interfaces.items():
        addresses = "".join(f"Address={address}\n" for address in interface["addresses"])
        files[f"{prefix}{name}.netdev"] = f"[NetDev]\nName={name}\nKind=dummy\n"
        files[f"{prefix}{name}.network"] = f"[Match]\nName={name}\n\n[Network]\n{addresses}"
    return files


def _name_of(path: str, prefix: str) -> str:
    return path.removeprefix(prefix).rpartition(".")[0]


def _reload(names: Iterable[str], removals: Iterable[str]) -> Iterable[str]:
    yield "networkctl reload"
    for name in map(shlex.quote, names):
        # One that was deleted by hand does not come back by a reload.
        yield f"{{ [ -e /sys/class/net/{name} ] || ip link add {name} type dummy; }}"
    for removal in removals:
        # A reload may have removed it already.
        yield f"{{ ip {removal} || true; }}"
    for name in map(shlex.quote, names):
        yield f"networkctl reconfigure {name}"
