"""Several questions in one remote command: output in named sections, files listed with checksums."""

from __future__ import annotations

import shlex
from base64 import b64decode
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, ClassVar, Generic, TypedDict, TypeVar, get_args

from pyinfra.api.exceptions import FactProcessError
from pyinfra.api.facts import FactBase
from typing_extensions import override

from ciliumlab.facts.kinds import check

# No tool that is asked prints a line that begins so.
_MARK = "==ciliumlab== "

# Mode, owner, kind, time of the last change, size, name. When a file was last written does not tell whether
# it is another one: what is changed and put back by mv(1) is as old as ever.
_STAT = "stat -c '%a|%U:%G|%F|%Z|%s|%n'"

# A line where the host is a container, which shares the kernel of its own host: there, and only there,
# systemd leaves this file when it starts. systemd-detect-virt(1) reads it too.
CONTAINER = "[ ! -e /run/systemd/container ] || echo container"

# Of what an error says of itself, which may quote all that was answered.
_LONGEST = 200

T = TypeVar("T")
Sections = dict[str, list[str]]


class State(FactBase[T | None], Generic[T]):
    """A fact that asks several questions in one command: `command` uses `sections`, `parse` reads them.

    Output that cannot be understood, or makes a value of another type than ``T``, fails the host with one
    line, as an unreadable fact; it never ends the run with a traceback. What is ``confidential`` is printed
    at no verbosity. What is ``early`` is the machine's own and soon answered, so that it can be read before
    the stage that asks for it has begun; a server somewhere may keep all others waiting.
    """

    confidential: ClassVar[bool] = False
    early: ClassVar[bool] = False

    def parse(self, found: Sections) -> T:
        raise NotImplementedError

    @override
    def process(self, output: list[str]) -> T:
        try:
            value = self.parse(split(output))
            # Every subclass says what its T is.
            (kind,) = get_args(type(self).__orig_bases__[0])  # type: ignore[attr-defined]
            check(value, kind)
        # JSON and TOML may be nested too deeply, and a number too large.
        except (ValueError, LookupError, TypeError, AttributeError, ArithmeticError, RecursionError) as error:
            what = type(error).__name__ if self.confidential else repr(error)
            what = what if len(what) <= _LONGEST else f"{what[:_LONGEST]}..."
            raise FactProcessError(f"cannot understand what the host answered: {what}") from error
        return value


class Joined(State[T], Generic[T]):
    """A fact whose arguments are lists of names, and which says of each name the same whatever is asked
    beside it: one command answers several questions, and `part` gives each its own.
    """

    def part(self, value: T, arguments: Mapping[str, Any]) -> T:
        """What ``value`` says of the names in a question's arguments."""
        raise NotImplementedError


def sections(**commands: str) -> str:
    """One shell command that prints the output of each command under its name.

    A command that fails does not stop those after it, and its section is what it managed to print: a
    file or program that is not there is an answer, and what it means is the parser's to say.
    """
    parts = ["export LC_ALL=C"]
    for name, command in commands.items():
        parts += [f"echo {shlex.quote(_MARK + name)}", f"{{ {command}; }} 2>/dev/null"]
    return "; ".join([*parts, "true"])


def split(output: Iterable[str]) -> Sections:
    """The lines of each section. ValueError when something is printed before the first."""
    found: Sections = {}
    lines: list[str] | None = None
    for line in output:
        if line.startswith(_MARK):
            lines = found.setdefault(line.removeprefix(_MARK), [])
        elif lines is None:
            raise ValueError(f"unexpected line {line!r}")
        else:
            lines.append(line)
    return found


def quoted(words: Iterable[str]) -> str:
    """Words for a shell command line."""
    return " ".join(shlex.quote(word) for word in words)


class FileState(TypedDict):
    """A file as it is: ``mode`` in octal digits ("644"), ``owner`` as "user:group".

    ``sha256`` is None for what is no regular file (a directory, a link). ``changed`` is when it was, if only
    in its mode, in seconds since the epoch.
    """

    mode: str
    owner: str
    sha256: str | None
    changed: int


def listing(paths: Iterable[str]) -> str:
    """A command for `parse_listing`: mode, owner, kind, time and SHA-256 of the files that exist."""
    names = quoted(paths)
    return f"{_STAT} -- {names}; sha256sum -- {names}"


def parse_listing(lines: Iterable[str]) -> dict[str, FileState]:
    """Files by path; one that does not exist is not among them."""
    files: dict[str, FileState] = {}
    regular = set()
    for line in lines:
        if line.count("|") >= 5:
            mode, owner, kind, changed, _size, path = line.split("|", 5)
            files[path] = FileState(mode=mode, owner=owner, sha256=None, changed=int(changed))
            if kind.startswith("regular"):
                regular.add(path)
        else:
            # sha256sum follows links, so that only a regular file's answer counts.
            digest, path = line[:64], line[66:]
            if path in regular:
                files[path]["sha256"] = digest
    return files


class FileText(TypedDict):
    """A small text file: ``mode`` in octal digits, ``owner`` as "user:group", its ``text``."""

    mode: str
    owner: str
    text: str


def contents(*words: str) -> str:
    """A command for `parse_contents`: the exact bytes of small files that exist.

    ``words`` go to the shell as they are and may be patterns; quote names that come from outside.
    """
    return (
        f'set --; for path in {" ".join(words)}; do [ ! -f "$path" ] || set -- "$@" "$path"; done;'
        f' [ $# = 0 ] || {{ {_STAT} -L -- "$@"; cat -- "$@" | base64 -w0; echo; }}'
    )


def parse_contents(lines: Sequence[str]) -> dict[str, FileText]:
    """Files by path. Bytes that are no UTF-8 become surrogates, so that nothing is lost."""
    *heads, encoded = lines or [""]
    contents = b64decode(encoded, validate=True)
    files: dict[str, FileText] = {}
    end = 0
    for head in heads:
        mode, owner, _kind, _changed, size, path = head.split("|", 5)
        begin, end = end, end + int(size)
        text = contents[begin:end].decode(errors="surrogateescape")
        files[path] = FileText(mode=mode, owner=owner, text=text)
    if end != len(contents):
        raise ValueError("a file was changed while it was read")
    return files
