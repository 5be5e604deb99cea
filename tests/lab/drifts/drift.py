"""What a drift is, and what drifts have in common."""

from __future__ import annotations

from dataclasses import dataclass

# Names of operations.
PACKAGES = "The machine's packages are installed"
MODULES = "Kernel modules are loaded now and at boot"
SYSCTLS = "Kernel settings are in force now and at boot"
SERVICES = "ufw and AppArmor are stopped and disabled"
ZONE = "The time zone is set"
HOSTS = "Every machine is named in /etc/hosts"
LOGIN = "A login leads to root, and vi is vim"
NETPLAN_PACKAGE = "netplan is installed"
NETWORKD = "systemd-networkd leaves routes and rules of others alone"
NETPLAN = "Addresses and static routes are in force now and at boot"
ROUTER_PACKAGES = "The router's packages are installed"
FORWARDING = "The router forwards packets now and after every boot"
DUMMIES = "Dummy interfaces are there now and after every boot"
PAGE = "The web page is in place"
APACHE = "Apache is running"
CONTAINERD = "containerd is installed"
HELD = "containerd is held at its version"
RUNTIME = "containerd runs with its configuration"
CRICTL = "crictl finds containerd"


@dataclass(frozen=True)
class Drift:
    """What is done to a host by a shell, and what follows.

    ``part`` is "node", "router" or "any"; ``mended`` names the operations that put it right, ``seen`` the
    test of tests/states that fails before. ``told`` are operations that a dry run names too, as it cannot
    know that one before them will have put it right. With ``refused``, a run says so, and leaves it to a
    person. ``stays`` are files of an administrator's that no run touches, and ``undone`` is how he takes
    away what is his. ``dummies`` marks what needs a kernel that has such interfaces.
    """

    part: str
    done: str
    mended: tuple[str, ...] = ()
    seen: str = ""
    told: tuple[str, ...] = ()
    refused: str = ""
    stays: tuple[str, ...] = ()
    undone: str = "true"
    dummies: bool = False


def drifts(part: str, operation: str, seen: str, done: dict[str, str]) -> dict[str, Drift]:
    """Those that need no more words."""
    return {title: Drift(part, shell, (operation,), seen) for title, shell in done.items()}


def of_file(title: str, path: str, edit: str) -> dict[str, str]:
    """What may become of a file."""
    return {
        f"{title} edited": f"sed -i '{edit}' {path}",
        f"{title} removed": f"rm {path}",
        f"{title} closed to others": f"chmod 600 {path}",
        f"{title} somebody else's": f"chown nobody {path}",
    }


def of_unit(title: str, unit: str) -> dict[str, str]:
    """What may become of a service: in the running system alone, at boot alone, and in both."""
    return {
        f"{title} stopped": f"systemctl stop {unit}",
        f"{title} not started at boot": f"systemctl disable {unit}",
        f"{title} stopped and masked": f"systemctl mask --now {unit}",
    }


def read_otherwise(path: str, edit: str, unit: str) -> str:
    """A service runs with what a file does not say any more, which is as old as it ever was."""
    kept = f"/run/{path.replace('/', '-')}"
    return (
        f"cp -p {path} {kept} && sed -i '{edit}' {path} && systemctl restart {unit} && at=$(date +%s)"
        f" && until [ $(date +%s) -gt $at ]; do sleep 0.1; done && mv {kept} {path}"
    )


def installed(unit: str) -> str:
    """A service as a package brings it."""
    service = r"[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"
    return f"printf '{service}' > /etc/systemd/system/{unit} && systemctl daemon-reload"


def uninstalled(unit: str) -> str:
    return f"rm /etc/systemd/system/{unit} && systemctl daemon-reload"
