"""Events as bytes: Avro single-object encoding (C3 01, the schema's CRC-64-AVRO fingerprint, the body).

Whatever the bytes, ``decode`` gives a valid event or raises UndecodableRecord, in time and memory bounded by
``RECORD_BYTES_MAX``. ``events.md``, *Bytes*: "Reading trusts nothing". What is not exactly what ``encode``
would have written with that schema is refused, not repaired, so that no damage decodes to a permit.
"""

from io import BytesIO
from itertools import pairwise
from typing import Any, Final, NamedTuple

import msgspec
from fastavro import schemaless_reader, schemaless_writer

from events.canonical_bytes import NotCanonical, check_canonical
from events.envelope import InvalidEvent
from events.streams import RECORD_BYTES_MAX
from events.union import EVENT_TYPES, Event, Recorded
from events.upcasters import SUPERSEDED, Fields, Superseded, Upcaster, upcaster_from
from events.writer_schemas import WriterSchema, load_schema

_HEADER_BYTES: Final = 10


class UndecodableRecord(ValueError):
    """Bytes that are no record of ours. ``reason`` is one of ``not_bytes``, ``too_large``,
    ``not_single_object``, ``unknown_schema``, ``not_canonical``, ``not_text``, ``invalid_event``. The message
    never repeats what the bytes hold. The projector quarantines such a record; ``doctor`` names it.
    """

    def __init__(self, reason: str, message: str) -> None:
        """Give the code and say what is wrong."""
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class RecordTooLarge(ValueError):
    """An event whose bytes exceed ``limit``. Store long texts by digest, and split what lists much."""

    def __init__(self, size: int, limit: int = RECORD_BYTES_MAX) -> None:
        """Say both sizes, in bytes."""
        super().__init__(f"the record takes {size} bytes, and may take {limit}: store long texts by digest")
        self.size = size
        self.limit = limit


class _Pairs(NamedTuple):
    """A field that is a map in the event and an array of records, sorted by key, in Avro."""

    field: str
    key: str
    value: str


_PAIRS: Final = {
    "ChoiceMade": _Pairs("versions", "policy_id", "version"),
    "PolicyAmended": _Pairs("wording", "locale", "sha256"),
}


class _Coding(NamedTuple):
    """All that coding a record of one schema takes. ``upcast`` is None for a schema that writes now."""

    kind: type[Event]
    schema: WriterSchema
    header: bytes
    pairs: _Pairs | None
    upcast: Upcaster | None


def encode(recorded: Recorded) -> bytes:
    """The bytes of a recorded event, by the newest schema of its type.

    Raises RecordTooLarge above ``RECORD_BYTES_MAX``, and InvalidEvent for an event whose fields are not of
    their declared types: what could not be read back is never written.
    """
    event = recorded.event
    coding = _WRITING[type(event)]
    fields: Fields = msgspec.to_builtins(event, builtin_types=(bytes,))
    _check_types(fields, coding.kind)
    fields["recorded_at"] = recorded.recorded_at
    if coding.pairs is not None:
        _to_pairs(fields, coding.pairs)
    buffer = BytesIO()
    buffer.write(coding.header)
    # A tuple in a nullable field must be an array: by default fastavro takes it for (type name, value).
    schemaless_writer(buffer, coding.schema.coding, fields, disable_tuple_notation=True)
    value = buffer.getvalue()
    if len(value) > RECORD_BYTES_MAX:
        raise RecordTooLarge(len(value))
    return value


def decode(value: bytes) -> Recorded:
    """The recorded event that the bytes hold, of any released schema, lifted to the current type.

    Raises UndecodableRecord, and nothing else, for anything that ``encode`` did not write.
    """
    if not isinstance(value, bytes):
        raise UndecodableRecord("not_bytes", "a record's value must be bytes; a null value is no event")
    if len(value) > RECORD_BYTES_MAX:
        raise UndecodableRecord("too_large", f"a record's value is at most {RECORD_BYTES_MAX} bytes")
    coding = _READING.get(value[:_HEADER_BYTES])
    if coding is None:
        raise _unknown(value)
    return _made(coding, _fields(coding.schema, value))


def decode_verified(value: bytes) -> Recorded:
    """The same, for bytes read from a log before they are first folded: they re-encode to themselves.

    ``decode`` accepts nothing but canonical bytes already, for every schema version, so there is no laxer
    form to choose by mistake; this name states at the call what the caller relies on.
    """
    return decode(value)


def fingerprint_of(kind: type[Event]) -> bytes:
    """The fingerprint of the schema that writes events of a type now (eight bytes, little-endian)."""
    return _WRITING[kind].schema.fingerprint


def released_schemas() -> tuple[WriterSchema, ...]:
    """Every schema that a record may have been written with, in no particular order."""
    return tuple(coding.schema for coding in _READING.values())


def _unknown(value: bytes) -> UndecodableRecord:
    if not value.startswith(b"\xc3\x01") or len(value) < _HEADER_BYTES:
        return UndecodableRecord("not_single_object", "a record begins with C3 01 and a fingerprint (Avro)")
    return UndecodableRecord("unknown_schema", "no released schema has this fingerprint; a newer version may")


def _fields(schema: WriterSchema, value: bytes) -> Fields:
    """The fields by the writer's schema. The guard runs first: the decoder would trust any count it reads."""
    try:
        check_canonical(value, _HEADER_BYTES, schema.walk)
        buffer = BytesIO(value)
        buffer.seek(_HEADER_BYTES)
        return schemaless_reader(buffer, schema.coding, None)  # type: ignore[return-value]  # A record is a dict.
    except NotCanonical as fault:
        raise UndecodableRecord("not_canonical", str(fault)) from None
    except UnicodeDecodeError:
        raise UndecodableRecord("not_text", "a text is not UTF-8") from None


def _made(coding: _Coding, fields: Fields) -> Recorded:
    if coding.upcast is not None:
        fields = coding.upcast(fields)
    recorded_at = fields.pop("recorded_at")
    if coding.pairs is not None:
        _from_pairs(fields, coding.pairs)
    try:
        return Recorded(msgspec.convert(fields, coding.kind), recorded_at)
    except msgspec.ValidationError as fault:
        raise UndecodableRecord("invalid_event", _said(fault)) from None
    except InvalidEvent as fault:
        raise UndecodableRecord("invalid_event", str(fault)) from None


def _said(fault: msgspec.ValidationError) -> str:
    """What one of our own checks said. Any other message could repeat a value."""
    cause = fault.__cause__
    return str(cause) if isinstance(cause, InvalidEvent) else "a field has no value that it may have"


def _check_types(fields: Fields, kind: type[Event]) -> None:
    try:
        msgspec.convert(fields, kind)
    except msgspec.ValidationError as fault:
        raise InvalidEvent(kind.__name__, f"cannot be written: {_said(fault)}") from None


def _to_pairs(fields: Fields, pairs: _Pairs) -> None:
    if fields[pairs.field] is not None:
        entries = sorted(fields[pairs.field].items())
        fields[pairs.field] = [{pairs.key: key, pairs.value: value} for key, value in entries]


def _from_pairs(fields: Fields, pairs: _Pairs) -> None:
    entries = fields[pairs.field]
    if entries is None:
        return
    keys = [entry[pairs.key] for entry in entries]
    if len(keys) > 1 and any(key >= following for key, following in pairwise(keys)):
        raise UndecodableRecord("not_canonical", f"`{pairs.field}` is not sorted, or names a key twice")
    fields[pairs.field] = {entry[pairs.key]: entry[pairs.value] for entry in entries}


def _coding(schema: WriterSchema, upcast: Upcaster | None) -> _Coding:
    name = schema.type_name
    return _Coding(EVENT_TYPES[name], schema, schema.header, _PAIRS.get(name), upcast)


def _released(row: Superseded) -> _Coding:
    schema = load_schema(row.type_name, row.version)
    if schema.fingerprint.hex() != row.fingerprint:
        raise ValueError(f"the released schema {row.type_name}.v{row.version}.avsc was changed; restore it")
    return _coding(schema, upcaster_from(row.type_name, row.version))


_WRITING: Final[dict[type[Any], _Coding]] = {
    kind: _coding(load_schema(name), None) for name, kind in EVENT_TYPES.items()
}
_READING: Final[dict[bytes, _Coding]] = {
    coding.header: coding for coding in (*_WRITING.values(), *(_released(row) for row in SUPERSEDED))
}
