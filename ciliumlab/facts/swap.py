"""Swap: what is in use, and what would bring it back at boot."""

from __future__ import annotations

from typing import TypedDict

from typing_extensions import override

from ciliumlab.facts.shell import CONTAINER, Sections, State, quoted, sections

# Units that make swap by a script of their own instead of a swap unit: Debian's zram-tools,
# dphys-swapfile and swapspace, Ubuntu's zram-config.
SWAP_SERVICES = ("dphys-swapfile.service", "swapspace.service", "zram-config.service", "zramswap.service")

# systemd.unit(5), "Unit File Load Path" and "Generators", without what no package or administrator uses.
_FOLDERS = (
    *("/etc/systemd/system", "/run/systemd/system", "/run/systemd/transient"),
    *("/usr/local/lib/systemd/system", "/usr/lib/systemd/system"),
    *("/run/systemd/generator.early", "/run/systemd/generator", "/run/systemd/generator.late"),
)
_PATTERNS = " ".join(f"$folder/{name}" for name in ("*.swap", *SWAP_SERVICES))

# systemd takes long to list unit files. As a rule there is none but swap.target's, which the files tell, too.
_UNITS = (
    f"swaps=; for folder in {' '.join(_FOLDERS)}; do for unit in {_PATTERNS}; do"
    ' if [ -e "$unit" ] || [ -L "$unit" ]; then swaps=yes; fi; done; done; if [ "$swaps" ]; then'
    f" systemctl list-unit-files --no-legend --no-pager swap.target '*.swap' {quoted(SWAP_SERVICES)};"
    " elif [ /etc/systemd/system/swap.target -ef /dev/null ]; then echo swap.target masked;"
    " else echo swap.target static; fi"
)


class SwapState(TypedDict):
    """``used`` names what is swapped to; ``units`` maps units that swap to their file state.

    A file state is "masked", "enabled", "generated" … as ``systemctl list-unit-files`` prints it.
    """

    used: list[str]
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
            units=_UNITS,
        )

    @override
    def parse(self, found: Sections) -> SwapState:
        units = {}
        for line in found["units"]:
            name, state, *_preset = line.split()
            units[name] = state
        return SwapState(
            used=found["used"],
            units=units,
            container=bool(found["container"]),
        )
