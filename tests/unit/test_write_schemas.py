"""The schemas of what is written: they take what the ledger takes, and name what it holds of each field."""

import base64
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema_rs import Draft202012Validator, meta

from choice_ledger.http.idempotency import key_of
from choice_ledger.http.problems import Problem
from choice_ledger.http.receipts import ANSWERS, IDEMPOTENCY_KEY, RECEIPT, reply_of, told
from choice_ledger.http.write_bodies import read_body
from choice_ledger.http.write_schemas import body_schema, descriptions, nullable, object_of
from choice_ledger.http.writes import DISCLOSURE, WITHDRAWAL, WRITES, Write
from choice_ledger.recording import Receipt
from events.envelope import NAME_BYTES_MAX, TEXT_BYTES_MAX, VERSION_MAX
from events.instants import SECOND, Micros
from events.line_fields import fields_of
from events.record_events import CIPHERTEXT_BYTES_MAX
from events.streams import POLICIES, Position, Slice
from tests.strategies import events, uuid_of

NOW: Micros = 1_800_000_000 * SECOND
EVENTS_OF_EACH = 20
ROWS = (*WRITES, DISCLOSURE, WITHDRAWAL)
EACH_ROW = pytest.mark.parametrize("row", ROWS, ids=[row.operation for row in ROWS])
BY_PATH = {row.path.removeprefix("/v1/"): row for row in ROWS}
VALIDATORS = {row.path: Draft202012Validator(body_schema(row.form)) for row in ROWS}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=6), inner, max_size=3),
    max_leaves=6,
)


def is_taken(row: Write, body: object) -> bool:
    """Whether the schema takes a body."""
    return VALIDATORS[row.path].is_valid(body)


def faults(row: Write, **changes: object) -> set[str]:
    """The fields of an example that is changed so, as the reader finds them wrong."""
    good = {name: row.form.sample[name] for name in row.form.fields}
    return set(read_body({**good, **changes}, row.form, NOW).wrong)


@EACH_ROW
def test_a_schema_is_one(row: Write) -> None:
    """Each schema is JSON Schema 2020-12, lets nothing unknown in, and describes each field in words."""
    schema = body_schema(row.form)
    assert meta.is_valid(schema)
    assert schema["additionalProperties"] is False
    assert set(schema["properties"]) == set(row.form.names)
    assert all(part.get("description") for part in schema["properties"].values())


@EACH_ROW
@settings(max_examples=EVENTS_OF_EACH)
@given(data=st.data())
def test_a_schema_takes_every_event(row: Write, data: st.DataObject) -> None:
    """What is valid passes its schema: the fields of any event of the row's type, as a line writes them."""
    event = data.draw(events(row.form.kind))
    fields = msgspec.json.decode(msgspec.json.encode(fields_of(event)))
    body = {name: fields[name] for name in row.form.fields}
    assert list(VALIDATORS[row.path].iter_errors(body)) == []


@EACH_ROW
@settings(max_examples=EVENTS_OF_EACH)
@given(data=st.data())
def test_what_the_ledger_takes_its_schema_takes(row: Write, data: st.DataObject) -> None:
    """Whatever JSON stands in the fields of a body: where the reader finds nothing wrong, no schema does."""
    names = data.draw(st.lists(st.sampled_from(row.form.names), unique=True, max_size=3))
    good = {name: row.form.sample[name] for name in row.form.fields}
    body = {**good, **{name: data.draw(json_values) for name in names}}
    if not read_body(body, row.form, NOW).faults:
        assert list(VALIDATORS[row.path].iter_errors(body)) == []


@EACH_ROW
def test_what_is_needed_is_required(row: Write) -> None:
    """An empty body lacks, by its schema, exactly what the reader says is required."""
    assert set(body_schema(row.form)["required"]) == read_body({}, row.form, NOW).wrong


@EACH_ROW
@pytest.mark.parametrize("name", ["tenant", "actor", "recorded_at", "colour"])
def test_an_unknown_field_passes_no_schema(row: Write, name: str) -> None:
    """What the reader refuses as unknown its schema refuses."""
    assert not is_taken(row, {**row.example, name: "x"})


@pytest.mark.parametrize(
    ("path", "field", "good", "bad"),
    [
        ("choices", "individual", "x" * NAME_BYTES_MAX, "x" * (NAME_BYTES_MAX + 1)),
        ("choices", "individual", "Ana-é", "ana@b"),
        ("choices", "individual", "ana", "a/b"),
        ("choices", "individual", "ana", "a b"),
        ("choices", "individual", "ana", "a\u0085b"),
        ("choices", "individual", "ana", ""),
        ("choices", "decision", "opt_in", "opt-in"),
        ("choices", "purposes", ["*"], ["**"]),
        ("choices", "purposes", ["hr.payroll"], ["hr..payroll"]),
        ("choices", "purposes", ["x" * NAME_BYTES_MAX], ["x" * (NAME_BYTES_MAX + 1)]),
        ("choices", "versions", {"privacy": VERSION_MAX}, {"privacy": VERSION_MAX + 1}),
        ("choices", "versions", {"privacy": -VERSION_MAX}, {"privacy": -VERSION_MAX - 1}),
        ("choices", "versions", {"x": 1}, {"": 1}),
        ("choices", "evidence", None, {"sha256": "ab" * 32}),
        ("choices", "medium", "gpc", "link"),
        ("choices", "spoken_by", "guardian", "officer"),
        ("choices", "event_id", uuid_of(7), uuid_of(0xABC).upper()),
        ("choices", "caused_by", uuid_of(7), "7"),
        ("choices", "occurred_at", "2026-05-03T09:00:00Z", "2026-05-03T09:00:00+02:00"),
        ("choices", "occurred_at", "2026-05-03T09:00:00.123456Z", "2026-05-03T09:00:00.1234567Z"),
        ("notices", "purposes", ["hr"], ["*"]),
        ("notices", "choice_offered", False, "false"),
        ("notices", "wording_sha256", "ab" * 32, "AB" * 32),
        ("notice-outcomes", "detail", "5.1.1", "to ana@b.example"),
        ("notice-outcomes", "outcome", "failed", "bounced"),
        ("policies", "title", "x" * TEXT_BYTES_MAX, "x" * (TEXT_BYTES_MAX + 1)),
        ("policies", "wording", {"en": "ab" * 32}, {"en": "ab"}),
        ("policies", "purposes", [], [{"key": "hr"}]),
        ("policies", "purposes", [{"key": "hr", "mode": "opt_in"}], [{"mode": "opt_in"}]),
        ("policies", "gpc_purposes", ["*"], ["* "]),
        ("personal-data-reads", "purpose", "to write a letter", ""),
        ("delivery-attempts", "result", "ambiguous", "lost"),
        ("frameworks", "in_force", False, 0),
        ("disclosures", "purpose", "hr.payroll", "hr payroll"),
        ("disclosures", "although_denied", True, "yes"),
    ],
)
def test_a_schema_and_the_reader_draw_one_line(path: str, field: str, good: object, bad: object) -> None:
    """On either side of each limit and rule the schema and the reader say the same."""
    row = BY_PATH[path]
    whole = {name: row.form.sample[name] for name in row.form.fields}
    assert is_taken(row, {**whole, field: good})
    assert faults(row, **{field: good}) == set()
    assert not is_taken(row, {**whole, field: bad})
    assert faults(row, **{field: bad}) == {field}


def test_terms_within_a_list_have_a_schema_of_their_own() -> None:
    """Periods, recipients and modes within a policy's terms are held as the reader holds them."""
    row = BY_PATH["policies"]
    whole = {name: row.form.sample[name] for name in row.form.fields}
    (terms,) = row.form.sample["purposes"]
    for name, good, bad in (
        ("choice_period", "P30D", "P1M"),
        ("choice_period", "PT0.5S", "P"),
        ("valid_for", "P2W", "P2WT1H"),
        ("recipients", [{"name": "a"}], [{"name": "a", "role": "friend"}]),
        ("recipients", [], [{}]),
        ("meaning", 0, "1"),
        ("survives_erasure", True, "no"),
        ("colour", None, "red"),
    ):
        extra = {} if name == "colour" else {name: good}
        assert is_taken(row, {**whole, "purposes": [{**terms, **extra}]}), name
        assert not is_taken(row, {**whole, "purposes": [{**terms, name: bad}]}), name
        assert faults(row, purposes=[{**terms, name: bad}]) == {"purposes"}


def test_a_ciphertext_of_the_greatest_size_passes() -> None:
    """The base64 of as many bytes as an event may hold passes; of many more it does not."""
    row = BY_PATH["personal-data"]
    whole = {name: row.form.sample[name] for name in row.form.fields}
    for size, expected in ((CIPHERTEXT_BYTES_MAX, True), (CIPHERTEXT_BYTES_MAX + 3, False)):
        body = {**whole, "ciphertext": base64.b64encode(bytes(size)).decode()}
        assert is_taken(row, body) is expected
        assert (read_body(body, row.form, NOW).faults == ()) is expected


def test_the_words_are_those_of_the_events() -> None:
    """Descriptions come from the Avro schemas, without what only bytes have."""
    schema = body_schema(BY_PATH["policies"].form)
    assert schema["properties"]["effective_at"]["description"] == "From when the version is in force."
    assert "Microseconds" in descriptions(BY_PATH["policies"].form.kind)["effective_at"]
    assert "Microseconds" not in msgspec.json.encode([body_schema(row.form) for row in ROWS]).decode()


def test_null_is_added_to_a_schema() -> None:
    """A schema that takes null too takes all that it took before, with its words."""
    assert nullable({"type": "string", "description": "d"}) == {
        "type": ["string", "null"],
        "description": "d",
    }
    chosen = nullable({"type": "string", "enum": ["a"], "description": "d"})
    assert (Draft202012Validator(chosen).is_valid(None), Draft202012Validator(chosen).is_valid("b")) == (
        True,
        False,
    )
    assert chosen["description"] == "d"
    assert object_of({"a": {}, "b": {}}, ["a"])["required"] == ["a"]
    assert object_of({"a": {}, "b": {}})["required"] == ["a", "b"]


def receipt(**changes: Any) -> Receipt:
    """The receipt of an amendment."""
    whole: dict[str, Any] = {
        "event_id": uuid_of(1),
        "type": "PolicyAmended",
        "recorded_at": NOW,
        "position": Position.of(uuid_of(2), [(Slice(POLICIES, 0), 7)]),
    }
    return Receipt(**whole | changes)


@pytest.mark.parametrize(
    ("changes", "status", "outcome"),
    [
        ({}, 201, "acknowledged"),
        ({"repeated": True}, 200, "acknowledged"),
        ({"void": "version_not_next"}, 201, "void"),
        ({"void": "key_named_twice", "repeated": True}, 200, "void"),
        ({"derived": (uuid_of(3),)}, 201, "acknowledged"),
    ],
)
def test_a_receipt_says_what_became_of_the_event(changes: dict[str, Any], status: int, outcome: str) -> None:
    """New is 201 and repeated 200, void or not; the receipt passes its schema and says the outcome."""
    reply = reply_of(receipt(**changes))
    assert (reply.status, told(receipt(**changes))["outcome"]) == (status, outcome)
    content = msgspec.json.decode(msgspec.json.encode(reply.content))
    Draft202012Validator(RECEIPT).validate(content)
    assert content["void"] == changes.get("void")
    assert Position.decode(content["position"]) == receipt().position
    assert {answer.status for answer in ANSWERS} == {200, 201}


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("8e03978e-40d5-43e8-bc93-6894a57f9324", True),
        ('"8e03978e-40d5"', True),
        ('"a key with spaces"', True),
        ("x" * 255, True),
        ("x" * 256, False),
        ('"' + "x" * 255 + '"', True),
        ('"' + "x" * 256 + '"', False),
        ("", False),
        ('""', False),
        ("a key", False),
        ("a,b", False),
        ("a;b", False),
        ("é", False),
    ],
)
def test_the_schema_of_a_key_is_that_of_the_header(key: str, expected: bool) -> None:
    """A key passes its schema exactly where the header is read."""
    assert Draft202012Validator(dict(IDEMPOTENCY_KEY.schema)).is_valid(key) is expected
    try:
        assert key_of(key)
    except Problem:
        assert not expected
    else:
        assert expected
