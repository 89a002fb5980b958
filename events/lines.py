"""Events as lines: one JSON object a line, as ``export`` writes them and ``import`` reads them.

Source: ``events.md``, *Lines*. The dict forms (``event_from_fields``, ``event_to_fields``) are the same
without the JSON, for commands and policy files. No error ever repeats a value: a line may hold what should
never have been in it.
"""

import codecs
import json
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import msgspec

from events.envelope import InvalidEvent
from events.instants import Micros, format_instant, parse_instant
from events.line_fields import Fields, InvalidField, Json, fields_of, struct_from
from events.streams import RECORD_BYTES_MAX
from events.union import EVENT_TYPES, Event, Recorded

LINE_BYTES_MAX: Final = 32 * RECORD_BYTES_MAX
"""Bytes of a line, its end not counted: 2 MiB. No record that fits its own limit makes a longer one (a
line's names and escapes take at most some twenty times the bytes of the record)."""


class InvalidLine(ValueError):
    """A line that is no event. ``field`` is a path such as ``purposes[2].choice_period``, empty for the line
    as a whole. Neither it nor the message repeats a value. Mend that field and import the line again.
    """

    def __init__(self, field: str, message: str) -> None:
        """Name the field and say what it must be."""
        super().__init__(f"`{field}` {message}" if field else message)
        self.field = field
        self.message = message


class Line(NamedTuple):
    """What a line says: the content, and when a ledger took it, if the line says so."""

    event: Event
    recorded_at: Micros | None


def parse_line(raw: bytes) -> Line:
    """The event of one line, with or without its line end.

    Raises InvalidLine for what is malformed: no JSON object in UTF-8, a name twice, a lone surrogate, an
    unknown type or field, a value that the field may not have, and ``occurred_at`` after ``recorded_at``.
    """
    fields = _object(raw)
    recorded_at = _recorded_at(fields.pop("recorded_at", None))
    event = event_from_fields(fields)
    if recorded_at is not None:
        _check_order(event, recorded_at)
    return Line(event, recorded_at)


def format_line(recorded: Recorded) -> bytes:
    """The line of a recorded event, without a line end: ``type`` first, every field, one canonical form."""
    fields = event_to_fields(recorded.event)
    head = {"type": fields["type"], "recorded_at": format_instant(recorded.recorded_at)}
    return msgspec.json.encode({**head, **fields})


def event_from_fields(fields: Mapping[str, Any]) -> Event:
    """The event that a line's fields stand for, ``type`` among them and ``recorded_at`` not.

    Raises InvalidLine. ``fields`` are left as they are; bytes may be bytes or base64 text.
    """
    content = dict(fields)
    kind = EVENT_TYPES.get(name) if isinstance(name := content.pop("type", None), str) else None
    if kind is None:
        raise InvalidLine("type", "must be the name of an event type, such as ChoiceMade")
    try:
        return struct_from(content, kind)
    except InvalidField as fault:
        raise InvalidLine(fault.field, fault.message) from None


def event_to_fields(event: Event) -> Fields:
    """The fields of a line for an event, ``type`` first, without ``recorded_at``."""
    return fields_of(event)


def _object(raw: bytes) -> Fields:
    if len(raw) > LINE_BYTES_MAX:
        raise InvalidLine("", f"the line is longer than {LINE_BYTES_MAX} bytes")
    if raw.startswith(codecs.BOM_UTF8):
        raise InvalidLine("", "the line begins with a byte-order mark; save the file as UTF-8 without one")
    try:
        fields = msgspec.json.decode(raw)
        _check_names(raw, fields)
    except UnicodeDecodeError:
        raise InvalidLine("", "the line is not UTF-8") from None
    except RecursionError:
        raise InvalidLine("", "the line nests too deeply") from None
    except msgspec.DecodeError:
        raise InvalidLine("", "the line is not one JSON object") from None
    if not isinstance(fields, dict):
        raise InvalidLine("", "the line is not one JSON object")
    return fields


def _check_names(raw: bytes, fields: Json) -> None:
    """Refuse an object that has a name twice, of which the decoder silently keeps the last.

    Each name brings one colon, and texts bring their own. What the decoder dropped is missing from what it
    kept, so the two hold equally many colons only if nothing was dropped. An escaped colon (U+003A) would
    upset the count; a line with an escape that could be one is read name by name instead.
    """
    if b"\\u003" in raw:
        json.loads(raw, object_pairs_hook=_unrepeated)
    elif raw.count(b":") != msgspec.json.encode(fields).count(b":"):
        raise InvalidLine("", "the line has a name twice in one object")


def _unrepeated(pairs: list[tuple[str, Any]]) -> None:
    if len({name for name, _ in pairs}) != len(pairs):
        raise InvalidLine("", "the line has a name twice in one object")


def _recorded_at(text: Json) -> Micros | None:
    if text is None:
        return None
    try:
        return parse_instant(text)
    except (TypeError, ValueError):
        raise InvalidLine("recorded_at", "must be an RFC 3339 instant in UTC, as text") from None


def _check_order(event: Event, recorded_at: Micros) -> None:
    try:
        Recorded(event, recorded_at)
    except InvalidEvent as fault:
        raise InvalidLine(fault.field, fault.message) from None
