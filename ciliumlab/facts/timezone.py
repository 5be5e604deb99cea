"""The local time zone."""

from __future__ import annotations

from typing import TypedDict

from typing_extensions import override

from ciliumlab.facts.shell import Sections, State, sections


class TimezoneState(TypedDict):
    """``localtime`` is the zone that /etc/localtime points to, "Asia/Seoul", empty when it points to none.

    ``timezone`` is what /etc/timezone says, None where there is no such file (Debian 13 has none).
    """

    localtime: str
    timezone: str | None


class Timezone(State[TimezoneState]):
    """The time zone as the C library and as Debian's own programs see it."""

    early = True

    @override
    def command(self) -> str:
        return sections(
            localtime="readlink /etc/localtime", timezone="[ ! -e /etc/timezone ] || cat /etc/timezone"
        )

    @override
    def parse(self, found: Sections) -> TimezoneState:
        return TimezoneState(
            localtime="".join(found["localtime"]).partition("/zoneinfo/")[2],
            timezone=next(iter(found["timezone"]), None),
        )
