"""Swap: what is in use, and what would bring it back at boot."""

from __future__ import annotations

from typing import TypedDict

from typing_extensions import override

from ciliumlab.facts.shell import (
    CONTAINER,
    FileText,
    Sections,
    State,
    contents,
    parse_contents,
    quoted,
    sections,
)

# Units that make swap by a script of their own instead of a swap unit: Debian's zram-tools,
# dphys-swapfile and swapspace, Ubuntu's zram-config.
SWAP_SERVICES = ("dphys-swapfile.service", "swapspace.service", "zram-config.service", "zramswap.service")


class SwapState(TypedDict):
    """``used`` names what is swapped to; ``units`` maps units that swap to their file state.

    A file state is "masked", "enabled", "generated" … as ``systemctl list-unit-files`` prints it.
    ``fstab`` is None where there is none.
    """

    used: list[str]
    fstab: FileText | None
    units: dict[str, str]
    container: bool


class Swap(State[SwapState]):
    """Everything that makes a host swap, now or after the next boot."""

    early = True

    @override
    def command(self) -> str:
        return sections(
            container=CONTAINER,
            used='while read -r path _; do [ "$path" = Filename ] || echo "$path"; done < /proc/swaps',
            fstab=contents("/etc/fstab"),
            units=(
                "systemctl list-unit-files --no-legend --no-pager"
                f" swap.target '*.swap' {quoted(SWAP_SERVICES)}"
            ),
        )

    @override
    def parse(self, found: Sections) -> SwapState:
        units = {}
        for line in found["units"]:
            name, state, *_preset = line.split()
            units[name] = state
        return SwapState(
            used=found["used"],
            fstab=parse_contents(found["fstab"]).get("/etc/fstab"),
            units=units,
            container=bool(found["container"]),
        )
