"""Real programs of Debian 13, which the machines' image is of: unpacked on this host, not installed.

So none starts a daemon here, nobody need be root, and they are of one version on every host.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import tempfile
from pathlib import Path

from ciliumlab.machines.debian import KEYRING, RELEASE, sources

PACKAGES = {"kubectl": "kubectl", "etcd": "etcd-server", "etcdctl": "etcd-client"}


def program(name: str, cache: Path) -> Path:
    """The program, from the cache or by apt from where the machines' image comes from.

    LabError or CalledProcessError if it cannot be had.
    """
    kept = _kept(name, cache)
    if not kept.exists():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / ".debian.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not kept.exists():  # somebody else may have been at it
                _unpack(cache)
    return kept


def _kept(name: str, cache: Path) -> Path:
    return cache / f"{name}-{RELEASE}"


def _unpack(cache: Path) -> None:
    """Put all the programs into the cache: looking at what the archive holds takes longest."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        # apt of a root of its own: neither the host's lists nor its packages are touched.
        for part in (
            "lists/partial",
            "cache/archives/partial",
            "etc/apt.conf.d",
            "etc/preferences.d",
            "tree",
        ):
            (folder / part).mkdir(parents=True)
        (folder / "status").touch()
        signed = [line.replace("deb ", f"deb [signed-by={KEYRING}] ", 1) for line in sources()]
        (folder / "sources.list").write_text("\n".join([*signed, ""]))
        settings = {
            "Dir::Etc::SourceList": folder / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "Dir::Etc::Parts": folder / "etc/apt.conf.d",
            "Dir::State::Lists": folder / "lists",
            "Dir::State::status": folder / "status",
            "Dir::Cache": folder / "cache",
            "Acquire::Languages": "none",
            "APT::Sandbox::User": "root" if os.geteuid() == 0 else "",
        }
        apt = [
            "apt-get",
            "-qq",
            *(word for key, value in settings.items() for word in ("-o", f"{key}={value}")),
        ]
        subprocess.run([*apt, "update"], check=True, capture_output=True, cwd=folder)
        wanted = PACKAGES.values()
        subprocess.run([*apt, "download", *wanted], check=True, capture_output=True, cwd=folder)
        for package in folder.glob("*.deb"):
            subprocess.run(["dpkg-deb", "--extract", package, folder / "tree"], check=True)
        for program in PACKAGES:
            new = cache / f".{program}-{RELEASE}.{os.getpid()}"
            new.write_bytes((folder / "tree/usr/bin" / program).read_bytes())
            new.chmod(0o755)
            new.replace(_kept(program, cache))
