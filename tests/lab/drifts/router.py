"""Drifts from what tasks/router.py makes true."""

from __future__ import annotations

from .base import FORWARDING_OFF, HIS_SYSCTLS, OVERRIDDEN, SYSCTL_FILE
from .drift import (
    APACHE,
    DUMMIES,
    FORWARDING,
    PACKAGES,
    PAGE,
    ROUTER_PACKAGES,
    Drift,
    drifts,
    of_file,
    of_unit,
)

DRIFTS = {
    "a package of the router's removed": Drift(
        "router", "dpkg --remove tree", (PACKAGES,), "test_package_is_installed", told=(ROUTER_PACKAGES,)
    ),
    "Apache removed": Drift(
        "router",
        "dpkg --remove apache2",
        (PACKAGES,),
        "test_package_is_installed",
        told=(ROUTER_PACKAGES, APACHE),
        # Its package starts this one the first time alone.
        undone="systemctl start apache-htcacheclean.service",
    ),
    **drifts(
        "router", FORWARDING, "test_sysctl_file", of_file("the router's settings", SYSCTL_FILE, "s/1/0/")
    ),
    **drifts(
        "router", FORWARDING, "test_sysctl", {"the router blocked": "sysctl -q -w net.ipv4.ip_forward=0"}
    ),
    "the router blocked at boot, by an administrator": Drift(
        "router",
        FORWARDING_OFF,
        (FORWARDING,),
        "test_sysctl",
        refused=OVERRIDDEN,
        stays=(HIS_SYSCTLS,),
        undone=f"rm {HIS_SYSCTLS}",
    ),
    **drifts(
        "router", PAGE, "test_page_file", of_file("the web page", "/var/www/html/index.html", "s/Web/Wide/")
    ),
    **drifts(
        "router",
        APACHE,
        "test_apache_runs",
        {
            **of_unit("Apache", "apache2.service"),
            "Apache masked until the next boot": "systemctl mask --runtime --now apache2.service",
        },
    ),
    **{
        title: Drift("router", done, (DUMMIES,), seen, dummies=True)
        for title, (done, seen) in {
            "a dummy interface deleted": ("ip link delete loop1", "test_dummy"),
            "a dummy interface down": ("ip link set loop1 down", "test_dummy"),
            "a dummy interface without its address": ("ip address flush dev loop1", "test_dummy"),
            "dummy interfaces not made at boot": (
                "rm /etc/netplan/61-ciliumlab-dummies.yaml /etc/systemd/network/61-ciliumlab-dummies-*"
                " 2>/dev/null || true",
                "test_dummies_at_boot",
            ),
        }.items()
    },
}
