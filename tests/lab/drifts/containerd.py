"""Drifts from what tasks/containerd.py makes true."""

from __future__ import annotations

from .drift import CONTAINERD, CRICTL, HELD, RUNTIME, Drift, drifts, of_file, of_unit, read_otherwise

_CONFIGURATION = "/etc/containerd/config.toml"
_OTHER_CGROUPS = "s/SystemdCgroup = true/SystemdCgroup = false/"
_DROP_IN = "/etc/systemd/system/containerd.service.d/mine.conf"
_HIS_COMMAND = r"[Service]\nExecStart=\nExecStart=/usr/bin/containerd --config /etc/containerd/mine.toml\n"
_RESTARTED = "systemctl daemon-reload && systemctl restart containerd.service"

DRIFTS = {
    "containerd removed": Drift(
        "node",
        "dpkg --remove --force-hold containerd",
        (CONTAINERD, HELD),
        "test_package",
        told=(RUNTIME,),
    ),
    "containerd not held": Drift("node", "apt-mark unhold containerd", (HELD,), "test_package_is_held"),
    **drifts(
        "node",
        RUNTIME,
        "test_configuration_file",
        {
            **of_file("containerd's configuration", _CONFIGURATION, _OTHER_CGROUPS),
            "containerd's configuration edited and read": f"sed -i '{_OTHER_CGROUPS}' {_CONFIGURATION}"
            " && systemctl restart containerd.service",
        },
    ),
    **drifts(
        "node",
        RUNTIME,
        "test_daemon_has_read_its_configuration",
        {
            "containerd has read another configuration": read_otherwise(
                _CONFIGURATION, _OTHER_CGROUPS, "containerd.service"
            )
        },
    ),
    **drifts("node", RUNTIME, "test_daemon_runs", of_unit("containerd", "containerd.service")),
    "containerd told by an administrator to read another file": Drift(
        "node",
        f"cp {_CONFIGURATION} /etc/containerd/mine.toml && mkdir -p $(dirname {_DROP_IN})"
        f" && printf '{_HIS_COMMAND}' > {_DROP_IN} && {_RESTARTED}",
        (RUNTIME,),
        "test_daemon_reads_its_configuration",
        refused="it is started to read /etc/containerd/mine.toml",
        stays=(_DROP_IN, "/etc/containerd/mine.toml"),
        undone=f"rm -r $(dirname {_DROP_IN}) /etc/containerd/mine.toml && {_RESTARTED}",
    ),
    **drifts("node", CRICTL, "test_crictl", of_file("crictl's settings", "/etc/crictl.yaml", "s/run/var/")),
}
