"""Addresses and routes of the lab's segments, before anything needs them."""

from pyinfra.context import host

from ciliumlab.operations import apt, files, netplan, systemd

apt.installed(name="netplan is installed", packages=["netplan.io"])

# systemd.networkd.conf(5). Without it, networkd removes at its next restart what Cilium has set.
systemd.running(
    name="systemd-networkd leaves routes and rules of others alone",
    units=["systemd-networkd.service"],
    files={
        "/etc/systemd/networkd.conf.d/60-ciliumlab.conf": {
            "text": files.rendered("files/network/networkd.conf.j2"),
        },
    },
    among="systemd/networkd.conf",
)

netplan.configuration(
    name="Addresses and static routes are in force now and at boot",
    file="60-ciliumlab",
    document=netplan.ethernets(host.data.interfaces),
)
