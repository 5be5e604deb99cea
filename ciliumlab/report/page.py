"""The page: one file that needs nothing else, no network and no server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from ciliumlab import diagram
from ciliumlab.plan.routes import tables
from ciliumlab.report.checks import Checks
from ciliumlab.report.deploy import Deploy
from ciliumlab.report.found import nothing
from ciliumlab.report.routes import Row, compared
from ciliumlab.settings import Settings
from ciliumlab.topology import Topology


@dataclass(frozen=True)
class Version:
    """A program's version where it is declared, and as found, with the machines that have it."""

    program: str
    declared: str
    found: dict[str, list[str]]

    @property
    def same(self) -> bool:
        return set(self.found) <= {self.declared}


def render(
    topology: Topology,
    settings: Settings,
    deploy: Deploy | None,
    seconds: Mapping[str, float],
    checks: Checks | None,
) -> str:
    """The page as HTML; ``seconds`` are those of the deploy's stages by their names, where they are known.

    Raises LabError where Graphviz is missing, which lays the diagram out.
    """
    environment = Environment(
        loader=PackageLoader("ciliumlab.report", "."),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    found = checks.found if checks else nothing()
    expected = tables(topology, settings)
    routes: dict[str, list[Row]] = {name: compared(name, expected[name], found) for name in expected}
    return environment.get_template("page.html.j2").render(
        topology=topology,
        settings=settings,
        # Of this project's own making, and escaped there.
        diagram=Markup(diagram.FORMATS["svg"](diagram.drawing(topology, settings))),
        deploy=deploy,
        seconds=seconds,
        checks=checks,
        found=found,
        routes=routes,
        versions=list(_versions(settings, found["versions"])),
    )


def _versions(settings: Settings, found: dict[str, dict[str, str]]) -> Iterator[Version]:
    declared = {
        "Kubernetes": settings.kubernetes_version,
        "Cilium": settings.cilium_version,
        "containerd": settings.containerd_version if settings.containerd_package == "containerd.io" else "",
    }
    for program, version in declared.items():
        by_version: dict[str, list[str]] = {}
        for machine, programs in found.items():
            if program in programs:
                by_version.setdefault(programs[program], []).append(machine)
        yield Version(program, version, by_version)
