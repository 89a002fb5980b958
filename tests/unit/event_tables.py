"""The tables of `docs/reference/events.md`, as the schemas and types have them."""

from collections.abc import Iterator
from typing import Any, get_args

import msgspec

from events.envelope import Actor, PolicyStreamEvent
from events.individual_events import Evidence
from events.line_fields import DURATION_FIELDS, plan_of
from events.record_events import ReliedDecision
from events.terms import STRICTNESS, Recipient, Terms, TransferBasis
from events.union import EVENT_TYPES, IndividualEvent, PolicyEvent
from events.writer_schemas import load_schema

HEADER = "| field | in a line | | meaning |\n|---|---|---|---|\n"
PARTS: dict[str, tuple[str, type[msgspec.Struct]]] = {
    "Actor": ("ChoiceMade", Actor),
    "Evidence": ("ChoiceMade", Evidence),
    "ReliedDecision": ("DisclosureMade", ReliedDecision),
    "Terms": ("PolicyAmended", Terms),
    "Recipient": ("PolicyAmended", Recipient),
    "TransferBasis": ("PolicyAmended", TransferBasis),
}
"""Structs within events: a type that has each, and the struct. They are described once."""

MAPS = {"PolicyVersion": "map of policy id to version", "Wording": "map of locale to SHA-256 digest"}
PLAIN = {"string": "text", "int": "integer", "boolean": "true or false", "bytes": "base64"}
OF_BYTES_ALONE = (
    " Microseconds since 1970-01-01T00:00:00Z.",
    (
        " False permits less, so false is what an absent or older record means;"
        " a byte other than 0 or 1 is refused."
    ),
    " False permits less; a byte other than 0 or 1 is refused.",
)
"""Ends of a schema's sentences that the document says once, in its chapter on bytes."""

MODES = ", ".join(f"`{mode}`" for mode in STRICTNESS)
"""The one type that a schema uses again by its name: a recipient's mode."""

STATED_DEFAULTS = {"medium": "`api`", "actor": "the individual", "meaning": "1", "role": "`third_party`"}


def common_table() -> str:
    """The fields that every event has (the individual, where its stream is theirs)."""
    common = set(plan_of(PolicyStreamEvent).names) | {"recorded_at", "individual"}
    fields = load_schema("ChoiceMade").source["fields"]
    rows = [row(field, EVENT_TYPES["ChoiceMade"]) for field in fields if field["name"] in common]
    return HEADER + "".join(rows)


def event_table(name: str) -> str:
    """What one event type says: its sentence, and its own fields in their order in the bytes."""
    source = load_schema(name).source
    common = set(plan_of(PolicyStreamEvent).names) | {"recorded_at", "individual"}
    rows = [row(field, EVENT_TYPES[name]) for field in source["fields"] if field["name"] not in common]
    return f"### `{name}`\n{source['doc']}\n\n{HEADER}{''.join(rows)}"


def part_table(name: str) -> str:
    """What one struct within events says."""
    type_name, struct = PARTS[name]
    source = next(part for part in records(load_schema(type_name).source) if part["name"] == name)
    rows = [row(field, struct) for field in source["fields"]]
    return f"### `{name}`\n{source['doc']}\n\n{HEADER}{''.join(rows)}"


def tables() -> Iterator[tuple[str, str]]:
    """Every table by the name of its heading, in the order of the document."""
    yield "What every event carries", common_table()
    for kind in (*get_args(PolicyEvent), *get_args(IndividualEvent)):
        yield kind.__name__, event_table(kind.__name__)
    for name in PARTS:
        yield name, part_table(name)


def row(field: dict[str, Any], kind: type[msgspec.Struct]) -> str:
    name = field["name"]
    form = duration(field) if name in DURATION_FIELDS else in_a_line(field["type"])
    return f"| `{name}` | {form} | {need(name, kind)} | {said(field['doc'])} |\n"


def said(doc: str) -> str:
    """What a schema says of a field, without what holds of its form in bytes alone."""
    for sentence in OF_BYTES_ALONE:
        doc = doc.removesuffix(sentence)
    return doc


def need(name: str, kind: type[msgspec.Struct]) -> str:
    """Whether a line must have the field, and what leaving it out says."""
    if name == "recorded_at":
        return "import only"
    if name not in plan_of(kind).optional:
        return "required"
    if name in STATED_DEFAULTS:
        return f"default {STATED_DEFAULTS[name]}"
    return "optional"


def duration(field: dict[str, Any]) -> str:
    assert field["type"] == ["null", "long"], field["name"]
    return "ISO 8601 duration or null"


def in_a_line(type_: Any) -> str:
    """How a line writes a value of an Avro type."""
    if isinstance(type_, list):
        return f"{in_a_line(type_[1])} or null"
    if isinstance(type_, str):
        return PLAIN.get(type_, MODES)
    if type_["type"] == "array":
        return list_of(type_["items"])
    if type_["type"] == "enum":
        return ", ".join(f"`{symbol}`" for symbol in type_["symbols"])
    if type_["type"] == "record":
        return f"object: {type_['name']}"
    assert type_ == {"type": "long", "logicalType": "timestamp-micros"}
    return "RFC 3339 instant"


def list_of(items: Any) -> str:
    if isinstance(items, dict):
        return MAPS.get(items["name"], f"list of {items['name']}")
    return f"list of {PLAIN[items]}s"


def records(schema: Any) -> Iterator[dict[str, Any]]:
    """Every record in a schema, itself included."""
    if isinstance(schema, list):
        for item in schema:
            yield from records(item)
    elif isinstance(schema, dict):
        if schema.get("type") == "record":
            yield schema
        for key in ("fields", "type", "items"):
            yield from records(schema.get(key))
