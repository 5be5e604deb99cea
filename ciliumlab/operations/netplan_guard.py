"""The script that changes a host's network and puts the former one back unless it is told not to.

It is netplan try's idea for a run without a terminal. The new file goes to /run/netplan first, where it
takes the place of one with the same name in /etc/netplan; only once the host has been reached again is
it moved there. So whatever cuts the run off (the controller killed, the network gone, power lost), the
host comes back with the former file: by a timer of its own, or by its next boot.
"""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass

# In memory, so that a reboot forgets a change that was under way.
FOLDER = "/run/ciliumlab/netplan"


def path(file: str) -> str:
    """Where the script for the netplan file of this name lies: changes of two files do not meet."""
    return f"{FOLDER}/{file}/guard"


@dataclass(frozen=True)
class Change:
    """What the script is to do.

    ``file`` is the name of the netplan file without its suffix, ``text`` what shall be in it.
    ``interfaces`` are those to configure anew, ``dummies`` those to make if they are missing.
    ``removals`` are arguments of ip(8) that remove what is left over, ``restores`` such as put it back.
    ``expected`` are arguments of ip(8), each with a text that its output must then contain.
    ``patience`` is how many seconds the change may take until it is confirmed, from when it was prepared.
    """

    file: str
    text: str
    interfaces: Sequence[str]
    dummies: Sequence[str]
    removals: Sequence[str]
    restores: Sequence[str]
    expected: Sequence[tuple[str, str]]
    patience: int


def script(change: Change) -> str:
    """The script for this change, which lies at `path` on the host.

    Verbs: prepare, change, confirm, each of which may be asked for again; apply and roll-back are for itself.
    """
    return (
        _HEAD.format(
            folder=shlex.quote(f"{FOLDER}/{change.file}"),
            file=shlex.quote(change.file),
            patience=change.patience,
            interfaces=shlex.quote(" ".join(change.interfaces)),
            dummies=shlex.quote(" ".join(change.dummies)),
            removals=shlex.quote("\n".join(change.removals)),
            restores=shlex.quote("\n".join(change.restores)),
            expected=shlex.quote("\n".join(f"{arguments}|{text}" for arguments, text in change.expected)),
            text=shlex.quote(change.text),
        )
        + _BODY
    )


_HEAD = """#!/bin/sh
# Made by ciliumlab.operations.netplan_guard, which explains it.
set -u
folder={folder}
file={file}
patience={patience}
interfaces={interfaces}
dummies={dummies}
removals={removals}
restores={restores}
expected={expected}
text={text}
"""

_BODY = r"""
guard=$folder/guard
state=$folder/state
undo=$folder/undo
armed=$folder/armed
trial=/run/netplan/$file.yaml
final=/etc/netplan/$file.yaml
timer=ciliumlab-netplan-rollback-$file
worker=ciliumlab-netplan-apply-$file
umask 077
# netplan is a Python program: what it would leave beside itself, nobody but root could read.
export PYTHONDONTWRITEBYTECODE=1

# A step that was cut off may still be at work when it is asked for again, or a roll-back.
alone() {
    exec 9>"$folder/lock" && flock 9
}

generate() {
    # Where udev does not run, netplan says so and goes on; what it says matters only when it fails.
    said=$(netplan generate 2>&1) || { echo "$said" | grep -v '^$' >&2; return 1; }
}

# Has netplan judge the new file, and generate what networkd will read at its next reload.
prepare() {
    alone
    systemctl stop $timer.timer $timer.service $worker.service 2>/dev/null
    # A former change of this file that was cut in between is over: this one takes its place. If it comes to
    # nothing, both are undone.
    [ -e "$armed" ] || rm -rf "$undo"
    touch "$armed" && rm -rf "$state" && mkdir -p "$state" "$undo" || refuse "$folder cannot be written"
    systemd-run --quiet --collect --unit=$timer --on-active="$patience" --timer-property=AccuracySec=1s \
        /bin/sh "$guard" roll-back || refuse "this host cannot go back by itself"
    mkdir -p -m 755 /run/netplan && printf '%s' "$text" > "$trial" || refuse "$trial cannot be written"
    generate || refuse "netplan does not accept this configuration"
}

refuse() {
    go_back 2>/dev/null
    systemctl stop $timer.timer 2>/dev/null
    echo "$1; nothing was changed" >&2
    exit 1
}

configure() {
    systemctl start systemd-networkd.service && networkctl reload || return 1
    for dummy in $1; do
        [ -e "/sys/class/net/$dummy" ] || ip link add "$dummy" type dummy
    done
    echo "$2" | while read -r line; do [ -z "$line" ] || ip $line; done
    for interface in $interfaces; do
        [ ! -e "/sys/class/net/$interface" ] || networkctl reconfigure "$interface"
    done
}

# What is declared and not there yet.
lacking() {
    echo "$expected" | while IFS='|' read -r arguments wanted; do
        [ -n "$arguments" ] || continue
        ip $arguments 2>/dev/null | grep -qF -- "$wanted" || echo "$wanted ($arguments)"
    done
    # networkd's own word, see sd-network(3): an old address may be there until it is done. But it also waits
    # a second or two until an IPv6 link-local address is known to be nobody else's (RFC 4862, 5.4).
    for interface in $interfaces; do
        link=/run/systemd/netif/links/$(cat "/sys/class/net/$interface/ifindex" 2>/dev/null)
        ! grep -qs '^ADMIN_STATE=\(pending\|initialized\|configuring\)' "$link" \
            || [ -n "$(ip -6 address show dev "$interface" scope link tentative 2>/dev/null)" ] \
            || echo "$interface is still being configured"
    done
}

apply() {
    exec > "$state/log" 2>&1
    [ -e "$armed" ] || exit 0
    for dummy in $dummies; do
        [ -e "/sys/class/net/$dummy" ] || echo "$dummy" >> "$undo/dummies"
    done
    : > "$undo/network"
    # A dummy interface that was deleted by hand does not come back by a reload.
    configure "$dummies" "$removals" || finish failed
    tries=0
    while [ -n "$(lacking)" ]; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || { echo "not in force: $(lacking)"; finish failed; }
        sleep 0.1
    done
    finish done
}

finish() {
    echo "$1" > "$state/result.new" && mv "$state/result.new" "$state/result"
    exit 0
}

# Answers once the change is made: that the answer arrives shows that the host can still be reached. Asked
# again, it goes on waiting.
change() {
    if mkdir "$state/begun" 2>/dev/null; then
        # On its own, so that it goes on when this connection ends.
        systemd-run --quiet --collect --unit=$worker /bin/sh "$guard" apply || give_up
    fi
    tries=0
    while [ ! -e "$state/result" ] && [ -e "$armed" ] && [ $tries -lt $((patience * 10)) ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    [ "$(cat "$state/result" 2>/dev/null)" = done ] && [ -e "$armed" ] || give_up
}

# Comes as a command of its own, after that answer. Whoever takes "armed" away decides: it, or the roll-back.
confirm() {
    alone
    mv "$armed" "$state/confirmed" 2>/dev/null || [ -e "$state/confirmed" ] || give_up
    systemctl stop $timer.timer 2>/dev/null
    save && exit 0
    echo "the new network configuration is in force, but cannot be saved for the next boot" >&2
    exit 1
}

give_up() {
    alone
    go_back
    cat "$state/log" >&2 2>/dev/null
    echo "the new network configuration failed, or cut this host off for $patience s;" \
        "the former one is back" >&2
    exit 1
}

save() {
    if [ ! -e "$trial" ]; then
        # Asked again: the file may be there.
        printf '%s' "$text" | cmp -s - "$final"
        return
    fi
    new=/etc/netplan/.$file.yaml.ciliumlab
    cp "$trial" "$new" && chmod 600 "$new" && sync "$new" && mv -fT "$new" "$final" && rm -f "$trial"
}

go_back() {
    rm "$armed" 2>/dev/null || return 0
    systemctl stop $worker.service 2>/dev/null
    rm -f "$trial"
    generate
    [ -e "$undo/network" ] || return 0
    [ ! -e "$undo/dummies" ] || while read -r dummy; do
        ip link delete "$dummy"
    done < "$undo/dummies"
    configure "" "$restores"
}

case $1 in
    prepare) prepare ;;
    change) change ;;
    apply) apply ;;
    confirm) confirm ;;
    roll-back) alone && go_back ;;
    *) echo "unknown verb: $1" >&2; exit 2 ;;
esac
"""
