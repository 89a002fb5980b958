"""Wounded records by the ten thousand: nothing crashes, and nothing is read that a writer did not write.

A seed reproduces a run. The same search is shown a decoder with a hole in it, and has to find the hole.
"""

import base64
import json
import tracemalloc
from collections import Counter
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from random import Random

import msgspec
import pytest
from fastavro import schemaless_reader, schemaless_writer

from events.codec import UndecodableRecord, decode_verified, released_schemas
from events.envelope import InvalidEvent
from events.union import EVENT_TYPES, Recorded
from events.upcasters import upcaster_from
from tests.simulation.byte_wounds import wounded

CORPUS = Path(__file__).parents[1] / "vectors" / "golden" / "records.json"
RECORDS = [base64.b64decode(entry["bytes"]) for entry in json.loads(CORPUS.read_text())]
SCHEMAS = {schema.header: schema for schema in released_schemas()}
HEADER_BYTES = 10
ROUNDS_CI = 30_000
ROUNDS_LONG = 3_000_000
PEAK_BYTES_MAX = 4 * 1024 * 1024
SEED = 20_261_123

Decoder = Callable[[bytes], Recorded]


def written_again(value: bytes) -> bytes | None:
    """What fastavro alone writes for what it reads from these bytes; None where it cannot read them."""
    schema = SCHEMAS[value[:HEADER_BYTES]]
    buffer = BytesIO(value[:HEADER_BYTES])
    buffer.seek(HEADER_BYTES)
    try:
        fields = schemaless_reader(BytesIO(value[HEADER_BYTES:]), schema.coding, None)
        schemaless_writer(buffer, schema.coding, fields, disable_tuple_notation=True)
    except (EOFError, ValueError, IndexError, OverflowError, TypeError, StopIteration, MemoryError):
        return None
    return buffer.getvalue()


def search(decode: Decoder, rounds: int, seed: int) -> tuple[Counter[str], list[bytes]]:
    """Wound golden records and decode them: how each round ended, and the bytes that were read unlawfully."""
    random, ends, unlawful = Random(seed), Counter[str](), []
    for _ in range(rounds):
        value = wounded(random.choice(RECORDS), random, spared=HEADER_BYTES * (random.random() < 0.95))
        try:
            assert isinstance(decode(value), Recorded)
        except UndecodableRecord as fault:
            ends[fault.reason] += 1
            continue
        ends["read"] += 1
        if written_again(value) != value:
            unlawful.append(value)
    return ends, unlawful


def decode_without_guard(value: bytes) -> Recorded:
    """The hole: fastavro's answer is believed, as a codec without the guard would."""
    schema = SCHEMAS.get(value[:HEADER_BYTES])
    if schema is None:
        raise UndecodableRecord("unknown_schema", "no such schema")
    try:
        fields = schemaless_reader(BytesIO(value[HEADER_BYTES:]), schema.coding, None)
        assert isinstance(fields, dict)
        fields = upcaster_from(schema.type_name, schema.version)(dict(fields))
        for name, key, to in (("versions", "policy_id", "version"), ("wording", "locale", "sha256")):
            if isinstance(fields.get(name), list):
                fields[name] = {pair[key]: pair[to] for pair in fields[name]}
        recorded_at = fields.pop("recorded_at")
        return Recorded(msgspec.convert(fields, EVENT_TYPES[schema.type_name]), recorded_at)
    except (
        *(EOFError, IndexError, OverflowError, StopIteration, MemoryError, UnicodeDecodeError),
        *(msgspec.ValidationError, InvalidEvent, ValueError, TypeError),
    ):
        raise UndecodableRecord("unreadable", "fastavro cannot read it") from None


def test_wounded_records_are_refused_or_lawful(long_run: bool, count: Callable[..., None]) -> None:
    """No wounded record crashes the decoder, and each that is read re-encodes to exactly its bytes."""
    rounds = ROUNDS_LONG if long_run else ROUNDS_CI
    ends, unlawful = search(decode_verified, rounds, SEED)
    assert unlawful == []
    count("wounded records", seed=SEED, records=rounds, lawful=ends["read"])
    for reason in ("read", "not_canonical", "invalid_event", "not_text", "unknown_schema"):
        assert ends[reason] > 50, f"the search hardly ever reached {reason}: {ends}"


def test_search_finds_a_decoder_without_a_guard() -> None:
    """Shown a decoder that believes fastavro, the same search finds records that no writer wrote."""
    _, unlawful = search(decode_without_guard, ROUNDS_CI // 3, SEED)
    assert len(unlawful) > 50


def test_without_the_guard_a_bad_byte_would_permit() -> None:
    """The hole permits: a byte that is no boolean reads as true, say of a choice that was offered."""
    random, permits = Random(SEED), 0
    notices = [value for value in RECORDS if SCHEMAS[value[:HEADER_BYTES]].type_name == "NoticeGiven"]
    for _ in range(ROUNDS_CI // 3):
        value = bytearray(random.choice(notices))
        value[random.randrange(HEADER_BYTES, len(value))] = random.randrange(2, 256)
        try:
            event = decode_without_guard(bytes(value)).event
        except UndecodableRecord:
            continue
        permits += getattr(event, "choice_offered", False) and written_again(bytes(value)) != bytes(value)
    assert permits > 0


@pytest.mark.parametrize("record", RECORDS, ids=range(len(RECORDS)))
def test_every_single_bit_matters(record: bytes) -> None:
    """Each flipped bit of a record is refused, or gives a different event: none is ignored."""
    good = decode_verified(record)
    for at in range(8 * len(record)):
        value = bytearray(record)
        value[at // 8] ^= 1 << at % 8
        try:
            assert decode_verified(bytes(value)) != good
        except UndecodableRecord:
            continue


def test_memory_stays_bounded() -> None:
    """Ten thousand wounded records, bombs among them, never take more than a few megabytes at once."""
    tracemalloc.start()
    search(decode_verified, 10_000, SEED + 1)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < PEAK_BYTES_MAX
