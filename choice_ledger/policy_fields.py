"""What the fields of a policy file may hold: one small rule for each kind of value.

A rule takes a node and gives the plain value of the line format, or notes a fault and gives null. Rules are
put together into tables (see ``policy_file``), so that the table reads like the format it checks.
"""

import re
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Final, TypeAlias

from choice_ledger.policy_yaml import Entry, Mapping, Node, PolicyFileError, Scalar, Sequence, path_to
from events.envelope import InvalidEvent, check_key, check_name, check_selector, check_text
from events.instants import format_duration, format_instant, parse_duration, parse_instant
from events.line_fields import may_be_shown

Value: TypeAlias = object
"""A plain value of the line format: text, integer, truth value, list, mapping; null after a fault."""

INTEGER_MAX: Final = 2**31 - 1
"""The greatest version and meaning that the event's schema holds."""

_INTEGER: Final = re.compile(r"[1-9][0-9]{0,9}", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reader:
    """One reading of one file: the faults so far, and the registries that references are held against."""

    registries: dict[str, dict[str, dict[str, Value]]] = field(default_factory=dict)
    errors: list[PolicyFileError] = field(default_factory=list)

    def fault(self, line: int, where: str, message: str) -> None:
        """Note a fault and go on: a writer wants to see them all at once."""
        self.errors.append(PolicyFileError(line=line, field=where, message=message))


Rule: TypeAlias = Callable[[Reader, Node, str], Value]


def _text(reader: Reader, node: Node, where: str) -> str | None:
    if not isinstance(node, Scalar):
        reader.fault(node.line, where, "must be a text, not a list or a mapping")
    elif node.kind not in {"str", "timestamp"}:
        reader.fault(node.line, where, f"is read as {node.kind} by YAML; put it in quotes if it is a text")
    else:
        return node.text
    return None


def _checked(check: Callable[[str, str], None]) -> Rule:
    def rule(reader: Reader, node: Node, where: str) -> Value:
        text = _text(reader, node, where)
        if text is None:
            return None
        try:
            check(where, text)
        except InvalidEvent as fault:
            reader.fault(node.line, where, fault.message)
            return None
        return text

    return rule


name: Final = _checked(check_name)
key: Final = _checked(check_key)
selector: Final = _checked(check_selector)
_bounded_text: Final = _checked(check_text)


def short_text(reader: Reader, node: Node, where: str) -> Value:
    """A text for people that is not empty, within the event's limit, white space at its ends taken off."""
    text = _bounded_text(reader, node, where)
    if not isinstance(text, str):
        return None
    if not text.strip():
        reader.fault(node.line, where, "is empty; write the text or leave the field out")
    return text.strip()


def integer(reader: Reader, node: Node, where: str) -> Value:
    """A whole number from 1 on, in decimal digits."""
    if isinstance(node, Scalar) and node.kind == "int" and _INTEGER.fullmatch(node.text):
        number = int(node.text)
        if number <= INTEGER_MAX:
            return number
    reader.fault(node.line, where, f"must be a whole number from 1 to {INTEGER_MAX}, in digits alone")
    return None


def truth(reader: Reader, node: Node, where: str) -> Value:
    """``true`` or ``false``, and none of YAML's other words for them."""
    if isinstance(node, Scalar) and node.kind == "bool" and node.text in {"true", "false"}:
        return node.text == "true"
    reader.fault(node.line, where, "must be true or false")
    return None


def _converted(convert: Callable[[str], str]) -> Rule:
    def rule(reader: Reader, node: Node, where: str) -> Value:
        text = _text(reader, node, where)
        if text is None:
            return None
        try:
            return convert(text)
        except ValueError as fault:
            reader.fault(node.line, where, str(fault))
            return None

    return rule


instant: Final = _converted(lambda text: format_instant(parse_instant(text)))
duration: Final = _converted(lambda text: format_duration(parse_duration(text)))


def choice_of(*words: str) -> Rule:
    """One of these words."""

    def rule(reader: Reader, node: Node, where: str) -> Value:
        if isinstance(node, Scalar) and node.text in words:
            return node.text
        reader.fault(node.line, where, f"must be one of {_listed(words)}")
        return None

    return rule


def list_of(item: Rule) -> Rule:
    """A list of such items; an empty one names nothing."""

    def rule(reader: Reader, node: Node, where: str) -> Value:
        if isinstance(node, Sequence):
            return [item(reader, inner, f"{where}[{n}]") for n, inner in enumerate(node.items)]
        reader.fault(node.line, where, "must be a list; write [a, b], or one item a line after '- '")
        return None

    return rule


def distinct(items: Rule) -> Rule:
    """A list in which no text stands twice."""

    def rule(reader: Reader, node: Node, where: str) -> Value:
        values = items(reader, node, where)
        if isinstance(node, Sequence) and isinstance(values, list):
            report_repeats(reader, where, zip(node.items, values, strict=True))
        return values

    return rule


def report_repeats(reader: Reader, where: str, named: Iterable[tuple[Node, Value]]) -> None:
    """Note a fault for each node whose name was there before."""
    first: dict[str, int] = {}
    for node, value in named:
        if not isinstance(value, str):
            continue
        if value in first:
            reader.fault(node.line, where, f"names `{value}` twice, first on line {first[value]}; keep one")
        first.setdefault(value, node.line)


def mapping_of(rules: dict[str, Rule], required: Collection[str] = ()) -> Rule:
    """A mapping with these fields, read in the order of ``rules``. What is null is taken as left out."""

    def rule(reader: Reader, node: Node, where: str) -> Value:
        if not isinstance(node, Mapping):
            reader.fault(node.line, where, f"must be a mapping with the fields {_listed(rules)}")
            return None
        entries = {entry.key: entry for entry in node.entries}
        for entry in node.entries:
            if entry.key not in rules:
                _report_unknown(reader, entry, where, rules)
        values: dict[str, Value] = {}
        for field_name, field_rule in rules.items():
            given = entries.get(field_name)
            if given is not None and not _is_null(given):
                values[field_name] = field_rule(reader, given.value, path_to(where, field_name))
            elif field_name in required:
                line = node.line if given is None else given.line
                reader.fault(line, path_to(where, field_name), "is missing; it must be given")
        return values

    return rule


def _report_unknown(reader: Reader, entry: Entry, where: str, known: Collection[str]) -> None:
    """Note an unknown field, by name where it looks like one: keys too may hold what they should not."""
    if may_be_shown(entry.key):
        message = f"is no field here; {_hint(entry.key, known)}"
        reader.fault(entry.line, path_to(where, entry.key), message)
    else:
        reader.fault(entry.line, where, f"holds an unknown field; there are {_listed(known)}")


def table_of(key_rule: Rule, value_rule: Rule) -> Rule:
    """A mapping from names of the writer's choosing to values of one kind."""

    def rule(reader: Reader, node: Node, where: str) -> Value:
        if not isinstance(node, Mapping):
            reader.fault(node.line, where, "must be a mapping from names to values")
            return None
        values: dict[str, Value] = {}
        for entry in node.entries:
            inner = path_to(where, entry.key)
            key_rule(reader, Scalar(line=entry.line, text=entry.key, kind="str"), inner)
            values[entry.key] = value_rule(reader, entry.value, inner)
        return values

    return rule


def registry_of(registry: str, rules: dict[str, Rule]) -> Rule:
    """A registry: names with a title, which other fields of the file may then refer to."""
    table = table_of(name, mapping_of({"title": short_text, **rules}, required=("title",)))

    def rule(reader: Reader, node: Node, where: str) -> Value:
        values = table(reader, node, where)
        if isinstance(values, dict):
            # An entry with a fault of its own still exists: a reference to it is no second fault.
            reader.registries[registry] = {entry: value or {} for entry, value in values.items()}
        return values

    return rule


def reference_to(registry: str) -> Rule:
    """The name of an entry of that registry, which must be read before."""

    def rule(reader: Reader, node: Node, where: str) -> Value:
        text = name(reader, node, where)
        known = reader.registries.get(registry, {})
        if isinstance(text, str) and text not in known:
            hint = _hint(text, known)
            reader.fault(node.line, where, f"`{text}` is not in `{registry}`; {hint}, or add it there")
        return text

    return rule


def _is_null(entry: Entry) -> bool:
    return isinstance(entry.value, Scalar) and entry.value.kind == "null"


def _hint(word: str, known: Collection[str]) -> str:
    close = get_close_matches(word, known, n=1)
    return f"did you mean `{close[0]}`?" if close else f"there are {_listed(known)}"


def _listed(words: Iterable[str]) -> str:
    return ", ".join(f"`{word}`" for word in words) or "none"
