"""Lines: what may be left out, what is refused, and that a refusal names the field and never the value."""

import base64
import json
from typing import Any, get_args

import msgspec
import pytest

from events.codec import encode
from events.instants import DAY
from events.line_fields import (
    DURATION_FIELDS,
    FIELD_NAME_SHOWN_MAX,
    INSTANT_FIELDS,
    _msgspec_said,
    plan_of,
)
from events.lines import (
    LINE_BYTES_MAX,
    InvalidLine,
    event_from_fields,
    event_to_fields,
    format_line,
    parse_line,
)
from events.policy_events import PolicyAmended
from events.record_events import CIPHERTEXT_BYTES_MAX
from events.streams import RECORD_BYTES_MAX
from events.terms import Recipient, Terms
from events.union import EVENT_TYPES, Recorded
from tests.strategies import uuid_of

AT = 1_777_798_800_000_000
WHEN = "2026-05-03T09:00:00.000000Z"
CHOICE = {
    "type": "ChoiceMade",
    "event_id": uuid_of(1),
    "tenant": "acme",
    "individual": "ana",
    "occurred_at": WHEN,
    "decision": "opt_out",
    "purposes": ["website.email"],
}
AMENDMENT = {
    "type": "PolicyAmended",
    "event_id": uuid_of(2),
    "tenant": "acme",
    "occurred_at": WHEN,
    "policy_id": "website",
    "version": 1,
    "effective_at": WHEN,
}
STORED = {
    **{name: CHOICE[name] for name in ("event_id", "tenant", "individual", "occurred_at")},
    "type": "PersonalDataStored",
    "field": "email",
    "ciphertext": "aGk=",
}
SECRET = "Sofía-geheim"


def raw(fields: Any) -> bytes:
    return json.dumps(fields).encode()


def refused(line: bytes) -> tuple[str, str]:
    """The field and the message of a line's refusal."""
    with pytest.raises(InvalidLine) as refusal:
        parse_line(line)
    assert SECRET not in str(refusal.value)
    return refusal.value.field, refusal.value.message


def test_a_line_is_written_whole() -> None:
    """A line has every field by its name, `type` first, and instants to the microsecond in UTC."""
    one = Recorded(parse_line(raw(CHOICE)).event, AT + 1)
    assert format_line(one) == (
        b'{"type":"ChoiceMade","recorded_at":"2026-05-03T09:00:00.000001Z",'
        b'"event_id":"00000000-0000-0000-0000-000000000001","tenant":"acme",'
        b'"occurred_at":"2026-05-03T09:00:00.000000Z","actor":{"kind":"individual","id":null},'
        b'"medium":"api","caused_by":null,"individual":"ana","decision":"opt_out",'
        b'"purposes":["website.email"],"recipients":null,"versions":null,"evidence":null}'
    )


def test_recorded_at_stands_beside_the_event() -> None:
    """A line may say when a ledger took it, or null, or nothing; an event's own fields may not."""
    assert parse_line(raw(CHOICE)).recorded_at is None
    assert parse_line(raw({**CHOICE, "recorded_at": None})).recorded_at is None
    assert parse_line(raw({**CHOICE, "recorded_at": WHEN})).recorded_at == AT
    with pytest.raises(InvalidLine, match="recorded_at"):
        event_from_fields({**CHOICE, "recorded_at": WHEN})


@pytest.mark.parametrize("value", ["yesterday", 1, True, ["x"], "2026-05-03T08:59:59Z"])
def test_recorded_at_is_an_instant_and_not_before(value: Any) -> None:
    """A `recorded_at` that is no instant, or earlier than what it records, is refused."""
    assert refused(raw({**CHOICE, "recorded_at": value}))[0] in ("recorded_at", "occurred_at")


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_null_says_the_default(name: str) -> None:
    """A field that may be left out may be null instead, and says the same."""
    plan = plan_of(EVENT_TYPES[name])
    assert {"actor", "medium", "caused_by"} <= plan.optional
    if name == "PolicyAmended":
        bare = {"key": "a", "mode": "opt_in"}
        nulls = dict.fromkeys(plan_of(Terms).optional)
        recipient = {"name": "adco", **dict.fromkeys(plan_of(Recipient).optional)}
        short = {**AMENDMENT, "purposes": [{**bare, "recipients": [{"name": "adco"}]}]}
        long = {
            **AMENDMENT,
            **dict.fromkeys(plan.optional),
            "purposes": [{**bare, **nulls, "recipients": [recipient]}],
        }
        assert event_from_fields(long) == event_from_fields(short)


@pytest.mark.parametrize("name", sorted(CHOICE))
def test_required_fields_are_asked_for(name: str) -> None:
    """A required field that is missing or null is named."""
    assert refused(raw({key: value for key, value in CHOICE.items() if key != name}))[0] == name
    assert refused(raw({**CHOICE, name: None}))[0] == name


@pytest.mark.parametrize("kind", [*EVENT_TYPES.values(), Terms])
def test_every_number_has_a_form(kind: type[msgspec.Struct]) -> None:
    """Each whole number is written as an instant or a duration, or is one of the plain numbers."""
    infos = msgspec.structs.fields(kind)
    numbers = {info.encode_name for info in infos if int in (info.type, *get_args(info.type))}
    texts = {name for name, _, _ in plan_of(kind).texts}
    assert numbers - {"version", "meaning"} == texts
    assert texts <= INSTANT_FIELDS | DURATION_FIELDS


@pytest.mark.parametrize(
    ("line", "field", "said"),
    [
        ({**CHOICE, "type": SECRET}, "type", "event type"),
        ({**CHOICE, "type": ["ChoiceMade"]}, "type", "event type"),
        ({**CHOICE, "tenant": SECRET}, "tenant", "1 to 63"),
        ({**CHOICE, "tenant": 7}, "tenant", "must be text"),
        ({**CHOICE, "individual": f"{SECRET}@example.org"}, "individual", "pseudonymous"),
        ({**CHOICE, "occurred_at": SECRET}, "occurred_at", "RFC 3339"),
        ({**CHOICE, "occurred_at": AT}, "occurred_at", "must be text"),
        ({**CHOICE, "decision": SECRET}, "decision", "one of opt_in, opt_out"),
        ({**CHOICE, "medium": SECRET}, "medium", "one of web, intranet"),
        ({**CHOICE, "purposes": SECRET}, "purposes", "must be a list"),
        ({**CHOICE, "purposes": [1]}, "purposes[0]", "must be text"),
        ({**CHOICE, "purposes": [SECRET]}, "purposes", "purpose key"),
        ({**CHOICE, "actor": SECRET}, "actor", "must be an object"),
        ({**CHOICE, "actor": {"kind": SECRET}}, "actor.kind", "one of individual"),
        ({**CHOICE, "actor": {"id": f"{SECRET}@"}}, "actor.id", "pseudonymous"),
        ({**CHOICE, "actor": {"name": SECRET}}, "actor.name", "no field"),
        ({**CHOICE, "versions": {SECRET: "x"}}, "versions", "must be an integer"),
        ({**CHOICE, "versions": {"p": 2**31}}, "versions", "integer"),
        ({**CHOICE, "versions": {"p": 2**70}}, "versions", "integer"),
        ({**CHOICE, "versions": {SECRET + "\u0007": 1}}, "versions", "control"),
        ({**CHOICE, "evidence": {"sha256": SECRET, "kind": "scan"}}, "evidence.sha256", "SHA-256"),
        ({**CHOICE, "evidence": {"kind": "scan"}}, "evidence.sha256", "is required"),
        ({**CHOICE, "name": SECRET}, "name", "no field"),
        ({**CHOICE, SECRET: 1}, "", "unknown field"),
        ({**CHOICE, "actor": {SECRET: 1}}, "actor", "unknown field"),
        ({**CHOICE, "x" * (FIELD_NAME_SHOWN_MAX + 1): 1}, "", "unknown field"),
        ({**CHOICE, "x" * FIELD_NAME_SHOWN_MAX: 1}, "x" * FIELD_NAME_SHOWN_MAX, "no field"),
        ({**STORED, "ciphertext": SECRET}, "ciphertext", "base64"),
        ({**AMENDMENT, "purposes": [{}, 1]}, "purposes[0].key", "is required"),
        ({**AMENDMENT, "purposes": [1]}, "purposes[0]", "must be an object"),
        ({**AMENDMENT, "wording": {"en": SECRET}}, "wording", "SHA-256"),
        (
            {**AMENDMENT, "purposes": [{"key": "a", "mode": "opt_in", "choice_period": SECRET}]},
            "purposes[0].choice_period",
            "ISO 8601",
        ),
        (
            {**AMENDMENT, "purposes": [{"key": "a", "mode": "opt_in"}, {"key": SECRET, "mode": "opt_in"}]},
            "purposes[1].key",
            "purpose key",
        ),
        (
            {
                **AMENDMENT,
                "purposes": [{"key": "a", "mode": "opt_in", "recipients": [{"name": "b", "role": SECRET}]}],
            },
            "purposes[0].recipients[0].role",
            "one of agent, third_party",
        ),
        (
            {**AMENDMENT, "purposes": [{"key": "a", "mode": "opt_in", "recipients": [{"name": ""}]}]},
            "purposes[0].recipients[0].name",
            "1 to 128",
        ),
    ],
)
def test_the_field_is_named_by_its_path(line: Any, field: str, said: str) -> None:
    """A refusal names the field by its path and says what it must be, never what it was."""
    assert refused(raw(line))[0] == field
    assert said in refused(raw(line))[1]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b" ",
        b"null",
        b"7",
        b"[]",
        b'"text"',
        b"{",
        raw(CHOICE) + b"x",
        raw(CHOICE) + raw(CHOICE),
        b"\xef\xbb\xbf" + raw(CHOICE),
        raw(CHOICE).replace(b"acme", b"ac\xffme"),
        raw(CHOICE).replace(b"acme", b"ac\nme"),
        raw(CHOICE).replace(b"ana", b"ana\\ud800"),
        raw(CHOICE).replace(b"ana", b"\\udc00ana"),
        raw(CHOICE).replace(b"ana", b"\\udc00\\ud800"),
        raw(CHOICE).replace(b"ana", b"\xed\xa0\x80"),
        raw(CHOICE).replace(b"ana", b"\\ud800\\u0061"),
        raw(CHOICE).replace(b'"ana"', b"NaN"),
        b"[" * 100_000,
        b'{"a":' * 20_000,
        b'{"a":' * 20_000 + b"1" + b"}" * 20_000,
    ],
)
def test_what_is_no_object_is_refused(line: bytes) -> None:
    """Anything but one JSON object in UTF-8 is refused as a line: lone surrogates and deep nests too."""
    assert refused(line)[0] in ("", "type")


@pytest.mark.parametrize(
    "line",
    [
        raw(CHOICE)[:-1] + b',"tenant":"acme"}',
        b'{"tenant":"other",' + raw(CHOICE)[1:],
        raw({**CHOICE, "actor": {"kind": "agent"}}).replace(b'{"kind"', b'{"kind":"guardian","kind"'),
        raw(CHOICE)[:-1] + b',"te\\u006eant":"acme"}',
        raw({**CHOICE, "recipients": ["a:b"]})[:-1].replace(b"a:b", b"a\\u003ab") + b',"tenant":"acme"}',
        raw({**CHOICE, "recipients": ["a:b"]})[:-1].replace(b"a:b", b"a\\u003Ab") + b',"tenant":"acme"}',
        raw({**CHOICE, "versions": {"p": 1}}).replace(b'"p": 1', b'"p":1,"p" :2'),
        raw({**CHOICE, "versions": {"p": 1}}).replace(b'"p": 1', b'"p:":1,"p\\u003a":2'),
    ],
)
def test_a_name_twice_is_refused(line: bytes) -> None:
    """An object that has a name twice is refused, however it is written: one of the two would be lost."""
    assert refused(line) == ("", "the line has a name twice in one object")


@pytest.mark.parametrize(
    "line",
    [
        raw({**CHOICE, "recipients": ["a:b", "::", '"c":'], "versions": {"x:y": 1}}),
        raw({**CHOICE, "recipients": ["a:b", "<"]}).replace(b"a:b", b"a\\u003ab").replace(b"<", b"\\u003c"),
        raw(CHOICE).replace(b": ", b" :\t") + b"\r\n",
    ],
)
def test_colons_in_texts_are_no_names(line: bytes) -> None:
    """Colons in texts and keys, escaped or not, and spaces around those of JSON are no name twice."""
    assert parse_line(line).event.tenant == "acme"


def test_a_line_has_a_limit() -> None:
    """A line of exactly the limit is read, and one of one byte more is refused unread."""
    line = raw(CHOICE)
    assert parse_line(line + b" " * (LINE_BYTES_MAX - len(line))).event.tenant == "acme"
    assert "longer" in refused(line + b" " * (LINE_BYTES_MAX - len(line) + 1))[1]


@pytest.mark.parametrize("spread", ["terms", "controls", "recipients"])
def test_no_record_makes_a_longer_line(spread: str) -> None:
    """The records whose lines are longest for their bytes still make lines within the limit."""
    fields: dict[str, Any] = dict(AMENDMENT)
    if spread == "terms":
        fields["purposes"] = [{"key": "a", "mode": "necessary", "valid_for": "PT0.000001S"}] * 3_900
    elif spread == "controls":
        fields["purposes"] = [{"key": "a", "mode": "necessary", "title": "\u0001" * 8_000}] * 8
    else:
        recipients = [{"name": "a", "mode": "necessary"}] * 13_000
        fields["purposes"] = [{"key": "a", "mode": "necessary", "recipients": recipients}]
    one = Recorded(event_from_fields(fields), AT)
    assert 0.9 * RECORD_BYTES_MAX < len(encode(one)) <= RECORD_BYTES_MAX
    line = format_line(one)
    assert len(line) <= LINE_BYTES_MAX
    assert parse_line(line).event == one.event


def test_ciphertext_is_base64() -> None:
    """A ciphertext is base64 in a line, up to its limit; as a field it may be bytes too."""
    most = base64.b64encode(b"\xff" * CIPHERTEXT_BYTES_MAX).decode()
    event = event_from_fields({**STORED, "ciphertext": most})
    assert event == event_from_fields({**STORED, "ciphertext": b"\xff" * CIPHERTEXT_BYTES_MAX})
    assert event_to_fields(event)["ciphertext"] == most
    past = base64.b64encode(b"\xff" * (CIPHERTEXT_BYTES_MAX + 1)).decode()
    assert refused(raw({**STORED, "ciphertext": past}))[0] == "ciphertext"


def test_durations_and_maps_are_canonical() -> None:
    """A duration is written in days and smaller, and a map sorted by key, whatever the way in."""
    event = event_from_fields(
        {
            **AMENDMENT,
            "wording": {"fr": "0" * 64, "de": "1" * 64},
            "purposes": [{"key": "a", "mode": "opt_in", "choice_period": "P2W", "valid_for": "PT36H"}],
        }
    )
    assert isinstance(event, PolicyAmended)
    assert event.purposes[0].choice_period == 14 * DAY
    fields = event_to_fields(event)
    assert (fields["purposes"][0]["choice_period"], fields["purposes"][0]["valid_for"]) == ("P14D", "P1DT12H")
    assert list(fields["wording"]) == ["de", "fr"]


def test_fields_need_not_be_json() -> None:
    """Tuples, and mappings that are no dict, are taken as YAML and commands bring them."""
    event = event_from_fields({**CHOICE, "purposes": ("a", "b")})
    assert event_to_fields(event)["purposes"] == ("a", "b") or event_to_fields(event)["purposes"] == [
        "a",
        "b",
    ]
    with pytest.raises(InvalidLine, match="unknown field"):
        event_from_fields({**CHOICE, 7: 1})  # type: ignore[dict-item]  # A key that JSON cannot have.


def test_a_message_that_is_not_known_is_not_passed_on() -> None:
    """A message of the library that none of ours stands for could repeat a value, so it is replaced."""
    said = _msgspec_said(f"Invalid value '{SECRET}'", "tenant", plan_of(EVENT_TYPES["ChoiceMade"]))
    assert said == ("tenant", "is no value that this field may have")


def test_what_is_no_event_is_told_in_words() -> None:
    """An instant that is null is required, and a byte-order mark is called one."""
    for line, field, message in (
        (b'{"type":"IndividualErased","occurred_at":null}', "occurred_at", "is required"),
        (b'\xef\xbb\xbf{"type":"IndividualErased"}', "", "byte-order mark"),
    ):
        with pytest.raises(InvalidLine, match=message) as caught:
            parse_line(line)
        assert caught.value.field == field
