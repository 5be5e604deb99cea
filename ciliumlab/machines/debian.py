"""A Debian 13 image, built by mmdebstrap from the apt sources that this host itself uses.

No mirror is named here: the host's own apt says where it takes Debian from, and the image's release
is taken from the same places. The image holds what a base box holds (an init, networkd and netplan,
SSH, sudo, a kernel) and nothing of the lab.
"""

from __future__ import annotations

import hashlib
import os
import shlex
from pathlib import Path

from ciliumlab.errors import LabError, Problem
from ciliumlab.machines import image, programs
from ciliumlab.machines.image import Image
from ciliumlab.machines.programs import run
from ciliumlab.progress import Report

RELEASE = "trixie"
NAME = "debian-13"
DISK_SIZE = "12G"  # sparse: what a machine can grow to, not what the image takes

_PACKAGES = [
    *("ca-certificates", "curl", "dbus", "iproute2", "iputils-ping", "iputils-tracepath", "kmod"),
    # What lets an ordinary user ping.
    *("linux-sysctl-defaults", "netplan.io", "openssh-server", "python3", "sudo"),
    *("systemd", "systemd-resolved", "systemd-sysv", "udev"),
]

KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")

# Runs in the new tree. As a base box does, it gives the NAT side to DHCP (in a file of the box's own,
# which the lab never edits) and lets the lab's user in: by key alone over SSH, by the box's customary
# password on the console, where nobody is who could not do more.
_CUSTOMIZE = r"""
useradd --create-home --shell /bin/bash vagrant
echo vagrant:vagrant | chpasswd
echo 'vagrant ALL=(ALL) NOPASSWD:ALL' >/etc/sudoers.d/90-vagrant
chmod 0440 /etc/sudoers.d/90-vagrant
printf '%s\n' 'PasswordAuthentication no' 'PermitRootLogin no' 'UseDNS no' >/etc/ssh/sshd_config.d/10-lab.conf
rm -f /etc/ssh/ssh_host_* /etc/hostname
printf '%s\n' 'network:' '  version: 2' '  ethernets:' '    eth0: {dhcp4: true}' >/etc/netplan/01-netcfg.yaml
chmod 0600 /etc/netplan/01-netcfg.yaml
systemctl --quiet enable systemd-networkd systemd-resolved ssh
# Descriptions of packages in English are a third of what apt fetches and reads.
echo 'Acquire::Languages "none";' >/etc/apt/apt.conf.d/90-lab
# Each boot and each package with a unit starts all generators; these look for what no machine here has.
mkdir -p /etc/systemd/system-generators
for generator in gpt-auto hibernate-resume rc-local run ssh system-update tpm2; do
    ln -s /dev/null /etc/systemd/system-generators/systemd-$generator-generator
done
# Each login makes the message of the day anew out of these, by five programs, before it goes on.
rm -r /etc/update-motd.d
# Without libpam-systemd nobody registers logins, which is half of a login's time where the processor is
# emulated. It also ends sessions at a shutdown while there is a network that can tell their other ends.
cat >/etc/systemd/system/ssh-sessions.service <<'UNIT'
[Unit]
Description=Sessions of SSH, which end before the network does
After=network.target ssh.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStop=sh -c 'kill $(cat /sys/fs/cgroup/system.slice/ssh.service/cgroup.procs)'

[Install]
WantedBy=multi-user.target
UNIT
systemctl --quiet enable ssh-sessions
: >/etc/machine-id
"""
# Guests only. The initrd carries just what finds the root disk: under emulation unpacking it is a
# good part of the boot.
_CUSTOMIZE_KERNEL = r"""
echo '/dev/vda / ext4 defaults,noatime 0 1' >/etc/fstab
printf '%s\n' 'MODULES=list' 'COMPRESS=lz4' >/etc/initramfs-tools/conf.d/lab
printf '%s\n' virtio_pci virtio_blk ext4 >>/etc/initramfs-tools/modules
update-initramfs -u
"""


def sources() -> list[str]:
    """One-line apt sources of the image's release, from the archives that this host's apt knows.

    LabError when the host has no Debian archive.
    """
    if programs.find("apt-get") is None:
        raise LabError(Problem(NAME, "this host has no apt sources to build it from; use a Debian host"))
    listed = run(
        ["apt-get", "indextargets", "--format", "$(REPO_URI)|$(LABEL)|$(COMPONENT)", "Created-By: Packages"],
        what="reading this host's apt sources",
    )
    archives: dict[str, str] = {}
    for line in listed.splitlines():
        uri, label, component = line.split("|")
        if component == "main":
            archives.setdefault(label, uri)
    if "Debian" not in archives:
        raise LabError(
            Problem(
                NAME,
                "this host's apt sources offer no Debian archive to build it from; run apt-get update,"
                " or use a Debian host",
            )
        )
    found = [f"deb {archives['Debian']} {suite} main" for suite in (RELEASE, f"{RELEASE}-updates")]
    if "Debian-Security" in archives:
        found.append(f"deb {archives['Debian-Security']} {RELEASE}-security main")
    return found


def _kernel_package(architecture: str) -> str:
    return f"linux-image-cloud-{architecture}"


def problems() -> list[Problem]:
    """What keeps this host from building the image."""
    needed = ["mmdebstrap", "mke2fs"] + ([] if os.geteuid() == 0 else ["newuidmap", "unshare"])
    found = programs.missing(needed)
    try:
        sources()
    except LabError as error:
        found += error.problems
    return found


def obtain(report: Report) -> Image:
    """The image, from the cache or built now (about a minute)."""
    architecture = image.architecture()
    apt_sources = sources()
    # This file is the recipe: an image that another version of it made is another image.
    recipe = Path(__file__).read_bytes() + "\n".join(apt_sources).encode()
    digest = hashlib.sha256(recipe).hexdigest()[:12]
    folder = image.cache() / f"{NAME}-{architecture}-{digest}"
    image.make_once(folder, lambda scratch: _build(scratch, architecture, apt_sources, report), report)
    return Image(NAME, folder, disk_format="raw", root_device="/dev/vda", cloud_init=False)


def _build(folder: Path, architecture: str, apt_sources: list[str], report: Report) -> None:
    # Without root the tree's owners are users of a namespace, in which alone it can be unpacked.
    inside = [] if os.geteuid() == 0 else ["unshare", "--map-root-user", "--map-auto"]
    archive, tree = folder / "tree.tar", folder / "tree"

    report("building the Debian 13 image: packages")
    hooks = [
        f'--customize-hook=chroot "$1" sh -euc {shlex.quote(script)}'
        for script in (_CUSTOMIZE, _CUSTOMIZE_KERNEL)
    ]
    run(
        [
            *("mmdebstrap", "--variant=minbase", f"--mode={'unshare' if inside else 'root'}", "--quiet"),
            f"--architectures={architecture}",
            f"--keyring={KEYRING}",
            f"--include={','.join([*_PACKAGES, 'initramfs-tools', 'lz4', _kernel_package(architecture)])}",
            # Documentation and translations are most of the files, and nobody reads them there.
            "--dpkgopt=path-exclude=/usr/share/doc/*",
            "--dpkgopt=path-exclude=/usr/share/locale/*",
            "--dpkgopt=path-exclude=/usr/share/man/*",
            *hooks,
            *(RELEASE, str(archive), *apt_sources),
        ],
        what="building the Debian 13 image",
    )

    report("building the Debian 13 image: disk")
    run([*inside, "mkdir", tree], what="unpacking the Debian 13 image")
    # Capabilities of programs are extended attributes. Device nodes only root could make, and a
    # machine mounts a /dev of its own.
    unpack = ["tar", "--xattrs", "--xattrs-include=*", "--exclude=./dev/*", "-xf", str(archive)]
    run([*inside, *unpack, "-C", tree], what="unpacking the Debian 13 image")
    archive.unlink()
    for link, name in (("vmlinuz", "vmlinuz"), ("initrd.img", "initrd")):
        found = next((tree / "boot").glob(f"{link}-*"))
        run(["cp", found, folder / name], what="taking the kernel out of the Debian 13 image")
    run(
        [*inside, "mke2fs", "-q", "-t", "ext4", "-L", "root", "-d", tree, folder / "disk.img", DISK_SIZE],
        what="making the disk of the Debian 13 image",
    )
    if inside:  # containers need root, and so would this tree
        run([*inside, "rm", "-rf", tree], what="clearing up after the Debian 13 image")
