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
PATH = f"{FOLDER}/guard"


@dataclass(frozen=True)
class Change:
    """What the script is to do.

    ``file`` is the name of the netplan file without its suffix, ``text`` what shall be in it.
    ``interfaces`` are those to configure anew, ``dummies`` those to make if they are missing.
    ``removals`` are arguments of ip(8) that remove what is left over, ``restores`` such as put it back.
    ``expected`` are arguments of ip(8), each with a text that its output must then contain.
    ``patience`` is how many seconds the change may take until it is confirmed.
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
    """The script for this change. Verbs: prepare, change, confirm; apply and roll-back are for itself."""
    return (
        _HEAD.format(
            folder=FOLDER,
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
trial=/run/netplan/$file.yaml
final=/etc/netplan/$file.yaml
timer=ciliumlab-netplan-rollback
worker=ciliumlab-netplan-apply
umask 077
# netplan is a Python program: what it would leave beside itself, nobody but root could read.
export PYTHONDONTWRITEBYTECODE=1

generate() {
    # Where udev does not run, netplan says so and goes on; what it says matters only when it fails.
    said=$(netplan generate 2>&1) || { echo "$said" | grep -v '^$' >&2; return 1; }
}

# Has netplan judge the new file, and generate what networkd will read at its next reload.
prepare() {
    # A former change that was cut in between is over: this one takes its place.
    unfinished=
    [ ! -e "$folder/state/armed" ] || unfinished=yes
    systemctl stop $timer.timer $worker.service 2>/dev/null
    rm -rf "$folder/state" && mkdir "$folder/state" && : > "$folder/state/armed" || exit 1
    for dummy in $dummies; do
        [ -e "/sys/class/net/$dummy" ] || echo "$dummy" >> "$folder/state/new-dummies"
    done
    systemd-run --quiet --collect --unit=$timer --on-active="$patience" --timer-property=AccuracySec=1s \
        /bin/sh "$guard" roll-back || exit 1
    mkdir -p -m 755 /run/netplan && printf '%s' "$text" > "$trial" && generate && exit 0
    mv "$folder/state/armed" "$folder/state/refused" 2>/dev/null
    systemctl stop $timer.timer 2>/dev/null
    rm -f "$trial"
    generate 2>/dev/null
    [ -z "$unfinished" ] || configure "$restores"
    echo "netplan does not accept this configuration; nothing was changed" >&2
    exit 1
}

configure() {
    systemctl start systemd-networkd.service && networkctl reload || return 1
    # A dummy interface that was deleted by hand does not come back by a reload.
    for dummy in $dummies; do
        [ -e "/sys/class/net/$dummy" ] || ip link add "$dummy" type dummy
    done
    echo "$1" | while read -r line; do [ -z "$line" ] || ip $line; done
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
        ! grep -qs '^ADMIN_STATE=configuring' "$link" \
            || [ -n "$(ip -6 address show dev "$interface" scope link tentative 2>/dev/null)" ] \
            || echo "$interface is still being configured"
    done
}

apply() {
    exec > "$folder/state/log" 2>&1
    [ -e "$folder/state/armed" ] || exit 0
    configure "$removals" || finish failed
    tries=0
    while [ -n "$(lacking)" ]; do
        tries=$((tries + 1))
        [ $tries -lt 200 ] || { echo "not in force: $(lacking)"; finish failed; }
        sleep 0.1
    done
    finish done
}

finish() {
    echo "$1" > "$folder/state/result.new" && mv "$folder/state/result.new" "$folder/state/result"
    exit 0
}

# Answers once the change is made: that the answer arrives shows that the host can still be reached. Asked
# again, it goes on waiting.
change() {
    if mkdir "$folder/state/begun" 2>/dev/null; then
        # On its own, so that it goes on when this connection ends.
        systemd-run --quiet --collect --unit=$worker /bin/sh "$guard" apply || { roll_back; give_up; }
    fi
    tries=0
    while [ ! -e "$folder/state/result" ] && [ -e "$folder/state/armed" ] \
        && [ $tries -lt $((patience * 10)) ]; do
        tries=$((tries + 1))
        sleep 0.1
    done
    [ "$(cat "$folder/state/result" 2>/dev/null)" = done ] && [ -e "$folder/state/armed" ] && exit 0
    roll_back
    give_up
}

# Comes as a command of its own, after that answer. Whoever takes "armed" away decides: it, or the roll-back.
confirm() {
    mv "$folder/state/armed" "$folder/state/confirmed" 2>/dev/null \
        || [ -e "$folder/state/confirmed" ] || give_up
    systemctl stop $timer.timer 2>/dev/null
    save && exit 0
    echo "the new network configuration is in force, but cannot be saved for the next boot" >&2
    exit 1
}

give_up() {
    cat "$folder/state/log" 2>/dev/null >&2
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

roll_back() {
    mv "$folder/state/armed" "$folder/state/rolled-back" 2>/dev/null || return 0
    systemctl stop $worker.service 2>/dev/null
    rm -f "$trial"
    generate
    dummies=
    [ ! -e "$folder/state/new-dummies" ] || while read -r dummy; do
        ip link delete "$dummy"
    done < "$folder/state/new-dummies"
    configure "$restores"
}

case $1 in
    prepare) prepare ;;
    change) change ;;
    apply) apply ;;
    confirm) confirm ;;
    roll-back) roll_back ;;
    *) echo "unknown verb: $1" >&2; exit 2 ;;
esac
"""
