"""What every machine of the lab has: tools, names, time zone, and a kernel fit for its part."""

from pyinfra.context import host

from ciliumlab.operations import apt, files, hosts, modules, swap, sysctl, systemd, timezone
from ciliumlab.plan.packages import missing_from

# Every machine's, the router's too: installing is what takes long, and all machines do it at once.
apt.installed(
    name="The machine's packages are installed",
    packages=host.data.packages,
    lacking=missing_from,
)

if "nodes" in host.groups:
    swap.off(name="Swap is off for good")

    modules.loaded(
        name="Kernel modules are loaded now and at boot",
        modules=host.data.kernel_modules,
        file="ciliumlab",
    )

    sysctl.settings(
        name="Kernel settings are in force now and at boot",
        values=host.data.sysctls,
        file="99-ciliumlab",
    )

systemd.disabled(
    name="ufw and AppArmor are stopped and disabled",
    units=["ufw.service", "apparmor.service"],
)

timezone.local(name="The time zone is set", zone=host.data.timezone)

hosts.block(name="Every machine is named in /etc/hosts", entries=host.data.etc_hosts, title="ciliumlab")

files.present(
    name="A login leads to root, and vi is vim",
    files={
        "/etc/profile.d/ciliumlab.sh": {
            "text": files.rendered("files/base/login.sh.j2", user=host.data.ssh_user),
        },
    },
)
