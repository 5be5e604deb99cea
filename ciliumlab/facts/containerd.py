"""containerd: its version, what it is configured to do, and whether it does."""

from __future__ import annotations

import posixpath
import re
import tomllib
from typing import Any, TypedDict

from typing_extensions import override

from ciliumlab.facts.shell import Sections, State, sections

CONFIGURATION = "/etc/containerd/config.toml"

# Read beside it: what containerd imports by default from 2.2 on.
_IMPORTS = ("/etc/containerd/conf.d", "/etc/containerd/conf.d/*.toml")

# Where each running container of Kubernetes has a folder, whatever became of the daemon.
_TASKS = "/run/containerd/io.containerd.runtime.v2.task/k8s.io"

# Fails unless the daemon answers and its CRI plugin works (docs/PLUGINS.md of containerd). In 1.x and 2.x
# alike this is the plugin that serves kubelet; it is "ok" only where what it builds upon is.
_ANSWERING = (
    "timeout 20 ctr plugins list | { while read -r kind name rest; do"
    ' case "$kind $name $rest" in "io.containerd.grpc.v1 cri "*" ok") exit 0;; esac; done; exit 1; }'
)
SERVING = f"systemctl is-active --quiet containerd.service && {_ANSWERING}"

_PROGRAM = "/usr/bin/containerd"
_DUMP = f"{_PROGRAM} --config {CONFIGURATION} config dump"

# Its version, and what it is configured to do, are the same until one of its files changes; to start it twice
# for them takes a quarter of the time in which a node answers. So they are kept with what these files were,
# unless yet others are imported, of which nobody here knows.
_KEPT = "/var/cache/ciliumlab/containerd"
_FILES = f"$(stat -L -c '%.Z %i %s %n' {_PROGRAM} {CONFIGURATION} {' '.join(_IMPORTS)} 2>/dev/null)"
_IMPORTING = f"grep -qs imports {CONFIGURATION} {_IMPORTS[1]}"

# To be carried out when these files have changed, and are as they will be for long.
KEEP = (
    f"files={_FILES}; if said=$({_PROGRAM} --version && {_DUMP}) && ! {_IMPORTING}; then"
    f' mkdir -p {posixpath.dirname(_KEPT)} && printf \'%s\\n\' "$(echo $files)" "$said" > {_KEPT}.new &&'
    f" mv {_KEPT}.new {_KEPT}; else rm -f {_KEPT}; fi"
)
_SAID = (
    f'read -r kept < {_KEPT}; if [ "$kept" ] && [ "$kept" = "$(echo $files)" ]; then sed 1d {_KEPT}; else'
    f" {_PROGRAM} --version || echo; {_DUMP} || {_DUMP} 2>&1 >/dev/null | tail -n 1 | sed 's/^/# /'; fi"
)

# The daemon's command line. Of its unit's processes, shims that outlive it among them, it is the one of its
# name; systemd, which takes longer to tell, is asked where there is none, as in another slice.
_DAEMON = (
    'daemon=; while read -r pid; do read -r name < "/proc/$pid/comm";'
    ' [ "$name" != containerd ] || daemon=$pid;'
    " done < /sys/fs/cgroup/system.slice/containerd.service/cgroup.procs;"
    ' [ "$daemon" ] || daemon=$(systemctl show --property=MainPID --value containerd.service);'
    ' [ "${daemon:-0}" = 0 ] || tr "\\0" "\\n" < "/proc/$daemon/cmdline"'
)


class Cri(TypedDict):
    """Settings of the CRI plugin, all files and defaults together; None for one that is not there.

    ``cni_programs`` are the folders of CNI plugins.
    """

    disabled: bool
    systemd_cgroup: bool | None
    sandbox_image: str | None
    cni_programs: list[str]
    cni_configuration: str | None


class ContainerdState(TypedDict):
    """``version`` is "1.7.27", empty where containerd is not installed.

    ``cri`` is None where the configuration cannot be read, for the reason in ``trouble``. ``serving`` is
    true when the daemon answers and its CRI plugin works; ``command`` is its command line, empty when it does
    not run. ``changed`` is when the last one of the files was that it reads at its start, in seconds since
    the epoch. ``containers`` is how many of Kubernetes' are running.
    """

    version: str
    cri: Cri | None
    trouble: str
    serving: bool
    command: list[str]
    changed: int
    containers: int


class Containerd(State[ContainerdState]):
    """containerd as it is installed, configured and running."""

    early = True

    @override
    def command(self) -> str:
        return sections(
            # What follows asks nothing that one before it has found out already.
            files=f"files={_FILES}; printf '%s\\n' \"$files\"",
            said=_SAID,
            command=_DAEMON,
            # ctr waits long for a daemon that is not there.
            serving=f'[ "${{daemon:-0}}" != 0 ] && {_ANSWERING} && echo yes',
            containers=f'for task in {_TASKS}/*; do [ ! -d "$task" ] || echo "${{task##*/}}"; done',
        )

    @override
    def parse(self, found: Sections) -> ContainerdState:
        # "containerd github.com/containerd/containerd 1.7.24~ds1 1.7.24~ds1-6", or v1.7.27 and a commit.
        line, *dump = found["said"]
        version = re.match(r"containerd \S+ v?(\d[\d.]*\d)", line)
        trouble = dump[0].removeprefix("# ") if dump and dump[0].startswith("# ") else ""
        files = [line.split(" ", 3) for line in found["files"] if line]
        return ContainerdState(
            version=version[1] if version else "",
            cri=_cri(tomllib.loads("\n".join(dump))) if dump and not trouble else None,
            trouble=trouble,
            serving="yes" in found["serving"],
            command=found["command"],
            # The program is another one when its package has been upgraded, which restarts it as it pleases.
            changed=max(
                (int(time.partition(".")[0]) for time, *_, path in files if path != _PROGRAM), default=0
            ),
            containers=len(found["containers"]),
        )


def _cri(dump: dict[str, Any]) -> Cri:
    """The settings where docs/cri/config.md of containerd says that its release has them: one plugin in
    1.x, one for images and one for the runtime in 2.x.
    """
    plugins = dump["plugins"]
    disabled = {plugin.rpartition(".")[2] for plugin in dump.get("disabled_plugins", ())}
    if "io.containerd.cri.v1.runtime" in plugins:
        runtime, images = plugins["io.containerd.cri.v1.runtime"], plugins["io.containerd.cri.v1.images"]
        sandbox_image = images.get("pinned_images", {}).get("sandbox")
    else:
        runtime = images = plugins.get("io.containerd.grpc.v1.cri", {})
        sandbox_image = images.get("sandbox_image")
    options = runtime.get("containerd", {}).get("runtimes", {}).get("runc", {}).get("options", {})
    cni = runtime.get("cni", {})
    return Cri(
        disabled="cri" in disabled,
        systemd_cgroup=options.get("SystemdCgroup"),
        sandbox_image=sandbox_image,
        # Before 2.1 there was one folder, and its name lives on, empty.
        cni_programs=[path for path in [cni.get("bin_dir"), *cni.get("bin_dirs", ())] if path],
        cni_configuration=cni.get("conf_dir"),
    )
