"""What a host is like before anything is done to it."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Collection
from typing import Any

from typing_extensions import override

from ciliumlab.facts.kernel import module_name
from ciliumlab.facts.shell import CONTAINER, Sections, State, quoted, sections
from ciliumlab.findings import Answer, Card, Clock, Disk, Findings
from ciliumlab.preflight import Source

# Seconds for a connection, and for all answers: a host without a route costs the former, not more.
_CONNECT = 8
_ANSWER = 30

# Filled in on the host, which alone knows: ciliumlab.sources leaves these placeholders.
_PLACEHOLDERS = {"{distribution}": '"$ID"', "{codename}": '"$VERSION_CODENAME"', "{arch}": '"$arch"'}

# Both ask for nothing but the headers, of all addresses at once, and print "|status|address|what is wrong".
_CURL = (
    f"curl --parallel --globoff --silent --head --location --connect-timeout {_CONNECT} --max-time {_ANSWER}"
    " --write-out '\\n|%{http_code}|%{url}|%{errormsg}\\n' \"$@\" | grep '^|'"
)
_PYTHON = f"""
import sys, urllib.error, urllib.request
from concurrent.futures import ThreadPoolExecutor
def ask(url):
    try:
        with urllib.request.urlopen(urllib.request.Request(url, method="HEAD"), timeout={_CONNECT}) as answer:
            return "|%d|%s|" % (answer.status, url)
    except urllib.error.HTTPError as error:
        return "|%d|%s|" % (error.code, url)
    except OSError as error:
        return "|000|%s|%s" % (url, " ".join(str(getattr(error, "reason", error)).split()))
print(*ThreadPoolExecutor(50).map(ask, sys.argv[1:]), sep="\\n")
"""


class Preflight(State[Findings]):
    """What a host is like, all in one command that a user without rights can give too.

    + modules: kernel modules to look for
    + sources: addresses to ask for, or one by architecture, with the placeholders of ``ciliumlab.sources``
    """

    @override
    def command(self, modules: Collection[str], sources: Collection[Source]) -> str:
        words = " ".join(_word(source) for source in sources)
        ask = f'if command -v curl >/dev/null; then {_CURL}; else python3 -c {shlex.quote(_PYTHON)} "$@"; fi'
        look_for = (
            f"for name in {quoted(module_name(name) for name in modules)}; do"
            ' if [ -d "/sys/module/$name" ] || /sbin/modprobe --dry-run --quiet "$name";'
            ' then echo "$name"; fi; done'
        )
        return ". /etc/os-release; arch=$(dpkg --print-architecture); " + sections(
            began="date +%s.%N",
            system='echo "$ID-$VERSION_ID"; echo "$VERSION_CODENAME"; echo "$arch"; uname -r',
            container=CONTAINER,
            modules=look_for if modules else "true",
            cgroup="stat --file-system --format=%T /sys/fs/cgroup",
            kubelet="[ ! -e /etc/kubernetes/kubelet.conf ] || dpkg-query -W -f '${Version}\\n' kubelet",
            cpus="nproc",
            memory="grep MemTotal: /proc/meminfo",
            disk="df --output=size,avail --block-size=1M /var/lib | tail -n 1",
            root="sudo -n true && echo yes",
            cards="ip -json -details address",
            answers=f"set -- {words}; {ask}" if sources else "true",
            ended="date +%s.%N",
        )

    @override
    def parse(self, found: Sections) -> Findings:
        distribution, codename, arch, kernel = found["system"]
        size, free = found["disk"][0].split()
        links = json.loads("\n".join(found["cards"]))
        return Findings(
            distribution=distribution,
            codename=codename,
            arch=arch,
            kernel=kernel,
            container=bool(found["container"]),
            modules=found["modules"],
            cgroup=found["cgroup"][0],
            kubelet="".join(found["kubelet"]).partition("-")[0],
            cpus=int(found["cpus"][0]),
            memory=int(found["memory"][0].split()[1]) // 1024,
            disk=Disk(size=int(size), free=int(free)),
            root="yes" in found["root"],
            cards={link["ifname"]: _card(link) for link in links if "ifname" in link},
            answers=dict(_answer(line) for line in found["answers"]),
            clock=Clock(began=float(found["began"][0]), ended=float(found["ended"][0])),
        )


def _word(source: Source) -> str:
    """The address as a word of the shell, with variables in the places of placeholders."""
    if isinstance(source, str):
        parts = re.split("({[a-z]+})", source)
        return "".join(_PLACEHOLDERS.get(part, shlex.quote(part)) for part in parts if part)
    cases = " ".join(f"{arch}) echo {_word(url)};;" for arch, url in source.items())
    return f'"$(case "$arch" in {cases} esac)"'


def _card(link: dict[str, Any]) -> Card:
    found = [one for one in link["addr_info"] if (one.get("family"), one.get("scope")) == ("inet", "global")]
    return Card(
        addresses=[f"{one['local']}/{one['prefixlen']}" for one in found],
        leased=[f"{one['local']}/{one['prefixlen']}" for one in found if one.get("dynamic")],
        master=link.get("master", ""),
    )


def _answer(line: str) -> tuple[str, Answer]:
    _, status, url, trouble = line.split("|", 3)
    return url, Answer(status=int(status), trouble=trouble)
