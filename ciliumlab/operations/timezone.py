"""The local time zone."""

from __future__ import annotations

import shlex

from pyinfra.context import host

from ciliumlab.facts.timezone import Timezone
from ciliumlab.operations.api import Commands, operation, read, show_difference
from ciliumlab.operations.steps import Shell, Write


@operation
def local(zone: str) -> Commands:
    """
    Set the local time zone.

    + zone: name from the time zone database, "Asia/Seoul"; one that the host does not know is an error
    """
    found = read(Timezone)
    changes = []
    if found["localtime"] != zone:
        changes.append(
            Shell(
                f"data={shlex.quote(f'/usr/share/zoneinfo/{zone}')} new=/etc/.localtime.ciliumlab;"
                ' if [ ! -f "$data" ]; then echo "there is no $data on this host: mend its name,'
                ' or install tzdata" >&2; exit 1; fi; ln -sfT "$data" $new && mv -fT $new /etc/localtime'
            )
        )
    # Debian's own file beside it, where there is one; Debian 13 has given it up.
    if found["timezone"] not in (None, zone):
        show_difference("/etc/timezone", f"{zone}\n")
        changes.append(Write("/etc/timezone", f"{zone}\n"))
    if not changes:
        host.noop(f"the time zone is {zone}")
    yield from changes
