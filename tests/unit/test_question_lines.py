"""Questions and decisions as lines: what may be asked, and how an answer is written."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.instants import INSTANT_MAX, INSTANT_MIN, parse_instant
from projections.decision import Decision, PolicyRef, outside
from projections.question_lines import (
    QUESTION_BYTES_MAX,
    Asked,
    InvalidQuestion,
    checked,
    format_decision,
    parse_question,
)
from projections.reader import Enquiry

AT = "2026-06-05T00:00:00.000000Z"


def line(**fields: Any) -> bytes:
    """A question about Ana's e-mail."""
    return json.dumps({"individual": "ana", "purpose": "website.email", **fields}).encode()


def fault_of(raw: bytes) -> InvalidQuestion:
    """What is wrong with a line that is no question."""
    with pytest.raises(InvalidQuestion) as caught:
        parse_question(raw, "main")
    return caught.value


def test_a_whole_question_is_read() -> None:
    """Every field of a line is a field of the question, instants in microseconds."""
    raw = line(tenant="acme", recipient="adco", data=["name", "email"], at=AT, known_at=AT)
    assert parse_question(raw, "main") == Enquiry(
        tenant="acme",
        individual="ana",
        purpose="website.email",
        recipient="adco",
        data=("name", "email"),
        at=parse_instant(AT),
        known_at=parse_instant(AT),
    )


@pytest.mark.parametrize(
    "twice", ['"individual": "bob"', '"purpose": "website.email"', '"data": []', r'"individ\u0075al": "bob"']
)
def test_a_name_that_stands_twice_is_refused(twice: str) -> None:
    """Which of the two is asked of nobody can tell, so neither is answered."""
    fault = fault_of(line(data=[])[:-1] + f", {twice}}}".encode())
    assert (fault.field, fault.message) == ("", "the line has a name twice")


@pytest.mark.parametrize(
    "raw", [line(), line(tenant=None, recipient=None, data=[], at=None, known_at=None)], ids=["out", "null"]
)
def test_what_is_left_out_is_null(raw: bytes) -> None:
    """A field that is left out means what null means, and a tenant that is left out is the given one."""
    assert parse_question(raw, "main") == Enquiry(tenant="main", individual="ana", purpose="website.email")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"individual": "a b"}, "individual"),
        ({"individual": ""}, "individual"),
        ({"individual": 7}, "individual"),
        ({"individual": None}, "individual"),
        ({"purpose": "web site"}, "purpose"),
        ({"purpose": "*"}, "purpose"),
        ({"tenant": "Acme"}, "tenant"),
        ({"tenant": 7}, "tenant"),
        ({"recipient": ""}, "recipient"),
        ({"data": "name"}, "data"),
        ({"data": [7]}, "data"),
        ({"data": ["\u0000"]}, "data"),
        ({"at": "now"}, "at"),
        ({"at": 7}, "at"),
        ({"known_at": "2026-02-30T00:00:00Z"}, "known_at"),
        ({"known_at": "2026-06-05T00:00:00+02:00"}, "known_at"),
    ],
)
def test_what_cannot_be_asked_is_told_by_its_field(fields: dict[str, Any], field: str) -> None:
    """A field that cannot be is named, and its value is not repeated."""
    fault = fault_of(line(**fields))
    assert fault.field == field
    assert fault.message.startswith("must")
    assert str(fault) == f"`{field}` {fault.message}"


@pytest.mark.parametrize("field", ["individual", "purpose"])
def test_what_has_to_be_asked(field: str) -> None:
    """Without an individual or a purpose there is no question."""
    fields = json.loads(line())
    del fields[field]
    assert (fault_of(json.dumps(fields).encode()).field, fault_of(b"{}").message) == (field, "is missing")


@pytest.mark.parametrize("raw", [b"", b"{", b"[]", b"7", b'"x"', b"\xff", b"[" * 40_000])
def test_what_is_no_object_is_no_question(raw: bytes) -> None:
    """A line that is not one JSON object is told as a whole."""
    assert (fault_of(raw).field, "JSON object" in str(fault_of(raw))) == ("", True)


def test_an_unknown_field_is_refused_without_its_name() -> None:
    """A field that no question has is refused, and not repeated: it may be anything."""
    fault = fault_of(line(colour="red"))
    assert "individual, purpose" in str(fault)
    assert "colour" not in str(fault)


def test_the_longest_question_is_read_and_a_longer_one_refused() -> None:
    """A line of exactly the limit is a question; one byte more is not."""
    padded = line() + b" " * (QUESTION_BYTES_MAX - len(line()))
    assert parse_question(padded, "main").individual == "ana"
    assert str(QUESTION_BYTES_MAX) in str(fault_of(padded + b" "))


def test_instants_given_apart_are_those_of_the_question() -> None:
    """On the command line instants are read by its options, and handed over as they are."""
    asked = Asked(individual="ana", purpose="website.email")
    enquiry = checked(asked, "main", at=INSTANT_MIN, known_at=INSTANT_MAX)
    assert (enquiry.at, enquiry.known_at) == (INSTANT_MIN, INSTANT_MAX)
    with pytest.raises(InvalidQuestion, match="`at`"):
        checked(asked, "main", at=INSTANT_MAX + 1)


def test_a_decision_has_five_keys() -> None:
    """A decision is written with its five keys in their order, and the instant as text."""
    decision = Decision(
        permitted=True,
        reason="not_opted_out",
        policy=PolicyRef("website", 2),
        evidence=("a", "b"),
        until=parse_instant(AT),
        overrides=(),
        objection="c",
    )
    assert format_decision(decision) == (
        b'{"permitted":true,"reason":"not_opted_out","policy":{"id":"website","version":2},'
        b'"evidence":["a","b"],"until":"2026-06-05T00:00:00.000000Z"}'
    )


def test_a_denial_without_events() -> None:
    """What cannot be determined names no policy, no evidence and no instant."""
    assert json.loads(format_decision(outside("quarantined"))) == {
        "permitted": False,
        "reason": "quarantined",
        "policy": None,
        "evidence": [],
        "until": None,
    }


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_the_bytes_a_line_is_read_or_refused(raw: bytes) -> None:
    """No line makes the reader fail in another way than by refusing it."""
    try:
        read: object = parse_question(raw, "main")
    except InvalidQuestion as fault:
        read = fault
    assert isinstance(read, Enquiry | InvalidQuestion)


@given(
    st.dictionaries(st.sampled_from([*Asked.__struct_fields__, "x"]), st.none() | st.integers() | st.text())
)
def test_whatever_the_fields_a_line_is_read_or_refused(fields: dict[str, Any]) -> None:
    """No object makes the reader fail in another way, and a refusal never has the value of a field."""
    told = ""
    try:
        parse_question(json.dumps(fields).encode(), "main")
    except InvalidQuestion as fault:
        told = str(fault)
    long_texts = [value for value in fields.values() if isinstance(value, str) and len(value) > 12]
    assert not any(text in told for text in long_texts)
