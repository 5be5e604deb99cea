"""A YAML file read strictly: what YAML would guess, drop or overwrite is a problem instead.

PyYAML keeps the last of two equal keys, reads ``010`` as 8 and ``on`` as true. So the file is taken as
the tree of nodes that PyYAML composes, before it makes Python values of them: there the text that was
written, the type that YAML sees in it, its line and every repeated key can still be seen.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeGuard, TypeVar

import yaml

from ciliumlab.errors import DeclarationError, Problem
from ciliumlab.wording import closest, instead, shown

_Parsed = TypeVar("_Parsed")

# Written in C, it is eight times as fast; PyYAML built without libyaml lacks it.
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

# No declaration nests deeper than five levels; composing recurses, in C without a check: 100,000 open
# brackets crash the interpreter.
_DEEPEST = 20

_TAG = "tag:yaml.org,2002:"
_TEXT, _NULL, _INT = f"{_TAG}str", f"{_TAG}null", f"{_TAG}int"
_KINDS = {
    _NULL: "nothing",
    _INT: "a number",
    f"{_TAG}float": "a number",
    f"{_TAG}bool": "true or false",
    f"{_TAG}timestamp": "a date",
    f"{_TAG}map": "a mapping",
    f"{_TAG}seq": "a list",
}

_NO_VALUE = "has no value; give it one, or remove the key"

# Python refuses to read more than 4,300 digits, and nothing here needs more than 18.
_DECIMAL = re.compile(r"-?(0|[1-9][0-9]{0,17})")


class Report:
    """The problems found so far in one file."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.problems: list[Problem] = []

    def add(self, key: str, what: str) -> None:
        """``key`` is dotted (``nodes.k8s-w1.address``), or "" for the file as a whole."""
        self.problems.append(Problem(f"{self.file}: {key}" if key else str(self.file), what))


class Section:
    """A mapping of the file, with its dotted key.

    The getters report what is wrong with a value and then return what they return for an absent one,
    so that reading goes on and finds the other problems.
    """

    def __init__(self, report: Report, key: str, node: yaml.MappingNode) -> None:
        self.report = report
        self.key = key
        self.whole = True
        """False when a key could not be taken: what seems to be missing may be there."""
        self._nodes: dict[str, yaml.Node] = {}
        for key_node, value_node in node.value:
            name = self._name(key_node)
            if name is None:
                self.whole = False
            elif name in self._nodes:
                self.whole = False
                self.refuse(name, f"is given again on line {_line(key_node)}; keep one of the two")
            else:
                self._nodes[name] = value_node

    def __contains__(self, name: str) -> bool:
        return name in self._nodes

    def __iter__(self) -> Iterator[str]:
        """The keys, in the file's order."""
        return iter(self._nodes)

    def path(self, name: str) -> str:
        """The dotted key of ``name`` in this section."""
        return f"{self.key}.{shown(name)}" if self.key else shown(name)

    def refuse(self, name: str, what: str) -> None:
        """Report a problem with the key ``name`` of this section."""
        self.report.add(self.path(name), what)

    def expect(self, required: dict[str, str], optional: tuple[str, ...] = ()) -> None:
        """Report unknown keys, and required ones that are missing.

        ``required`` says for each key what to add, as a sentence that follows "is missing;".
        """
        known = (*required, *optional)
        meant = set()
        for name in self:
            if name not in known:
                meant.add(closest(name, known))
                self.refuse(name, f"is not a known key; {instead(name, known)}")
        for name, fix in required.items():
            # A key that is only misspelt has been reported already.
            if self.whole and name not in self and name not in meant:
                self.refuse(name, f"is missing; {fix}")

    def passes(self, name: str, rule: Callable[..., object], *arguments: object) -> bool:
        """Whether ``rule`` accepts the arguments; if not, its ValueError is the key's problem."""
        try:
            rule(*arguments)
        except ValueError as error:
            self.refuse(name, str(error))
            return False
        return True

    def scalar(self, name: str) -> str | None:
        """A single value as it was written, whatever YAML takes it for."""
        node = self._nodes.get(name)
        if node is None:
            return None
        if not isinstance(node, yaml.ScalarNode):
            self.refuse(name, f"must be a single value, not {_kind(node)}")
            return None
        if node.tag == _NULL:
            self.refuse(name, _NO_VALUE)
            return None
        if node.tag not in (_TEXT, *_KINDS):
            self.refuse(name, f"has the type {shown(node.tag)}; remove it")
            return None
        return str(node.value)

    def text(self, name: str) -> str | None:
        """A value that YAML takes for text, on one line and not empty."""
        value = self.scalar(name)
        if value is None:
            return None
        if self._nodes[name].tag != _TEXT:
            kind = _kind(self._nodes[name])
            self.refuse(name, f"must be text, and YAML takes {shown(value)} for {kind}; put it in quotes")
            return None
        if not value.strip() or not value.isprintable():
            self.refuse(name, f"must be one line of text, not {shown(value)}")
            return None
        return value

    def parsed(self, name: str, parse: Callable[[str], _Parsed]) -> _Parsed | None:
        """What ``parse`` makes of a text; its ValueError says what is wrong with it."""
        value = self.scalar(name)
        if value is None:
            return None
        try:
            result = parse(value)
        except ValueError as error:
            self.refuse(name, f"{shown(value)} {error}")
            return None
        # Only now: of 192.168 it helps more to hear that it is no address than that it is a number.
        return result if self.text(name) is not None else None

    def whole_number(self, name: str, *, at_least: int, at_most: int | None = None) -> int | None:
        """A whole number in plain decimal digits, within the bounds (both included)."""
        value = self.scalar(name)
        if value is None:
            return None
        if not _DECIMAL.fullmatch(value):
            self.refuse(name, f"must be a whole number in decimal digits, not {shown(value)}")
            return None
        if self._nodes[name].tag != _INT:
            self.refuse(name, f"must be a number, and the quotes around {value} make it text; remove them")
            return None
        number = int(value)
        if number < at_least or (at_most is not None and number > at_most):
            bounds = f"at least {at_least}" if at_most is None else f"from {at_least} to {at_most}"
            self.refuse(name, f"must be {bounds}, not {number}")
            return None
        return number

    def section(self, name: str) -> Section | None:
        """The mapping under ``name``."""
        node = self._nodes.get(name)
        if node is None:
            return None
        if node.tag == _NULL:
            self.refuse(name, _NO_VALUE)
            return None
        if not _is_mapping(node):
            self.refuse(name, f"must be a mapping of keys to values, not {_kind(node)}")
            return None
        return Section(self.report, self.path(name), node)

    def names(self, rule: Callable[[str], object]) -> Iterator[str]:
        """The keys, where they are names that people choose; reported when ``rule`` refuses them."""
        for name in self:
            self.passes(name, rule, name)
            yield name

    def _name(self, node: yaml.Node) -> str | None:
        """A key as text; anything else is reported."""
        if isinstance(node, yaml.ScalarNode) and node.tag == _TEXT:
            return str(node.value)
        if not isinstance(node, yaml.ScalarNode):
            what = f"line {_line(node)}: a key must be text, not {_kind(node)}"
        elif node.tag == f"{_TAG}merge":
            what = f"line {_line(node)}: merge keys (<<) are not supported; write the keys out"
        else:
            key = shown(node.value)
            what = f"line {_line(node)}: YAML takes the key {key} for {_kind(node)}; quote it, or rename it"
        self.report.add(self.key, what)
        return None


def read(file: Path) -> Section:
    """The file's outermost mapping.

    Raises DeclarationError at once for a file that cannot be read or is not YAML: nothing more can be
    said about it.
    """
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise _unreadable(file, f"cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise _unreadable(file, f"is not UTF-8 text (byte {error.start + 1}); save it as UTF-8") from error
    try:
        _check_depth(file, text)
        node = yaml.compose(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f"line {mark.line + 1}, column {mark.column + 1}: " if mark else ""
        what = ", ".join(filter(None, (error.context, error.problem)))
        raise _unreadable(file, f"{where}is not valid YAML: {what}") from error
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        # The last two: the pure Python scanner on an escape beyond Unicode ("\UFFFFFFFF").
        what = str(error).partition("\n")[0]
        raise _unreadable(file, f"is not valid YAML: {what}") from error
    if node is None:
        raise _unreadable(file, "is empty; start from inventory/lab.yaml of the project")
    if not _is_mapping(node):
        raise _unreadable(file, f"must be a mapping of keys to values, not {_kind(node)}")
    return Section(Report(file), "", node)


def _check_depth(file: Path, text: str) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=_LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > _DEEPEST:
            where = f"line {_line(event)}"
            raise _unreadable(file, f"{where}: is nested deeper than {_DEEPEST} levels; nothing here is")


def _unreadable(file: Path, what: str) -> DeclarationError:
    return DeclarationError(Problem(str(file), what))


def _is_mapping(node: yaml.Node) -> TypeGuard[yaml.MappingNode]:
    return isinstance(node, yaml.MappingNode) and node.tag == f"{_TAG}map"


def _line(place: yaml.Node | yaml.Event) -> int:
    return place.start_mark.line + 1 if place.start_mark else 1


def _kind(node: yaml.Node) -> str:
    """What YAML takes a node for; the tag itself for a type of someone's own (``!mine``)."""
    if isinstance(node, yaml.ScalarNode) and node.tag == _TEXT:
        return f"the text {shown(node.value)}"
    return _KINDS.get(node.tag, shown(node.tag))
