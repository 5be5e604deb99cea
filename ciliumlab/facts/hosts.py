"""Names that a host resolves by itself."""

from __future__ import annotations

from typing_extensions import override

from ciliumlab.facts.shell import FileText, Sections, State, contents, parse_contents, sections

HOSTS_FILE = "/etc/hosts"


class HostsFile(State[FileText]):
    """/etc/hosts; empty where there is none."""

    early = True

    @override
    def command(self) -> str:
        return sections(hosts=contents(HOSTS_FILE))

    @override
    def parse(self, found: Sections) -> FileText:
        missing = FileText(mode="", owner="", text="")
        return parse_contents(found["hosts"]).get(HOSTS_FILE, missing)
