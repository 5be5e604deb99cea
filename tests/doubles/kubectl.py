"""The real kubectl: that of Debian 13, whose package would otherwise be taken for an older one of ours."""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path

from ciliumlab.machines.debian import KEYRING, RELEASE, sources


def program(cache: Path) -> Path:
    """The program, from the cache or by apt from where the machines' image comes from.

    LabError or CalledProcessError if it cannot be had.
    """
    kept = cache / f"kubectl-{RELEASE}"
    if kept.exists():
        return kept
    cache.mkdir(parents=True, exist_ok=True)
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
        subprocess.run([*apt, "download", "kubectl"], check=True, capture_output=True, cwd=folder)
        (package,) = folder.glob("kubectl_*.deb")
        subprocess.run(["dpkg-deb", "--extract", package, folder / "tree"], check=True)
        new = cache / f".kubectl-{RELEASE}.{os.getpid()}"
        new.write_bytes((folder / "tree/usr/bin/kubectl").read_bytes())
        new.chmod(0o755)
    new.replace(kept)
    return kept
