"""containerd on a node: its package, its files, and what the daemon itself says."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from typing import Any

from .shell import Answers, File, Unit, files, read_files, read_units, units

CONTAINERD = "containerd.service"
CONFIGURATION_FILE = "/etc/containerd/config.toml"
CRICTL_FILE = "/etc/crictl.yaml"
# ctr waits long for a daemon that is not there.
_RUNS = f"systemctl is-active --quiet {CONTAINERD}"
_SHOW = f"systemctl show {CONTAINERD} --value --property"
PACKAGES = ("containerd.io", "containerd")


@dataclass(frozen=True)
class Containerd:
    packages: dict[str, str]
    """Versions of the packages that are installed."""
    held: frozenset[str]
    unit: Unit
    client: str
    """The version of the program that is installed, and below of the daemon that runs."""
    server: str
    command: str
    """The command that the daemon was started with, and below of that for its next start."""
    next_command: str
    plugins: dict[str, str]
    """The status of each plugin by its type and name, "io.containerd.grpc.v1 cri"."""
    configuration: dict[str, Any]
    """All files and defaults together, as `containerd config dump` prints them."""
    files: dict[str, File]

    @property
    def major(self) -> int:
        return int(self.server.lstrip("v").partition(".")[0] or 0)

    @property
    def runtime(self) -> dict[str, Any]:
        """The settings of the CRI plugin that runs containers."""
        return self._plugin("io.containerd.cri.v1.runtime", "io.containerd.grpc.v1.cri")

    @property
    def sandbox_image(self) -> object:
        images = self._plugin("io.containerd.cri.v1.images", "io.containerd.grpc.v1.cri")
        return images.get("pinned_images", images).get("sandbox", images.get("sandbox_image"))

    def _plugin(self, *names: str) -> dict[str, Any]:
        plugins = self.configuration.get("plugins", {})
        return next((plugins[name] for name in names if name in plugins), {})


def questions() -> dict[str, str]:
    return {
        "packages": (
            f"dpkg-query -W -f '${{db:Status-Abbrev}}|${{Package}}|${{Version}}\\n' {' '.join(PACKAGES)}"
        ),
        "unit": units([CONTAINERD]),
        "versions": f"{_RUNS} && ctr version | grep Version:",
        "command": f"tr '\\0' ' ' < /proc/$({_SHOW} MainPID)/cmdline; echo",
        "next command": f"{_SHOW} ExecStart",
        "plugins": f"{_RUNS} && ctr plugins list | tail -n +2",
        "configuration": "containerd config dump",
        "files": files(CONFIGURATION_FILE, CRICTL_FILE),
    }


def read(found: Answers) -> Containerd:
    packages = [line.split("|") for line in found["packages"].splitlines()]
    # "  Version:  1.7.24~ds1", first the client's and then the server's.
    client, server, *_ = [*(line.split(":")[1].strip() for line in found["versions"].splitlines()), "", ""]
    plugins = [line.split() for line in found["plugins"].splitlines()]
    return Containerd(
        packages={name: version for status, name, version in packages if status[1] == "i"},
        held=frozenset(name for status, name, _ in packages if status[0] == "h"),
        unit=read_units(found["unit"])[CONTAINERD],
        command=found["command"].strip(),
        # { path=/usr/bin/containerd ; argv[]=/usr/bin/containerd ; ignore_errors=no ; … }
        next_command=found["next command"].partition("argv[]=")[2].partition(" ;")[0],
        client=client,
        server=server,
        plugins={f"{kind} {name}": rest[-1] for kind, name, *rest in plugins},
        configuration=tomllib.loads(found["configuration"]),
        files=read_files(found["files"]),
    )
