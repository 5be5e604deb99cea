"""containerd: one of the two packages that are it, configured for its own version, and seen to work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from fnmatch import fnmatchcase

from pyinfra.context import host

from ciliumlab.facts.apt import Packages
from ciliumlab.facts.containerd import CONFIGURATION, KEEP, SERVING, Containerd, ContainerdState
from ciliumlab.facts.files import Files
from ciliumlab.facts.systemd import Units
from ciliumlab.facts.together import Asked
from ciliumlab.operations import apt, systemd
from ciliumlab.operations.api import Commands, Refused, operation, read, reads_first
from ciliumlab.operations.files import File
from ciliumlab.operations.steps import Shell
from ciliumlab.versions import parsed

UNIT = "containerd.service"

# Docker's, and the distributions'. Each conflicts with the other.
_PACKAGES = ("containerd.io", "containerd")

# Where Cilium's agent puts its plugin and its configuration: cni.binPath and cni.confPath of its chart.
_CNI_PROGRAMS = "/opt/cni/bin"
_CNI_CONFIGURATION = "/etc/cni/net.d"

# Seconds that the daemon may take until it serves.
_PATIENCE = 120

_WAIT = (
    f"until=$(($(date +%s) + {_PATIENCE})); until {SERVING}; do"
    f' if [ "$(date +%s)" -gt "$until" ]; then echo "containerd does not serve CRI after {_PATIENCE} s:" >&2;'
    f" journalctl --unit={UNIT} --lines=3 --output=cat >&2; exit 1; fi; sleep 1; done"
)


@operation
def installed(package: str, version: str = "") -> Commands:
    """
    Install one of the packages that are containerd.

    + package: "containerd.io", Docker's, or "containerd", the distribution's
    + version: as containerd numbers its releases, "1.7.27"; without one, what is installed is right

    Each conflicts with the other, and taking its place takes the daemon from under its containers: that
    is refused while any of Kubernetes' are running.
    """
    # Docker's packages are 1.7.27-1 for every distribution, and from 1.7.28 on 1.7.28-1~debian.13~trixie.
    pattern = f"{version}-1*" if version else "*"
    state = read(Packages)
    found = state["packages"]
    there = [name for name in _PACKAGES if name in found and found[name]["installed"]]
    if there and package not in there:
        if count := read(Containerd)["containers"]:
            raise Refused(
                f"{package} would take the place of {there[0]}, which runs Kubernetes' containers ({count});"
                f" set containerd_package to {there[0]}, or take this node out of the cluster first"
            )
        yield from apt.held._inner(packages=there, present=False)
    if package in there and fnmatchcase(found[package]["version"], pattern):
        pattern = found[package]["version"]
    yield from apt.having([package if pattern == "*" else f"{package}={pattern}"], state)


@operation
def running(configurations: Mapping[int, str], sandbox_image: str, version: str = "") -> Commands:
    """
    Have containerd run with its configuration, now and after every boot.

    + configurations: text of config.toml by the version of its format, 2 (for 1.x) and 3 (for 2.x)
    + sandbox_image: the sandbox image that these texts name
    + version: of the containerd that will be there, for a dry run on a host that has none yet

    What counts is what the daemon runs with: this file, other files and defaults together, as of its
    last start. It is restarted only when a file has changed since, or when it does not serve kubelet.
    """
    reads_first(
        Asked(Containerd, {}), Asked(Units, {"units": [UNIT]}), Asked(Files, {"paths": [CONFIGURATION]})
    )
    found, units, files = read(Containerd), read(Units, units=[UNIT]), read(Files, paths=[CONFIGURATION])
    text = configurations[_format(found["version"] or version)]
    deaf = bool(found["version"]) and not found["serving"]
    outdated = [UNIT] if deaf else systemd.behind(units, found["changed"])
    changes = systemd.starts(units, {CONFIGURATION: File(text=text)}, files, outdated)
    if changes:
        yield from changes
        yield Shell(_WAIT, seconds=2 * _PATIENCE)
        yield Shell(KEEP)
        found, units = read(Containerd), read(Units, units=[UNIT])
    if wrong := list(_wrong(found, units["units"][UNIT]["command"], sandbox_image)):
        raise Refused(
            f"containerd does not run with what {CONFIGURATION} says: {', '.join(wrong)};"
            " see what else it reads: /etc/containerd/conf.d, and drop-ins by `systemctl cat containerd`"
        )
    if not changes:
        host.noop(f"containerd {found['version']} serves CRI with its configuration, and at boot")


def _format(version: str) -> int:
    """The newest format of config.toml that all of 1.x, or all of 2.x, read: RELEASES.md of containerd,
    "Daemon Configuration". (2.3 added another, which moves nothing that is set here.)
    """
    if version and parsed(version) < (1, 6):
        raise Refused(f"containerd {version} serves no kubelet of today; upgrade it to 1.6 or newer")
    return 3 if version and parsed(version) >= (2,) else 2


def _wrong(found: ContainerdState, starts: Sequence[str], sandbox_image: str) -> Iterator[str]:
    """What the daemon runs with and should not, or will; ``starts`` is what its unit runs."""
    cri = found["cri"]
    if cri is None:
        yield found["trouble"] or "its configuration cannot be read"
        return
    for path in dict.fromkeys([_configuration(found["command"]), _configuration(starts)]):
        if path != CONFIGURATION:
            yield f"it is started to read {path}"
    if cri["disabled"]:
        yield "the CRI plugin is disabled"
    if not cri["systemd_cgroup"]:
        yield "SystemdCgroup is not true"
    if cri["sandbox_image"] != sandbox_image:
        yield f"the sandbox image is {cri['sandbox_image']}, not {sandbox_image}"
    if _CNI_PROGRAMS not in cri["cni_programs"]:
        yield f"CNI plugins are looked for in {' and '.join(cri['cni_programs'])}, not in {_CNI_PROGRAMS}"
    if cri["cni_configuration"] != _CNI_CONFIGURATION:
        yield f"CNI is configured in {cri['cni_configuration']}, not in {_CNI_CONFIGURATION}"


def _configuration(command: Sequence[str]) -> str:
    """The file that a daemon with this command line reads: ``-c FILE``, ``--config=FILE``, or its own."""
    for option, value in zip(command, [*command[1:], ""], strict=False):
        name, equals, attached = option.partition("=")
        if name in ("-c", "--config", "-config"):
            return attached if equals else value
    return CONFIGURATION
