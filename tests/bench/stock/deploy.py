"""The state of tasks/base.py, network.py, router.py and containerd.py by pyinfra's own operations alone."""

from io import StringIO

from pyinfra.context import host
from pyinfra.facts.server import Command
from pyinfra.operations import apt, files, server, systemd

from ciliumlab.operations.files import rendered
from ciliumlab.versions import pause_image
from tests.bench.inventories import netplans

# `netplan apply` wants udev, which containers have not.
NETPLAN = "netplan generate && networkctl reload"

texts = netplans(host.data.interfaces)
# A container's kernel, with its modules and its swap, is its host's.
own_kernel = host.get_fact(Command, command="systemd-detect-virt --container || true") == "none"

apt.packages(
    name="The machine's packages are installed",
    packages=[*host.data.packages, "netplan.io"],
    no_recommends=True,
    update=True,
    cache_time=86400,
)

for unit in ("ufw.service", "apparmor.service"):
    systemd.service(name=f"{unit} is stopped and disabled", service=unit, running=False, enabled=False)

# server.timezone calls timedatectl, which tells the kernel the zone too: where nobody has done so since it
# booted, Linux then takes its clock for local time and sets it. In a container, that is the host's clock.
files.link(
    name="The time zone is set", path="/etc/localtime", target=f"/usr/share/zoneinfo/{host.data.timezone}"
)

files.block(
    name="Every machine is named in /etc/hosts",
    path="/etc/hosts",
    marker="# {mark} ciliumlab",
    content=[f"{entry['address']} {entry['name']}" for entry in host.data.etc_hosts],
)

files.line(
    name="No machine's own name is a loopback address",
    path="/etc/hosts",
    line=r"127\.0\.1\.1 .*",
    present=False,
)

# files.template takes ``user`` and ``name`` for itself; what a template needs under these names is put.
files.put(
    name="A login leads to root, and vi is vim",
    src=StringIO(rendered("files/base/login.sh.j2", user=host.data.ssh_user)),
    dest="/etc/profile.d/ciliumlab.sh",
    mode="644",
)

for key, value in host.data.sysctls.items():
    server.sysctl(
        name=f"{key} is set now and at boot",
        key=key,
        value=value,
        persist=True,
        persist_file="/etc/sysctl.d/99-ciliumlab.conf",
    )

networkd = files.template(
    name="systemd-networkd leaves routes and rules of others alone",
    src="files/network/networkd.conf.j2",
    dest="/etc/systemd/networkd.conf.d/60-ciliumlab.conf",
    mode="644",
)

systemd.service(name="systemd-networkd is running", service="systemd-networkd.service", enabled=True)

systemd.service(
    name="systemd-networkd has read its settings",
    service="systemd-networkd.service",
    restarted=True,
    _if=networkd.did_change,
)

netplan = files.put(
    name="Addresses and static routes are declared",
    src=StringIO(texts["netplan"]),
    dest="/etc/netplan/60-ciliumlab.yaml",
    mode="600",
)

server.shell(name="netplan has applied them", commands=NETPLAN, _if=netplan.did_change)

if "routers" in host.groups:
    if texts["dummies"]:
        dummies = files.put(
            name="Dummy interfaces are declared",
            src=StringIO(texts["dummies"]),
            dest="/etc/netplan/61-ciliumlab-dummies.yaml",
            mode="600",
        )
        server.shell(name="netplan has made them", commands=NETPLAN, _if=dummies.did_change)

    files.put(
        name="The web page is in place",
        src=StringIO(rendered("files/router/index.html.j2", name=host.name)),
        dest="/var/www/html/index.html",
        mode="644",
    )

    systemd.service(name="Apache is running", service="apache2.service", enabled=True)

if "nodes" in host.groups:
    files.put(
        name="Kernel modules are loaded at boot",
        src=StringIO("".join(f"{module}\n" for module in host.data.kernel_modules)),
        dest="/etc/modules-load.d/ciliumlab.conf",
        mode="644",
    )

    if own_kernel:
        server.modprobe(name="Kernel modules are loaded", module=host.data.kernel_modules)

        server.shell(
            name="Swap is off",
            commands="swapoff --all",
            _if=lambda: bool(host.get_fact(Command, command="swapon --show --noheadings")),
        )

        files.replace(
            name="Nothing in fstab brings swap back",
            path="/etc/fstab",
            text=r"^\([^#[:space:]][^[:space:]]*[[:space:]]\+[^[:space:]]\+[[:space:]]\+swap[[:space:]]\)",
            replace=r"# \1",
        )

        server.shell(
            name="Nothing else brings swap back",
            commands="systemctl mask swap.target",
            _if=lambda: (
                host.get_fact(Command, command="systemctl is-enabled swap.target || true") != "masked"
            ),
        )

    apt.packages(name="containerd is installed", packages=["containerd"], no_recommends=True)

    server.shell(
        name="containerd is held at its version",
        commands="apt-mark hold containerd",
        _if=lambda: "containerd" not in (host.get_fact(Command, command="apt-mark showhold") or "").split(),
    )

    # Debian 13's and Ubuntu 24.04's containerd are 1.7, which reads this format.
    configuration = files.template(
        name="containerd is configured",
        src="files/containerd/version-2.toml.j2",
        dest="/etc/containerd/config.toml",
        mode="644",
        sandbox_image=pause_image(host.data.kubernetes_version),
    )

    systemd.service(name="containerd is running", service="containerd.service", enabled=True)

    systemd.service(
        name="containerd has read its configuration",
        service="containerd.service",
        restarted=True,
        _if=configuration.did_change,
    )

    files.template(
        name="crictl finds containerd",
        src="files/containerd/crictl.yaml.j2",
        dest="/etc/crictl.yaml",
        mode="644",
    )
