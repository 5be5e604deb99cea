"""Drifts from what tasks/base.py makes true."""

from __future__ import annotations

from .drift import (
    CONTAINERD,
    HOSTS,
    LOGIN,
    MODULES,
    NETPLAN_PACKAGE,
    PACKAGES,
    SERVICES,
    SYSCTLS,
    ZONE,
    Drift,
    drifts,
    installed,
    of_file,
    uninstalled,
)

_MODULES_FILE = "/etc/modules-load.d/ciliumlab.conf"
SYSCTL_FILE = "/etc/sysctl.d/99-ciliumlab.conf"
_HALF_DONE = "sed -i '/^Package: tree$/,/^$/s/^Status: .*/Status: install ok unpacked/' /var/lib/dpkg/status"
HIS_SYSCTLS = "/etc/sysctl.d/99-mine.conf"
FORWARDING_OFF = f"echo net.ipv4.ip_forward = 0 > {HIS_SYSCTLS}"
OVERRIDDEN = f"{HIS_SYSCTLS} sets net.ipv4.ip_forward to 0, and is read after {SYSCTL_FILE}"

DRIFTS = {
    "a package removed": Drift("node", "dpkg --remove tree", (PACKAGES,), "test_package_is_installed"),
    "a package half done": Drift(
        "node",
        _HALF_DONE,
        (PACKAGES,),
        "test_no_package_is_half_done",
        told=(NETPLAN_PACKAGE, CONTAINERD),  # whichever installs first finishes it
    ),
    **drifts(
        "node",
        MODULES,
        "test_modules_are_loaded_at_boot",
        of_file("the list of modules", _MODULES_FILE, "/overlay/d"),
    ),
    **drifts("node", SYSCTLS, "test_sysctl_file", of_file("kernel settings", SYSCTL_FILE, "s/1/0/")),
    **drifts("node", SYSCTLS, "test_sysctl", {"forwarding off now": "sysctl -q -w net.ipv4.ip_forward=0"}),
    "forwarding off at boot, by an administrator": Drift(
        "node",
        FORWARDING_OFF,
        (SYSCTLS,),
        "test_sysctl",
        refused=OVERRIDDEN,
        stays=(HIS_SYSCTLS,),
        undone=f"rm {HIS_SYSCTLS}",
    ),
    "ufw started": Drift(
        "any",
        f"{installed('ufw.service')} && systemctl start ufw.service",
        (SERVICES,),
        "test_service_is_off",
        stays=("/etc/systemd/system/ufw.service",),
        undone=uninstalled("ufw.service"),
    ),
    "AppArmor started at boot": Drift(
        "any",
        f"{installed('apparmor.service')} && systemctl enable apparmor.service",
        (SERVICES,),
        "test_service_is_off",
        stays=("/etc/systemd/system/apparmor.service",),
        undone=uninstalled("apparmor.service"),
    ),
    **drifts(
        "any",
        ZONE,
        "test_time_zone",
        {
            "another time zone": "ln -sfn /usr/share/zoneinfo/Europe/Paris /etc/localtime",
            "no time zone": "rm /etc/localtime",
            "a time zone of no name": "cp --remove-destination $(readlink -f /etc/localtime) /etc/localtime",
        },
    ),
    "another time zone to Debian's programs": Drift(
        "any",
        "cp -p /etc/timezone /run/timezone; echo Europe/Paris > /etc/timezone",
        (ZONE,),
        "test_timezone_file",
        undone="[ -e /run/timezone ] || rm /etc/timezone",  # Debian 13 has none of its own
    ),
    **drifts(
        "any",
        HOSTS,
        "test_hosts_file",
        {
            "a machine's address changed": "sed -i 's/^[0-9.]* k8s-w0$/192.0.2.1 k8s-w0/' /etc/hosts",
            "a machine not named": "sed -i '/ k8s-w0$/d' /etc/hosts",
            "no machine named": "sed -i '/^# BEGIN ciliumlab/,/^# END ciliumlab/d' /etc/hosts",
            "the block of names torn": "sed -i '/^# END ciliumlab/d' /etc/hosts",
            "names closed to others": "chmod 600 /etc/hosts",
        },
    ),
    "a name on loopback": Drift(
        "any", 'echo "127.0.1.1 $(hostname)" >> /etc/hosts', (HOSTS,), "test_no_name_is_loopback"
    ),
    "a name given twice": Drift(
        "any",
        "echo 192.0.2.1 mine router >> /etc/hosts",
        (HOSTS,),
        "test_names_resolve",
        undone="sed -i '/^192.0.2.1 mine$/d' /etc/hosts",
    ),
    **drifts(
        "any",
        LOGIN,
        "test_login_file",
        of_file("the login's script", "/etc/profile.d/ciliumlab.sh", "s/exec/echo/"),
    ),
}
