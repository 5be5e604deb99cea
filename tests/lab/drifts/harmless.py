"""What an administrator may do, and nobody minds."""

from __future__ import annotations

from .base import HIS_SYSCTLS
from .drift import Drift, installed, uninstalled
from .network import APPLIED, FOREIGN, HAS_IT, HIS_NETPLAN, HIS_NETWORKD, NETPLAN_FILE

_HIS_ADDRESS = f"network: {{version: 2, ethernets: {{eth1: {{addresses: [{FOREIGN}]}}}}}}"

LEFT_ALONE = {
    "an address of his own, by a file of netplan": Drift(
        "any",
        f"umask 077; echo '{_HIS_ADDRESS}' > {HIS_NETPLAN} && {APPLIED}"
        f" && until {HAS_IT}; do sleep 0.1; done",
        stays=(HIS_NETPLAN,),
        undone=f"rm {HIS_NETPLAN}; {APPLIED}; while {HAS_IT}; do sleep 0.1; done",
    ),
    "a note in netplan's file": Drift(
        "any",
        f"cp -p {NETPLAN_FILE} /run/kept && sed -i '1i # mine' {NETPLAN_FILE}",
        stays=(NETPLAN_FILE,),
        undone=f"mv /run/kept {NETPLAN_FILE}",
    ),
    "a route that another program has signed": Drift(
        "any",
        "ip route add 198.51.100.0/24 dev eth1 proto bird",
        undone="ip route delete 198.51.100.0/24 dev eth1 proto bird",
    ),
    "a name of his own": Drift(
        "any",
        "echo 192.0.2.1 mine >> /etc/hosts",
        stays=("/etc/hosts",),
        undone="sed -i '/^192.0.2.1 mine$/d' /etc/hosts",
    ),
    "kernel settings that come before": Drift(
        "any",
        "echo net.ipv4.ip_forward = 0 > /etc/sysctl.d/10-mine.conf;"
        " echo net.ipv4.tcp_sack = 1 > /etc/sysctl.d/99-mine.conf",
        stays=("/etc/sysctl.d/10-mine.conf", HIS_SYSCTLS),
        undone=f"rm /etc/sysctl.d/10-mine.conf {HIS_SYSCTLS}",
    ),
    "another setting of networkd": Drift(
        "any",
        r"printf '[Network]\nSpeedMeter=no\n' > " + HIS_NETWORKD,
        stays=(HIS_NETWORKD,),
        undone=f"rm {HIS_NETWORKD}",
    ),
    "a service of his own": Drift(
        "any",
        f"{installed('mine.service')} && systemctl enable --quiet --now mine.service",
        stays=("/etc/systemd/system/mine.service",),
        undone=f"systemctl disable --quiet --now mine.service; {uninstalled('mine.service')}",
    ),
    "a page of his own": Drift(
        "router",
        "echo mine > /var/www/html/mine.html",
        stays=("/var/www/html/mine.html",),
        undone="rm /var/www/html/mine.html",
    ),
}
