"""The codec's refusals, each with its reason, at each limit and past it; and the headers beside the bytes."""

from datetime import UTC, datetime
from io import BytesIO
from typing import Any

import msgspec
import pytest
from cloudevents.core.bindings.kafka import KafkaMessage, from_binary_event
from fastavro import schemaless_writer

from events.cloudevents import CONTENT_TYPE, SHARED_MAX, headers
from events.codec import (
    RecordTooLarge,
    UndecodableRecord,
    decode,
    decode_verified,
    encode,
    fingerprint_of,
)
from events.envelope import Actor, InvalidEvent
from events.individual_events import ChoiceMade, IndividualErased, NoticeGiven
from events.policy_events import PolicyAmended, SafeguardWaived
from events.streams import RECORD_BYTES_MAX
from events.union import Recorded
from events.writer_schemas import load_schema
from tests.contract.sample_events import event_of_size
from tests.strategies import uuid_of

AT = 1_777_798_800_000_000
COMMON: dict[str, Any] = {"event_id": uuid_of(1), "tenant": "acme", "occurred_at": AT}
OPT_OUT = ChoiceMade(
    **COMMON, individual="ana", decision="opt_out", purposes=("a",), versions={"p": 2, "a": 1, "é": 3}
)
VALUE = encode(Recorded(OPT_OUT, AT))


def reason_of(value: Any) -> str:
    with pytest.raises(UndecodableRecord) as refusal:
        decode_verified(value)
    assert refusal.value.reason in str(refusal.value)
    return refusal.value.reason


def written(name: str, fields: dict[str, Any], version: int | None = None) -> bytes:
    """Bytes of any fields, well-formed Avro of that schema whatever they say."""
    schema = load_schema(name, version)
    buffer = BytesIO()
    buffer.write(schema.header)
    schemaless_writer(buffer, schema.coding, fields, disable_tuple_notation=True)
    return buffer.getvalue()


def fields_of(recorded: Recorded, **changed: Any) -> dict[str, Any]:
    fields = msgspec.to_builtins(recorded.event)
    return {**fields, "recorded_at": recorded.recorded_at, **changed}


def test_the_sample_is_read_back() -> None:
    """The bytes that the refusals below start from are a good record, its map sorted by key."""
    assert decode(VALUE) == Recorded(OPT_OUT, AT)
    assert VALUE.index(b"\x02a\x02") < VALUE.index(b"\x02p\x04") < VALUE.index("é".encode())


@pytest.mark.parametrize("value", [None, "text", bytearray(VALUE), memoryview(VALUE), 7])
def test_only_bytes_are_a_value(value: Any) -> None:
    """A null value (a tombstone) and anything else that is not bytes is refused, not a crash."""
    assert reason_of(value) == "not_bytes"


def test_a_record_has_a_limit() -> None:
    """A record of exactly the limit is written and read; of one byte more it is neither."""
    longest = Recorded(event_of_size(AT, RECORD_BYTES_MAX), AT)
    value = encode(longest)
    assert len(value) == RECORD_BYTES_MAX
    assert decode(value) == longest
    with pytest.raises(RecordTooLarge) as refusal:
        encode(Recorded(event_of_size(AT, RECORD_BYTES_MAX + 1), AT))
    assert (refusal.value.size, refusal.value.limit) == (RECORD_BYTES_MAX + 1, RECORD_BYTES_MAX)
    assert reason_of(value + b"\x00") == "too_large"


@pytest.mark.parametrize("value", [b"", b"\xc3", b"\xc3\x01", VALUE[:9], b"\xc3\x02" + VALUE[2:], b"{}" * 9])
def test_a_value_begins_with_marker_and_fingerprint(value: bytes) -> None:
    """Without C3 01 and eight bytes more, it is no single-object encoding."""
    assert reason_of(value) == "not_single_object"


def test_an_unknown_fingerprint_is_refused() -> None:
    """A schema that was never released is not guessed at."""
    assert reason_of(VALUE[:2] + b"\x00" * 8 + VALUE[10:]) == "unknown_schema"


@pytest.mark.parametrize("value", [VALUE[:-1], VALUE + b"\x00", VALUE[:10], VALUE[:10] + b"\x80\x00"])
def test_other_lengths_are_refused(value: bytes) -> None:
    """Cut bytes, trailing bytes and roundabout numbers are refused."""
    assert reason_of(value) == "not_canonical"


def test_text_must_be_utf_8() -> None:
    """Bytes that are no UTF-8 in a text's place are refused."""
    assert reason_of(VALUE.replace(b"acme", b"ac\xffe")) == "not_text"


@pytest.mark.parametrize(
    "pairs", [[("b", 1), ("a", 1)], [("a", 1), ("a", 1)], [("a", 1), ("b", 1), ("b", 2)]]
)
def test_a_map_is_sorted_and_names_each_key_once(pairs: list[tuple[str, int]]) -> None:
    """An array that stands for a map is refused out of order, and with a key twice."""
    versions = [{"policy_id": key, "version": version} for key, version in pairs]
    assert reason_of(written("ChoiceMade", fields_of(Recorded(OPT_OUT, AT), versions=versions))) == (
        "not_canonical"
    )


@pytest.mark.parametrize(
    "changed",
    [
        {"tenant": "No Tenant"},
        {"event_id": "x"},
        {"individual": "ana@example.org"},
        {"occurred_at": AT + 1},
        {"recorded_at": 2**61},
        {"actor": {"kind": "agent", "id": "a/b"}},
        {"decision": "opt_in", "purposes": ["*"]},
    ],
)
def test_what_an_event_may_not_say_is_refused(changed: dict[str, Any]) -> None:
    """Well-formed bytes whose fields no event may have are refused, without repeating the field."""
    value = written("ChoiceMade", fields_of(Recorded(OPT_OUT, AT), **{"versions": None, **changed}))
    assert reason_of(value) == "invalid_event"
    with pytest.raises(UndecodableRecord) as refusal:
        decode(value)
    assert "example.org" not in str(refusal.value)


def test_a_bad_byte_in_a_boolean_is_not_true() -> None:
    """The decoder alone takes any byte but 0 for true, which permits more; the guard refuses it."""
    event = NoticeGiven(**COMMON, individual="ana", notice_id="n", policy_id="p", version=1)
    value = encode(Recorded(event, AT))
    place = next(
        at
        for at, pair in enumerate(
            zip(
                value,
                encode(Recorded(msgspec.structs.replace(event, choice_offered=True), AT)),
                strict=True,
            )
        )
        if pair[0] != pair[1]
    )
    assert reason_of(value[:place] + b"\x02" + value[place + 1 :]) == "not_canonical"


def test_an_event_of_the_wrong_types_is_not_written() -> None:
    """What could not be read back is never written: such an event is refused by the name of its type."""
    wrong: Any = ["maybe"]
    event = ChoiceMade(**COMMON, individual="ana", decision=wrong[0], purposes=("a",))
    with pytest.raises(InvalidEvent, match="ChoiceMade") as refusal:
        encode(Recorded(event, AT))
    assert "maybe" not in str(refusal.value)


def test_superseded_schema_is_read() -> None:
    """A notice written by version 1 of its schema is read, with what it did not say."""
    event = NoticeGiven(**COMMON, individual="ana", notice_id="n", policy_id="p", version=1)
    value = written("NoticeGiven", fields_of(Recorded(event, AT)), version=1)
    assert value[2:10] != fingerprint_of(NoticeGiven)
    assert decode_verified(value) == Recorded(event, AT)


def read_as_cloudevent(recorded: Recorded) -> Any:
    """What the CloudEvents library reads from the headers, key and value of a Kafka record."""
    value, key = encode(recorded), recorded.event.key.encode()
    return from_binary_event(KafkaMessage(headers=dict(headers(recorded)), key=key, value=value))


@pytest.mark.parametrize(
    "event",
    [
        OPT_OUT,
        PolicyAmended(**COMMON, policy_id="p", version=1, effective_at=AT),
        SafeguardWaived(**COMMON, what="w", why="y"),
    ],
)
def test_headers_are_a_cloudevent(event: Any) -> None:
    """The CloudEvents library reads the headers as version 1.0, and the value as it is."""
    recorded = Recorded(event, AT + 5)
    read = read_as_cloudevent(recorded)
    assert read.get_specversion() == "1.0"
    assert read.get_id() == event.event_id
    assert read.get_type() == f"org.choiceledger.events.{type(event).__name__}"
    assert read.get_time() == datetime(2026, 5, 3, 9, tzinfo=UTC)
    assert read.get_datacontenttype() == CONTENT_TYPE
    assert read.get_dataschema().endswith(fingerprint_of(type(event)).hex())
    assert read.get_source() in ("/choice-ledger/individuals/acme", "/choice-ledger/policies/acme")
    assert read.get_data() == encode(recorded)


def test_headers_do_not_name_the_individual() -> None:
    """No header holds the individual, the actor, or anything else of the content."""
    event = IndividualErased(
        **COMMON, individual="theodora7", actor=Actor(kind="agent", id="nikephoros9"), reason="asked"
    )
    said = b" ".join(name.encode() + value for name, value in headers(Recorded(event, AT)))
    assert b"theodora7" not in said
    assert b"nikephoros9" not in said
    assert b"asked" not in said


def test_headers_are_their_own_tenants() -> None:
    """Each tenant's events have that tenant's headers, also with more tenants than are kept at hand."""
    names = [f"tenant-{number}" for number in range(SHARED_MAX + 1)]
    for tenant in (*names, *names):
        event = msgspec.structs.replace(OPT_OUT, tenant=tenant)
        source = dict(headers(Recorded(event, AT)))["ce_source"]
        assert source == f"/choice-ledger/individuals/{tenant}".encode()
