"""YAML as a tree of plain text in which every node knows its line.

A policy file is written by people and may come from anywhere, so it is read with PyYAML's safe loader, but
only as far as its nodes: no constructor runs, nothing is turned into an object, and what a scalar means is
for the field that holds it to say. A key that stands twice, an alias that multiplies, a tag, a second
document and anything above the limits below are faults, each with its line.
"""

import re
from dataclasses import dataclass
from typing import Final, TypeAlias

import yaml

DEPTH_MAX: Final = 12
"""Levels of nesting; a policy needs six."""

NODES_MAX: Final = 20_000
"""Nodes after every alias is followed: an alias costs what it stands for."""

ALIASES_MAX: Final = 1_000
"""Aliases in one file, each of which names an anchor above it."""

_STANDARD: Final = "tag:yaml.org,2002:"
_KINDS: Final = frozenset({"null", "bool", "int", "float", "timestamp", "str"})
_UNPRINTABLE: Final = re.compile(r"[^\x09\x0a\x0d\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_SHOWN_CHARACTERS_MAX: Final = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyFileError:
    """One fault of a policy file: its line (from 1), the field (``purposes[2].mode``), and what to do."""

    line: int
    field: str
    message: str

    def __str__(self) -> str:
        """The fault as one line for people."""
        where = f"line {self.line}: `{self.field}`" if self.field else f"line {self.line}:"
        return f"{where} {self.message}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scalar:
    """A text as it was written, and the kind YAML takes it for (``str``, ``int``, ``bool``, ``null``, …)."""

    line: int
    text: str
    kind: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sequence:
    """A list."""

    line: int
    items: "tuple[Node, ...]"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One key of a mapping, the line it stands on, and its value."""

    line: int
    key: str
    value: "Node"


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Keys and values in the order of the file; a key stands once."""

    line: int
    entries: tuple[Entry, ...]


Node: TypeAlias = Scalar | Sequence | Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class Tree:
    """What was read: the root, if the text could be read as YAML at all, and every fault found on the way."""

    root: Node | None
    errors: tuple[PolicyFileError, ...]


def path_to(field: str, key: str) -> str:
    """The path of what stands under ``key`` in ``field``, fit to be shown on a terminal."""
    return f"{field}.{_shown(key)}" if field else _shown(key)


def _shown(text: str) -> str:
    short = text if len(text) <= _SHOWN_CHARACTERS_MAX else text[:_SHOWN_CHARACTERS_MAX] + "…"
    return short if short.isprintable() else short.encode("unicode_escape").decode("ascii")


class _Unreadable(Exception):
    """The text ends here: what follows cannot be understood, or would be too much."""

    def __init__(self, line: int, message: str) -> None:
        super().__init__(message)
        self.error = PolicyFileError(line=line, field="", message=message)


class _BoundedLoader(yaml.SafeLoader):
    """PyYAML's safe loader, stopped before it nests too deep or becomes too much."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self._depth = 0
        self._nodes = 0
        self._aliases = 0

    def compose_node(self, parent: yaml.Node | None, index: int) -> yaml.Node | None:
        """Compose one node, counting nodes, aliases and levels before going on."""
        event = self.peek_event()  # type: ignore[no-untyped-call]  # The stubs leave it out.
        line = event.start_mark.line + 1
        self._nodes += 1
        self._aliases += isinstance(event, yaml.AliasEvent)
        if self._nodes > NODES_MAX:
            raise _Unreadable(line, f"has more than {NODES_MAX} values; split the policy")
        if self._aliases > ALIASES_MAX:
            raise _Unreadable(line, f"has more than {ALIASES_MAX} aliases; write the values out")
        if self._depth >= DEPTH_MAX:
            raise _Unreadable(line, f"is nested deeper than {DEPTH_MAX} levels; a policy needs six")
        self._depth += 1
        node: yaml.Node | None = super().compose_node(parent, index)
        self._depth -= 1
        return node


def read_tree(text: str) -> Tree:
    """The tree of one YAML document. It never raises: whatever is wrong is in ``errors``."""
    try:
        root = _composed(text)
        planter = _Planter()
        return Tree(root=planter.node(root, "", 0), errors=tuple(planter.errors))
    except _Unreadable as fault:
        return Tree(root=None, errors=(fault.error,))


def _composed(text: str) -> yaml.Node:
    if (found := _UNPRINTABLE.search(text)) is not None:
        line = text.count("\n", 0, found.start()) + 1
        raise _Unreadable(line, f"holds the unprintable character U+{ord(found[0]):04X}; take it out")
    loader = _BoundedLoader(text)
    try:
        root: yaml.Node | None = loader.get_single_node()
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        line = 1 if mark is None else mark.line + 1
        raise _Unreadable(line, f"is not YAML: {_shown(fault.problem or '')}") from fault
    except (ValueError, OverflowError) as fault:
        # An escape such as "\UFFFFFFFF" names no character, and PyYAML does not look before it leaps.
        raise _Unreadable(loader.line + 1, "has an escape that names no character") from fault
    if root is None:
        raise _Unreadable(1, "is empty; a policy file is a mapping that begins with `policy_id`")
    return root


class _Planter:
    """Turns PyYAML's nodes into ours, following aliases, within ``NODES_MAX``."""

    def __init__(self) -> None:
        self.errors: list[PolicyFileError] = []
        self._nodes = 0

    def node(self, node: yaml.Node, field: str, depth: int) -> Node:
        line = node.start_mark.line + 1
        self._nodes += 1
        if self._nodes > NODES_MAX:
            raise _Unreadable(line, f"has more than {NODES_MAX} values once its aliases are followed")
        if depth > DEPTH_MAX:
            raise _Unreadable(line, f"is nested deeper than {DEPTH_MAX} levels, or an anchor holds itself")
        self._check_tag(node, line, field)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, line, field, depth)
        if isinstance(node, yaml.SequenceNode):
            items = (self.node(item, f"{field}[{n}]", depth + 1) for n, item in enumerate(node.value))
            return Sequence(line=line, items=tuple(items))
        return Scalar(line=line, text=self._text(node, line, field), kind=_kind(node))

    def _mapping(self, node: yaml.MappingNode, line: int, field: str, depth: int) -> Mapping:
        entries: dict[str, Entry] = {}
        for key_node, value_node in node.value:
            key_line = key_node.start_mark.line + 1
            if not isinstance(key_node, yaml.ScalarNode):
                self._fault(key_line, field, "has a key that is no text; write one word before the colon")
                continue
            key = self._text(key_node, key_line, field)
            inner = path_to(field, key)
            value = self.node(value_node, inner, depth + 1)
            if key in entries:
                self._fault(key_line, inner, f"stands twice, first on line {entries[key].line}; keep one")
                continue
            entries[key] = Entry(line=key_line, key=key, value=value)
        return Mapping(line=line, entries=tuple(entries.values()))

    def _text(self, node: yaml.Node, line: int, field: str) -> str:
        text = str(node.value)
        if _SURROGATE.search(text) is None:
            return text
        self._fault(line, field, "has an escape that names half a character; write the character itself")
        return _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text)

    def _check_tag(self, node: yaml.Node, line: int, field: str) -> None:
        known = {"ScalarNode": _KINDS, "SequenceNode": {"seq"}, "MappingNode": {"map"}}[type(node).__name__]
        if node.tag.removeprefix(_STANDARD) not in known:
            self._fault(line, field, "has a tag or a sign that a policy does not use; put the text in quotes")

    def _fault(self, line: int, field: str, message: str) -> None:
        self.errors.append(PolicyFileError(line=line, field=field, message=message))


def _kind(node: yaml.Node) -> str:
    return node.tag.removeprefix(_STANDARD)
