"""Interfaces, addresses and routes by netplan, such that a wrong file cannot cut a host off."""

from __future__ import annotations

import posixpath
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any, NotRequired, TypedDict

import gevent  # type: ignore[import-untyped]
import yaml
from pyinfra import logger
from pyinfra.api.arguments import ConnectorArguments
from pyinfra.api.command import PyinfraCommand
from pyinfra.api.host import Host
from pyinfra.api.state import State
from pyinfra.api.util import print_host_combined_output
from pyinfra.context import host
from typing_extensions import override

from ciliumlab.facts.netplan import FOLDERS, Network, NetworkState
from ciliumlab.operations import netplan_guard
from ciliumlab.operations.api import Commands, Refused, operation, read, show_difference
from ciliumlab.operations.files import permissions
from ciliumlab.operations.host_lock import CUT_OFF, MOMENT, cut_off
from ciliumlab.operations.netplan_guard import Change
from ciliumlab.operations.netplan_state import (
    Document,
    declared,
    document_of,
    dummies,
    interfaces,
    missing,
    parse,
    surplus,
)
from ciliumlab.operations.steps import Shell, Write

HEADER = "# Managed by ciliumlab; edits are overwritten.\n"
_OWN_FOLDER = "/etc/netplan"
_TRIAL_FOLDER = FOLDERS[-1]

# It has gone back, or has the new file, if that was saved: the next run sees which.
_GONE = "this host was started anew while its network was being changed; run the deploy once more"


class RouteTo(TypedDict):
    """A static route: destination network, and gateway."""

    to: str
    via: str


class Interface(TypedDict):
    """An interface as it shall be: addresses with their prefix, routes, and whether it is a dummy."""

    addresses: Sequence[str]
    routes: NotRequired[Sequence[RouteTo]]
    dummy: NotRequired[bool]


def ethernets(interfaces: Mapping[str, Interface]) -> dict[str, Any]:
    """A netplan document of those interfaces that are no dummies."""
    return _document("ethernets", {name: one for name, one in interfaces.items() if not one.get("dummy")})


def dummy_devices(interfaces: Mapping[str, Interface]) -> dict[str, Any]:
    """A netplan document of those interfaces that are dummies (netplan 1.1 and later)."""
    return _document("dummy-devices", {name: one for name, one in interfaces.items() if one.get("dummy")})


def _document(section: str, interfaces: Mapping[str, Interface]) -> dict[str, Any]:
    return {
        "network": {
            "version": 2,
            section: {name: _settings(interface) for name, interface in interfaces.items()},
        }
    }


def _settings(interface: Interface) -> dict[str, Any]:
    settings: dict[str, Any] = {"addresses": list(interface["addresses"])}
    if routes := interface.get("routes"):
        settings["routes"] = [dict(route) for route in routes]
    return settings


@operation
def configuration(file: str, document: Document, patience: int = 90) -> Commands:
    """
    Have a netplan file of one's own, and what it declares in force.

    + file: name of the file below /etc/netplan, without its suffix
    + document: what shall be in it, see netplan(5): entries of ethernets and dummy-devices under networkd
    + patience: seconds after which a host that was not reached again goes back to its former network

    Files are compared as data. IPv4 addresses and routes of these interfaces are compared with the running
    system too: what is missing there is brought back, and what no netplan file declares goes away,
    except what other programs signed as theirs (DHCP, routing daemons, the kernel, Cilium). Files
    of others stay, but for their mode: netplan asks for 0600.

    A new configuration is checked by netplan before the network changes, and saved only when the host
    answers with it in force; otherwise the host goes back by itself, and the operation fails. A host
    on which the change was cut off goes back in the same way.
    """
    yield from configured(file, document, read(Network), patience)


def configured(file: str, document: Document, found: NetworkState, patience: int = 90) -> Commands:
    """The commands of `configuration`, given what the host is like."""
    path, trial = f"{_OWN_FOLDER}/{file}.yaml", f"{_TRIAL_FOLDER}/{file}.yaml"
    texts = {name: there["text"] for name, there in found["files"].items()}
    try:
        former = document_of(path, texts.get(path, ""))
        others = parse({name: text for name, text in texts.items() if name not in (path, trial)})
    except ValueError as error:
        raise Refused(f"{error}; mend it on the host: with it, netplan refuses every other file") from error
    names = list(dict.fromkeys([*interfaces(document), *interfaces(former)]))
    left_over = surplus(names, declared([document, *others.values()]), found, former)
    changes = [
        change
        for name, there in found["files"].items()
        if posixpath.dirname(name) == _OWN_FOLDER
        for change in permissions(name, there, "600", "root:root")
    ]
    text = HEADER + yaml.safe_dump(document, sort_keys=False)
    differs = path not in texts or former != document
    if differs:
        show_difference(path, text)
    if differs or trial in texts or missing(declared([document]), found) or left_over:
        change = Change(
            file=file,
            text=text,
            interfaces=names,
            dummies=dummies(document),
            removals=[one.remove for one in left_over],
            restores=[one.restore for one in left_over],
            expected=list(_expected(document)),
            patience=patience,
        )
        guard = netplan_guard.path(file)
        changes += [Write(guard, netplan_guard.script(change), mode="700"), Guarded(guard, patience)]
    if not changes:
        host.noop(f"{path} is as declared, and in force")
    yield from changes


def _expected(document: Document) -> Iterator[tuple[str, str]]:
    for name, entry in declared([document]).items():
        for address in sorted(entry.addresses):
            yield f"-4 address show dev {name} up", f" {address} "
        for to, via in sorted(entry.routes, key=str):
            yield f"-4 route show exact {to} dev {name}", f"via {via}" if via else ""


class Guarded(PyinfraCommand):
    """Carry out the change that lies on the host, and confirm it once the host has been reached again.

    A step that is cut off, as by the very change that it makes, is tried again over a new connection,
    until the host has had time to go back to its former network and to say so.
    """

    def __init__(self, guard: str, patience: int) -> None:
        super().__init__()
        self.guard = guard
        self.patience = patience

    @override
    def __repr__(self) -> str:
        return f"Guarded({self.guard} prepare, change, confirm within {self.patience} s)"

    @override
    def execute(self, state: State, host: Host, connector_arguments: ConnectorArguments) -> bool:
        there = f"[ -e {self.guard} ] || {{ echo '{_GONE}' >&2; exit 1; }}"

        def run(verb: str, seconds: float) -> bool:
            _connected(host)
            with gevent.Timeout(seconds, TimeoutError):
                status, output = host.run_shell_command(
                    Shell(f"{there}; sh {self.guard} {verb}"),
                    print_output=state.print_output,
                    print_input=state.print_input,
                    **connector_arguments,
                )
            if not status:
                # To pyinfra, a connection that ends meanwhile is a command that has failed.
                _connected(host)
                if not state.print_output:
                    print_host_combined_output(host, output)
            return status

        steps = ["prepare", "change", "confirm"]
        # Twice the patience: once until the host goes back, once for its network to settle.
        deadline = time.monotonic() + 2 * self.patience
        while steps and (left := deadline - time.monotonic()) > 0:
            try:
                # A quiet connection is given up soon enough for several attempts.
                if not run(steps[0], min(left, self.patience / 2)):
                    return False
                del steps[0]
            except CUT_OFF as error:
                logger.debug("%sthe change was cut off: %r", host.print_prefix, error)
                _reconnect(host)
        if steps:
            host.log_styled(
                "does not answer any more; unless its new network configuration was saved, it goes back to"
                f" the former one by itself within {self.patience} s, or when it is started again",
                fg="red",
                log_func=logger.error,
            )
        return not steps


def _connected(host: Host) -> None:
    """Raises ConnectionResetError where a host's connection has ended, or could not be made again."""
    if cut_off(host):
        raise ConnectionResetError("the connection has ended")


def _reconnect(host: Host) -> None:
    time.sleep(1)
    # pyinfra may want to tidy up there, over a connection that is quiet.
    with suppress(*CUT_OFF), gevent.Timeout(MOMENT, False):
        host.disconnect()
    host.connected = False
    try:
        host.connect(show_errors=False)
    except CUT_OFF as error:
        logger.debug("%scannot connect: %r", host.print_prefix, error)
