"""Whether secrets of a cluster get out: into processes' arguments, logs, files that others may read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace

from ciliumlab.operations.kubeadm import Invitation

from .invited import CERTIFICATE_KEY, TOKEN
from .running import RunningLab

_SEEN, _BEGUN = "/run/processes-seen", "/run/processes-begun"

# Notes each command line that there is, once, in a file of root's. What runs shorter than this looks is
# missed; the programs that are given secrets wait for others.
_WATCH = f"""umask 077; rm -f {_SEEN}; touch {_SEEN} {_BEGUN}; cat > /run/sampler.py <<'END'
import os, time

seen = set()
with open("{_SEEN}", "ab", buffering=0) as notes:
    while True:
        for process in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{{process}}/cmdline", "rb") as file:
                    line = file.read()
            except OSError:  # it has ended meanwhile
                continue
            if line not in seen:
                seen.add(line)
                notes.write(line.replace(b"\\0", b" ").replace(b"\\n", b" ") + b"\\n")
        time.sleep(0.05)
END
systemd-run --quiet --collect --unit=sampler python3 /run/sampler.py
until [ -s {_SEEN} ]; do sleep 0.05; done
"""

# The second line of each private key, in PEM and as a kubeconfig holds it.
_KEYS = r"""find /etc/kubernetes /var/lib/kubelet/pki -type f 2>/dev/null | while read -r file; do
    sed -n '/BEGIN.*PRIVATE KEY/,/END/p' "$file" | sed -n 3p
    sed -n 's/.*client-key-data: *//p' "$file" | cut -c 200-263
done | grep -x '.\{64\}' | sort -u
"""

# Of files, those that have been written since the watch began, and that one who is nobody gets to.
_LOOK = f"""umask 077; cat > /run/patterns
files() {{ runuser -u nobody -- find "$@" -type f -readable -cnewer /run/since -print0 2>/dev/null; }}
install -m 644 /dev/null /run/since && touch -r {_BEGUN} /run/since
grep -aFf /run/patterns {_SEEN} | sed 's/^/process: /'
journalctl --quiet --no-pager -o cat | grep -aFf /run/patterns | sed 's/^/journal: /'
grep -raFlf /run/patterns --exclude-dir=journal /var/log 2>/dev/null | sed 's/^/log: /'
{{ files / -xdev; files /run; files /tmp; files /dev/shm; }} | sort -zu |
    xargs -0r grep -aFlsf /run/patterns | sed 's/^/readable: /'
rm /run/patterns /run/since
"""


@dataclass(frozen=True)
class Secrets:
    """What must not get out; ``keys`` are lines of private keys."""

    token: str
    certificate_key: str
    keys: frozenset[str] = frozenset()

    @staticmethod
    def new() -> Secrets:
        made = Invitation()
        return Secrets(made.token, made.certificate_key)

    def with_keys(self, lab: RunningLab) -> Secrets:
        """These, and the private keys that there are on machines."""
        found = lab.everywhere(lambda name: lab.shell(name, _KEYS).splitlines())
        return replace(self, keys=frozenset(line for lines in found.values() for line in lines))

    @property
    def invitation(self) -> dict[str, str]:
        """What pyinfra is told of them, in its environment."""
        return {TOKEN: self.token, CERTIFICATE_KEY: self.certificate_key}

    @property
    def patterns(self) -> list[str]:
        """A token's first half is public: it names the token."""
        return [self.token.partition(".")[2], self.certificate_key, *sorted(self.keys)]

    def within(self, text: str) -> list[str]:
        """The lines of a text that hold one."""
        return [line for line in text.splitlines() if any(one in line for one in self.patterns)]


@contextmanager
def processes_watched(lab: RunningLab) -> Iterator[None]:
    """From beginning to end, on all machines; what was seen stays there for the functions below."""
    lab.everywhere(lambda name: lab.shell(name, _WATCH))
    try:
        yield
    finally:
        lab.everywhere(lambda name: lab.shell(name, "systemctl stop sampler.service"))


def processes(lab: RunningLab, name: str) -> list[str]:
    """The command lines that were seen on a machine."""
    return lab.shell(name, f"cat {_SEEN}").splitlines()


def found(lab: RunningLab, secrets: Secrets) -> dict[str, list[str]]:
    """Where secrets are on machines and in their consoles; machines without any are left out."""
    wanted = "\n".join(secrets.patterns)

    def look(name: str) -> list[str]:
        lines = lab.shell(name, f"{{ {_LOOK} }} <<'PATTERNS'\n{wanted}\nPATTERNS\n").splitlines()
        console = (lab.state.machine(name) / "console.log").read_text(errors="replace")
        return [*lines, *(f"console: {line}" for line in secrets.within(console))]

    return {name: lines for name, lines in lab.everywhere(look).items() if lines}
