"""Drifts from what tasks/network.py makes true."""

from __future__ import annotations

from .drift import NETPLAN, NETPLAN_PACKAGE, NETWORKD, Drift, drifts, of_file, read_otherwise

_NETWORKD_FILE = "/etc/systemd/networkd.conf.d/60-ciliumlab.conf"
HIS_NETWORKD = "/etc/systemd/networkd.conf.d/mine.conf"
NETPLAN_FILE = "/etc/netplan/60-ciliumlab.yaml"
HIS_NETPLAN = "/etc/netplan/70-mine.yaml"
_UNIT = "systemd-networkd.service"
# Stopped in order, it would take away the address by which the host is reached.
_KILLED = (
    f"systemctl kill --signal=KILL {_UNIT}; while systemctl is-active --quiet {_UNIT}; do sleep 0.1; done"
)
_TRIAL = "/run/netplan/60-ciliumlab.yaml"
_NOTHING = "network: {version: 2}"
_ADDRESS = "$(ip -o -4 address show dev eth1 | awk '{print $4; exit}')"
_GATEWAY = "$(ip -4 route show dev eth1 proto static | awk '{print $3; exit}')"
_ROUTE = "$(ip -4 route show dev eth1 proto static | head -n 1)"
_NEIGHBOUR = f"via=$(echo {_GATEWAY} | sed 's/[0-9]*$/77/')"

FOREIGN = "198.51.100.8/24"
# What `netplan apply` does beside it needs udev, which containers do not have.
APPLIED = "netplan generate && networkctl reload"
HAS_IT = f"ip -4 address show dev eth1 | grep -q {FOREIGN}"

DRIFTS = {
    "netplan removed": Drift(
        "any", "dpkg --remove --force-depends netplan.io", (NETPLAN_PACKAGE,), "test_netplan_is_installed"
    ),
    **drifts(
        "any", NETWORKD, "test_networkd_file", of_file("networkd's settings", _NETWORKD_FILE, "s/=no/=yes/")
    ),
    **drifts(
        "any",
        NETWORKD,
        "test_networkd_runs",
        {
            "networkd not started at boot": f"systemctl disable {_UNIT}",
            "networkd masked": f"systemctl mask {_UNIT}",
            "networkd dead, and masked until the next boot": f"systemctl mask --runtime {_UNIT}; {_KILLED}",
            "networkd dead and masked": f"systemctl mask {_UNIT}; {_KILLED}",
        },
    ),
    **drifts(
        "any",
        NETWORKD,
        "test_networkd_has_read_its_file",
        {"networkd has read other settings": read_otherwise(_NETWORKD_FILE, "s/=no/=yes/", _UNIT)},
    ),
    "networkd told otherwise by an administrator": Drift(
        "any",
        rf"printf '[Network]\nManageForeignRoutes=yes\n' > {HIS_NETWORKD}",
        (NETWORKD,),
        "test_networkd_leaves_what_is_foreign",
        refused=f"{HIS_NETWORKD} sets Network.ManageForeignRoutes to yes",
        stays=(HIS_NETWORKD,),
        undone=f"rm {HIS_NETWORKD}",
    ),
    **drifts(
        "node",
        NETPLAN,
        "test_netplan_file",
        {
            "routes changed in netplan's file": f"sed -i 's/via: .*/via: 192.0.2.1/' {NETPLAN_FILE}",
            "netplan's file changed and applied": rf"sed -i 's|addresses:|&\n      - {FOREIGN}|'"
            f" {NETPLAN_FILE} && {APPLIED} && until {HAS_IT}; do sleep 0.1; done",
        },
    ),
    **drifts("any", NETPLAN, "test_netplan_file", {"netplan's file removed": f"rm {NETPLAN_FILE}"}),
    **drifts(
        "any",
        NETPLAN,
        "test_netplan_files_are_private",
        {
            "netplan's file open to others": f"chmod 644 {NETPLAN_FILE}",
            "netplan's file somebody else's": f"chown nobody {NETPLAN_FILE}",
        },
    ),
    "an administrator's file of netplan open to others": Drift(
        "any",
        f"umask 022; echo '{_NOTHING}' > {HIS_NETPLAN}",
        (NETPLAN,),
        "test_netplan_files_are_private",
        stays=(HIS_NETPLAN,),
        undone=f"rm {HIS_NETPLAN}",
    ),
    **drifts(
        "any",
        NETPLAN,
        "test_netplan_files_are_those_in_force",
        {
            "netplan's file hidden until the next boot": "umask 077; mkdir -p /run/netplan;"
            f" echo '{_NOTHING}' > {_TRIAL}"
        },
    ),
    **drifts(
        "any",
        NETPLAN,
        "test_addresses",
        {
            "an address removed now": f"ip address delete {_ADDRESS} dev eth1",
            "an address added now": f"ip address add {FOREIGN} dev eth1",
            "an interface down": "ip link set eth1 down",
        },
    ),
    **drifts(
        "node",
        NETPLAN,
        "test_static_route",
        {
            "a route removed now": f"ip route delete {_ROUTE} dev eth1",
            "a route by another gateway now": f"{_NEIGHBOUR}; to={_ROUTE};"
            " ip route replace ${to%% *} via $via dev eth1 proto static",
        },
    ),
    **drifts(
        "node",
        NETPLAN,
        "test_no_other_static_route",
        {"a route added now": f"ip route add 198.51.100.0/24 via {_GATEWAY} dev eth1"},
    ),
}
