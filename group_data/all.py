"""Settings of the whole lab: pyinfra gives them to every host, and `--data key=value` overrides one.

Plain values only. What each may be is checked by ciliumlab/settings.py, where a new one is declared too.
"""

# pyinfra's own: every operation runs as root, whoever the SSH user is.
_sudo = True

# The time zone of every machine, as in /usr/share/zoneinfo.
timezone = "Asia/Seoul"

# How pods of different nodes reach one another: "native" (routed as they are), or in a tunnel, "vxlan" or
# "geneve". It decides the kernel modules of the nodes.
datapath = "native"
