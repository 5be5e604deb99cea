"""The first word of a run: what is wrong with which host, and what is left out."""

from __future__ import annotations

import atexit
from dataclasses import dataclass, field
from time import time

from pyinfra import logger
from pyinfra.api.output import format_text
from pyinfra.context import host

from ciliumlab import preflight
from ciliumlab.errors import LabError, Problem
from ciliumlab.facts.preflight import Preflight
from ciliumlab.operations.api import Commands, Refused, inspection, read
from ciliumlab.preflight import Part, Wants
from ciliumlab.wording import listed


@dataclass
class _Report:
    """What was found on a host: what stops the run, and what leaves a part out."""

    stopping: list[Problem] = field(default_factory=list)
    lost: dict[Part, list[Problem]] = field(default_factory=dict)

    @property
    def missed(self) -> list[Problem]:
        return [problem for part in self.lost.values() for problem in part]


# By host; a process is one run, and what its hosts found decides for all of them. A dry run fills it while it
# prepares, and a real one again when it is carried out.
_reports: dict[str, _Report] = {}


@inspection
def checked(wants: Wants) -> Commands:
    """
    Look whether the host is fit for its part; nothing is changed on it.

    + wants: what it is to be, see ``ciliumlab.preflight.Wants``

    All that is wrong is said at once. With ``cluster`` "auto", a source that cannot be reached is not
    wrong: what needs it is left out on all hosts, and the last line of the run says so.
    """
    _reports.pop(host.name, None)
    asked = time()
    # Whether its user may become root is one of the questions.
    sources = [source for part in wants["sources"].values() for source in part]
    found = read(Preflight, modules=list(wants["modules"]), sources=sources, _sudo=False)
    report = _Report(preflight.problems(found, wants, asked, time()), preflight.unreachable(found, wants))
    if wants["cluster"] == "required":
        report = _Report([*report.stopping, *report.missed])
    _reports[host.name] = report
    for doubt in [*preflight.doubts(wants), *report.missed]:
        host.log_styled(str(doubt), fg="yellow", log_func=logger.warning)
    if report.stopping:
        raise LabError(report.stopping)
    host.noop(f"fit for its part{', but for sources that it cannot reach' if report.missed else ''}")
    yield from ()


@inspection
def passed() -> Commands:
    """Go on only when no host of this run has anything against it."""
    if unfit := sorted(name for name, report in _reports.items() if report.stopping):
        raise Refused(f"stopped, as {listed(unfit)} cannot take part; nothing was changed on any host")
    host.noop("every host is fit for its part")
    yield from ()


def runtime_goes_ahead() -> bool:
    """Whether the hosts of this run reach what the container runtime comes from, for ``host.when``."""
    return not any("runtime" in report.lost for report in _reports.values())


def cluster_goes_ahead() -> bool:
    """Whether the hosts of this run reach all that the cluster comes from, for ``host.when``.

    True where no preflight was part of the run.
    """
    return not any(report.lost for report in _reports.values())


@atexit.register
def _told() -> None:
    """What was left out, as the run's last line: pyinfra's own summary comes after the last operation."""
    stopped = any(report.stopping for report in _reports.values())
    if cluster_goes_ahead() or stopped:
        return
    left_out = "The cluster was" if runtime_goes_ahead() else "The container runtime and the cluster were"
    holders: dict[str, list[str]] = {}
    for name, report in sorted(_reports.items()):
        for server in dict.fromkeys(preflight.server(problem.where) for problem in report.missed):
            holders.setdefault(server, []).append(name)
    servers: dict[str, list[str]] = {}
    for server, names in holders.items():
        servers.setdefault(listed(names), []).append(server)
    why = "; ".join(f"{names} cannot have what is at {listed(there)}" for names, there in servers.items())
    fix = "Deploy again where that can be had, or name a mirror by --data mirror=URL."
    logger.warning(format_text(f"{left_out} not deployed: {why}. {fix}", fg="yellow"))
