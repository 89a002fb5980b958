"""What holds of the codec and of the lines for every event, and for any bytes at all."""

from io import BytesIO
from typing import Any

import pytest
from fastavro import schemaless_reader, schemaless_writer
from hypothesis import example, given, settings
from hypothesis import strategies as st

from events.canonical_bytes import NotCanonical, check_canonical
from events.codec import UndecodableRecord, decode, decode_verified, encode, fingerprint_of, released_schemas
from events.individual_events import ChoiceMade
from events.lines import InvalidLine, event_from_fields, event_to_fields, format_line, parse_line
from events.streams import RECORD_BYTES_MAX
from events.union import EVENT_TYPES, Event, Recorded
from events.writer_schemas import SINGLE_OBJECT_MARKER, WriterSchema
from tests.strategies import recorded

HEADER_BYTES = 10
SCHEMAS = {schema.header: schema for schema in released_schemas()}
REASONS = {
    "not_bytes",
    "too_large",
    "not_single_object",
    "unknown_schema",
    "not_canonical",
    "not_text",
    "invalid_event",
}


def re_encodes(schema: WriterSchema, body: bytes) -> bool:
    """Whether bytes re-encode to themselves by fastavro alone: the rule that the guard stands for."""
    try:
        fields = schemaless_reader(BytesIO(body), schema.coding, None)
        buffer = BytesIO()
        schemaless_writer(buffer, schema.coding, fields)
    except (EOFError, ValueError, IndexError, OverflowError, TypeError, StopIteration, MemoryError):
        return False
    return buffer.getvalue() == body


def guard_passes(schema: WriterSchema, body: bytes) -> bool:
    """Whether the guard lets bytes reach the decoder, and they hold no text that is not UTF-8."""
    try:
        check_canonical(body, 0, schema.walk)
        schemaless_reader(BytesIO(body), schema.coding, None)
    except (NotCanonical, UnicodeDecodeError):
        return False
    return True


def decoded(value: bytes) -> Recorded | str:
    """What decoding gives: an event, or the reason of the refusal."""
    try:
        return decode(value)
    except UndecodableRecord as fault:
        return fault.reason


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A record's bytes with up to four small wounds behind its fingerprint."""
    value = bytearray(encode(draw(recorded())))
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(HEADER_BYTES, len(value) - 1))
        wound: Any = draw(st.sampled_from(("flip", "set", "cut", "insert", "drop", "repeat")))
        if wound == "flip":
            value[at] ^= 1 << draw(st.integers(0, 7))
        elif wound == "set":
            value[at] = draw(st.sampled_from((0, 1, 2, 3, 0x7F, 0x80, 0xFF)))
        elif wound == "cut":
            del value[at:]
        elif wound == "insert":
            value[at:at] = draw(st.binary(min_size=1, max_size=11))
        elif wound == "drop":
            del value[at]
        else:
            value[at:at] = value[at : at + 12]
        if len(value) <= HEADER_BYTES:
            break
    return bytes(value)


@given(recorded())
def test_codec_round_trip(one: Recorded) -> None:
    """Decoding what was encoded gives the same event, and encoding that gives the same bytes."""
    value = encode(one)
    assert value.startswith(SINGLE_OBJECT_MARKER + fingerprint_of(type(one.event)))
    assert decode(value) == one
    assert encode(decode_verified(value)) == value


@given(recorded())
def test_line_round_trip(one: Recorded) -> None:
    """Reading what was written as a line gives the same event, and writing that gives the same line."""
    line = format_line(one)
    read = parse_line(line)
    assert (read.event, read.recorded_at) == (one.event, one.recorded_at)
    assert format_line(Recorded(read.event, one.recorded_at)) == line
    assert line.startswith(f'{{"type":"{type(one.event).__name__}",'.encode())
    assert b"\n" not in line


@given(recorded())
def test_fields_round_trip(one: Recorded) -> None:
    """An event's fields give the event back, and are not changed by that."""
    fields = event_to_fields(one.event)
    before = repr(fields)
    assert event_from_fields(fields) == one.event
    assert repr(fields) == before


@given(recorded())
def test_bytes_and_lines_agree(one: Recorded) -> None:
    """An event that went through its bytes has the line that it had before."""
    assert format_line(decode_verified(encode(one))) == format_line(one)


@given(st.binary(max_size=200), st.sampled_from(sorted(SCHEMAS)), st.booleans())
@example(b"", b"", True)
def test_any_bytes_are_an_event_or_refused(body: bytes, header: bytes, headed: bool) -> None:
    """Whatever the bytes, decoding gives a recorded event or UndecodableRecord with a known reason."""
    outcome = decoded(header + body if headed else body)
    assert outcome in REASONS or isinstance(outcome, Recorded)


@given(damaged())
def test_damage_is_refused_or_is_another_record(value: bytes) -> None:
    """Damaged bytes are refused, or they are, byte for byte, what a writer would write for what is read."""
    try:
        one = decode_verified(value)
    except UndecodableRecord:
        return
    schema = SCHEMAS[value[:HEADER_BYTES]]
    assert re_encodes(schema, value[HEADER_BYTES:])
    if fingerprint_of(type(one.event)) == schema.fingerprint:
        assert encode(one) == value


@given(damaged())
def test_guard_is_the_re_encoding_rule(value: bytes) -> None:
    """The guard lets pass what re-encodes to itself by fastavro, and nothing else."""
    schema = SCHEMAS[value[:HEADER_BYTES]]
    body = value[HEADER_BYTES:]
    if len(value) > RECORD_BYTES_MAX:
        return
    assert guard_passes(schema, body) == (re_encodes(schema, body) and not has_wide_number(schema, body))


def has_wide_number(schema: WriterSchema, body: bytes) -> bool:
    """Whether a number above 62 bits stands in the fields: fastavro writes it, and no event may have it."""

    def wide(value: Any) -> bool:
        if isinstance(value, dict):
            return any(map(wide, value.values()))
        if isinstance(value, list):
            return any(map(wide, value))
        return type(value) is int and not -(2**62) <= value < 2**62

    return wide(schemaless_reader(BytesIO(body), schema.coding, None))


@given(recorded(ChoiceMade), st.data())
def test_damaged_opt_out_is_no_opt_in(one: Recorded, data: st.DataObject) -> None:
    """No byte that is not exactly an opt-in's, in the place of the decision, reads as an opt-in."""
    refusal = Recorded(_as_opt_out(one.event), one.recorded_at)
    value = bytearray(encode(refusal))
    at = _decision_at(refusal)
    value[at] = data.draw(st.integers(0, 255).filter(lambda byte: byte != 0))
    try:
        read = decode_verified(bytes(value)).event
    except UndecodableRecord:
        return
    assert isinstance(read, ChoiceMade)
    assert read.decision == "opt_out"


def _as_opt_out(event: Any) -> ChoiceMade:
    fields = {name: getattr(event, name) for name in event.__struct_fields__}
    return ChoiceMade(**{**fields, "decision": "opt_out"})


def _decision_at(one: Recorded) -> int:
    """Where the decision stands: the one byte in which the same choice as an opt-in differs."""
    fields = {name: getattr(one.event, name) for name in one.event.__struct_fields__}
    other = ChoiceMade(**{**fields, "purposes": ("a",), "decision": "opt_in"})
    this = ChoiceMade(**{**fields, "purposes": ("a",), "decision": "opt_out"})
    left, right = encode(Recorded(other, one.recorded_at)), encode(Recorded(this, one.recorded_at))
    return next(at for at, pair in enumerate(zip(left, right, strict=True)) if pair[0] != pair[1])


@given(st.binary(max_size=300) | st.text(max_size=200).map(str.encode))
def test_any_bytes_are_a_line_or_refused(raw: bytes) -> None:
    """Whatever the bytes, reading a line gives an event or InvalidLine."""
    with pytest.raises(InvalidLine):
        parse_line(raw)


@given(recorded(), st.data())
def test_damaged_line_is_refused_without_its_values(one: Recorded, data: st.DataObject) -> None:
    """A line whose field became a strange text is refused, and the refusal does not repeat that text."""
    fields = event_to_fields(one.event)
    name = data.draw(st.sampled_from(sorted(fields)))
    strange = "str@nge/ \x07ly"
    outcome = taken({**fields, name: strange})
    if isinstance(outcome, InvalidLine):
        assert "nge" not in str(outcome)
        assert outcome.field == name
    else:
        assert event_to_fields(outcome)[name] == strange


def taken(fields: Any) -> Event | InvalidLine:
    """What an event's fields give: the event, or the refusal."""
    try:
        return event_from_fields(fields)
    except InvalidLine as fault:
        return fault


@pytest.mark.parametrize("kind", EVENT_TYPES.values(), ids=EVENT_TYPES)
@settings(max_examples=5)
@given(data=st.data())
def test_every_type_is_drawn(kind: type[Event], data: st.DataObject) -> None:
    """Each event type has a strategy, so that the properties above speak of all of them."""
    one = data.draw(recorded(kind))
    assert type(one.event) is kind
    assert decode(encode(one)) == one
