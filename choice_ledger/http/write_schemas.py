"""JSON Schemas of what a client writes: the fields of the event types, as a line shows them.

They follow from the types of ``events`` and from the checks in ``events.envelope``; the words come from the
Avro schemas. What no schema can say (bytes of UTF-8, normalisation form C) the ledger refuses all the same.
"""

import types
from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any, Final, Literal, TypeAlias, Union, get_args, get_origin

import msgspec

from choice_ledger.http.write_bodies import MEDIA, SPEAKERS, Form
from events.envelope import NAME_BYTES_MAX, TEXT_BYTES_MAX, VERSION_MAX
from events.line_fields import DURATION_FIELDS, INSTANT_FIELDS
from events.record_events import CIPHERTEXT_BYTES_MAX
from events.union import Event
from events.writer_schemas import load_schema

Schema: TypeAlias = dict[str, Any]

UUID: Final[Schema] = {
    "type": "string",
    "format": "uuid",
    "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$",
}
"""An event's id."""

INSTANT: Final[Schema] = {
    "type": "string",
    "format": "date-time",
    "pattern": r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,6})?(Z|[+-]00:00)$",
}
"""An instant: RFC 3339 in UTC."""

DURATION: Final[Schema] = {
    "type": "string",
    "format": "duration",
    "pattern": "^P([0-9]{1,9}W|(?=[0-9T])([0-9]{1,9}D)?"
    r"(T(?=[0-9])([0-9]{1,9}H)?([0-9]{1,9}M)?([0-9]{1,9}(\.[0-9]{1,6})?S)?)?)$",
}
"""A duration: ISO 8601 in weeks, days, hours, minutes and seconds, at most 100 years."""

SHA256: Final[Schema] = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
"""A digest."""

KEY: Final[Schema] = {
    "type": "string",
    "maxLength": NAME_BYTES_MAX,
    "pattern": r"^[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*$",
}
"""A purpose key."""

SELECTOR: Final[Schema] = {**KEY, "pattern": r"^(\*|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*)$"}
"""A purpose key, a branch of the tree, or ``*``."""

_CONTROLS: Final = r"\u0000-\u001f\u007f-\u009f\u2028\u2029"

NAME: Final[Schema] = {
    "type": "string",
    "minLength": 1,
    "maxLength": NAME_BYTES_MAX,
    "pattern": f"^[^{_CONTROLS}]+$",
}
"""A name: at most 128 bytes of text in normalisation form C, without control characters."""

INDIVIDUAL: Final[Schema] = {**NAME, "pattern": rf"^[^{_CONTROLS}/@\s]+$"}
"""A pseudonymous id."""

TEXT: Final[Schema] = {"type": "string", "maxLength": TEXT_BYTES_MAX}
"""A short text without personal data, of at most 8,192 bytes."""

VERSION: Final[Schema] = {"type": "integer", "minimum": -VERSION_MAX, "maximum": VERSION_MAX}
"""A version, or a purpose's meaning."""

CIPHERTEXT: Final[Schema] = {
    "type": "string",
    "contentEncoding": "base64",
    "maxLength": 4 * -(-CIPHERTEXT_BYTES_MAX // 3),
}
"""Bytes in base64."""

_BY_NAME: Final[dict[str, Schema]] = {
    **dict.fromkeys(("event_id", "caused_by", "intent_id"), UUID),
    **dict.fromkeys(("sha256", "draft_sha256", "wording_sha256"), SHA256),
    **dict.fromkeys(INSTANT_FIELDS, INSTANT),
    **dict.fromkeys(DURATION_FIELDS, DURATION),
    **dict.fromkeys(("individual", "other"), INDIVIDUAL),
    **dict.fromkeys(("key", "replaces"), KEY),
    **dict.fromkeys(("purposes", "gpc_purposes"), SELECTOR),
    **dict.fromkeys(("title", "summary", "contact", "legal_basis", "legal_reference", "comment"), TEXT),
    **dict.fromkeys(("why", "how", "reason", "about", "applied"), TEXT),
    "detail": {**TEXT, "pattern": "^[^@]*$"},
    "purpose": KEY,
    "ciphertext": CIPHERTEXT,
}
"""What stands in a text (or in a list of texts) of that name; any other is a name."""

_BY_FIELD: Final[dict[tuple[str, str], Schema]] = {
    ("NoticeGiven", "purposes"): KEY,
    ("PersonalDataRead", "purpose"): NAME,
}
"""Where an event gives a name a meaning of its own."""

_SPOKEN_BY: Final = "Who spoke, where it was not the individual (for an officer's entry: not the officer)."
_MEDIUM: Final = "By which way. `email`, `mail` and `verbal` are an officer's entries."
_OCCURRED_AT: Final = "When it happened, where that was earlier than now: an officer's entry."
_EVENT_ID: Final = "The event's id, in place of an `Idempotency-Key`: sent again, it is the same event."
_CAUSED_BY: Final = "The event that this one follows from."
_FLAGS: Final = {"although_denied": "It happened, though it was not permitted."}


def body_schema(form: Form) -> Schema:
    """The schema of the bodies that a form reads."""
    needed = {info.encode_name for info in msgspec.structs.fields(form.kind) if info.required}
    words = descriptions(form.kind)
    properties = {name: _described(_field(form, name), words.get(name, "")) for name in form.fields}
    for name in needed & set(form.open):
        properties[name] = nullable(properties[name])
    properties |= {name: _described({"type": ["boolean", "null"]}, _FLAGS[name]) for name in form.flags}
    return {
        "type": "object",
        "properties": properties | _envelope(form),
        "required": [name for name in form.fields if name in needed and name not in form.open],
        "additionalProperties": False,
    }


def nullable(schema: Mapping[str, Any]) -> Schema:
    """The schema that takes null too."""
    if isinstance(schema.get("type"), str) and "enum" not in schema:
        return {**schema, "type": [schema["type"], "null"]}
    words = {name: value for name, value in schema.items() if name == "description"}
    return {"anyOf": [{n: v for n, v in schema.items() if n != "description"}, {"type": "null"}], **words}


def object_of(properties: Mapping[str, Schema], required: Iterable[str] | None = None) -> Schema:
    """An object that has these members and no other; all of them, unless it is said which."""
    names = list(properties) if required is None else list(required)
    return {
        "type": "object",
        "properties": dict(properties),
        "required": names,
        "additionalProperties": False,
    }


@cache
def descriptions(kind: type[Event]) -> Mapping[str, str]:
    """What each field of an event means, in the words of its Avro schema."""
    return {field["name"]: field.get("doc", "") for field in load_schema(kind.__name__).source["fields"]}


def _envelope(form: Form) -> Schema:
    own = {
        "event_id": _described(nullable(UUID), _EVENT_ID),
        "medium": _described(nullable({"type": "string", "enum": list(MEDIA)}), _MEDIUM),
        "occurred_at": _described(nullable(INSTANT), _OCCURRED_AT),
        "caused_by": _described(nullable(UUID), _CAUSED_BY),
    }
    if form.spoken:
        own["spoken_by"] = _described(nullable({"type": "string", "enum": list(SPEAKERS)}), _SPOKEN_BY)
    return own


def _described(schema: Schema, words: str) -> Schema:
    words = words.replace(" Microseconds since 1970-01-01T00:00:00Z.", "").replace(" Microseconds.", "")
    return {**schema, "description": words} if words else schema


def _field(form: Form, name: str) -> Schema:
    info = next(info for info in msgspec.structs.fields(form.kind) if info.encode_name == name)
    return _of(form.kind, info)


def _struct(kind: type[msgspec.Struct]) -> Schema:
    infos = msgspec.structs.fields(kind)
    properties = {info.encode_name: _of(kind, info) for info in infos}
    return object_of(properties, [info.encode_name for info in infos if info.required])


def _of(kind: type[msgspec.Struct], info: msgspec.structs.FieldInfo) -> Schema:
    schema = _value(kind, info.encode_name, _without_null(info.type))
    return schema if info.required else nullable(schema)  # Null says the default of a field that has one.


def _without_null(type_: Any) -> Any:  # noqa: ANN401 - a declared type
    if get_origin(type_) in {Union, types.UnionType}:
        return next(member for member in get_args(type_) if member is not type(None))
    return type_


def _value(kind: type[msgspec.Struct], name: str, type_: Any) -> Schema:  # noqa: ANN401 - a declared type
    origin = get_origin(type_)
    if origin is Literal:
        return {"type": "string", "enum": list(get_args(type_))}
    if origin is tuple:
        return {"type": "array", "items": _value(kind, name, get_args(type_)[0])}
    if origin is dict:
        inner = SHA256 if name == "wording" else VERSION
        return {"type": "object", "propertyNames": NAME, "additionalProperties": inner}
    if isinstance(type_, type) and issubclass(type_, msgspec.Struct):
        return _struct(type_)
    if type_ is bool:
        return {"type": "boolean"}
    if type_ is int and name not in INSTANT_FIELDS | DURATION_FIELDS:
        return VERSION
    return _BY_FIELD.get((kind.__name__, name), _BY_NAME.get(name, NAME))
