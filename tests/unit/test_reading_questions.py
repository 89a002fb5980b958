"""Questions as JSON: the quick path and the thorough one agree, and every fault is named."""

import json
from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from choice_ledger.freshness import WAIT_MS_MAX
from choice_ledger.http.problems import FAULTS_TOLD_MAX, Fault, Problem
from choice_ledger.http.questions import (
    DATA_MAX,
    QUESTIONS_MAX,
    asking,
    asking_beside,
    asking_many,
    faults_of,
    told,
)
from events.instants import parse_instant
from events.streams import Position, Slice
from projections.decision import Decision, PolicyRef
from projections.question_lines import format_decision, parse_question

GOOD = {"individual": "ana", "purpose": "website.email"}
POSITION = Position.of("g", [(Slice("individuals", 0), 5)])
VALUES: st.SearchStrategy[Any] = st.sampled_from(
    [
        None,
        "",
        "ana",
        "a/b",
        "a b",
        "é",
        "e\u0301",
        "\u0000",
        "x" * 129,
        0,
        -1,
        1,
        1.5,
        True,
        30_001,
        [],
        ["x"],
        ["", 5],
        "x.y",
        {},
        "2026-05-03T09:00:00Z",
        "2026-02-30T09:00:00Z",
        POSITION.encode(),
    ]
)
MEMBERS = ("individual", "purpose", "recipient", "data", "at", "known_at", "after", "wait_ms")
documents = st.dictionaries(st.sampled_from((*MEMBERS, "tenant")), VALUES) | st.dictionaries(
    st.sampled_from(MEMBERS), VALUES
).map(lambda more: {**more, **GOOD})


def refused(document: object, many: bool = False) -> list[str]:
    """The fields that are found wrong."""
    with pytest.raises(Problem) as raised:
        (asking_many if many else asking)(document, "main")
    assert raised.value.kind == "refused"
    return [fault.field for fault in raised.value.errors]


@given(documents | VALUES)
def test_the_quick_path_refuses_what_the_thorough_one_finds_wrong(document: object) -> None:
    """A document is refused exactly where a fault can be named, so that no refusal is without one."""
    faults = tuple(faults_of(document))
    if faults:
        with pytest.raises(Problem) as raised:
            asking(document, "main")
        assert raised.value.errors == faults
    else:
        assert asking(document, "main").enquiry.tenant == "main"


@given(documents)
def test_a_question_over_http_is_the_question_of_a_line(document: dict[str, Any]) -> None:
    """What both can say means the same, over HTTP and in a line of a file."""
    asked = {name: value for name, value in document.items() if name not in {"after", "wait_ms", "tenant"}}
    try:
        enquiry = asking(asked, "main").enquiry
    except Problem:
        return
    assert parse_question(json.dumps(asked).encode(), "main") == enquiry


@given(documents)
def test_no_fault_repeats_a_value(document: dict[str, Any]) -> None:
    """What is told of a fault is the path and what must stand there, never what stood there."""
    planted = dict.fromkeys(document, "canary@example.com")
    for fault in faults_of(planted):
        assert "canary" not in fault.field + fault.message


def test_a_whole_question() -> None:
    """Every member finds its place; the tenant is the caller's."""
    asked = asking(
        {
            **GOOD,
            "recipient": "adco",
            "data": ["a", "b"],
            "at": "2026-05-03T09:00:00Z",
            "known_at": "2026-05-04T09:00:00Z",
            "after": POSITION.encode(),
            "wait_ms": 7,
        },
        "acme",
    )
    assert (asked.enquiry.key, asked.enquiry.recipient) == ("acme/ana", "adco")
    assert asked.enquiry.data == ("a", "b")
    assert asked.enquiry.at == parse_instant("2026-05-03T09:00:00Z")
    assert asked.enquiry.known_at == parse_instant("2026-05-04T09:00:00Z")
    assert (asked.after, asked.wait_ms) == (POSITION, 7)


def test_what_is_left_out_is_open() -> None:
    """The shortest question leaves the rest open, as nulls do."""
    short = asking(GOOD, "main")
    assert (short.enquiry.at, short.enquiry.recipient, short.after, short.wait_ms) == (None,) * 4
    nulls = dict.fromkeys(("recipient", "at", "known_at", "after", "wait_ms"))
    assert asking({**GOOD, **nulls}, "main") == short


@pytest.mark.parametrize(
    ("wait_ms", "good"), [(0, True), (WAIT_MS_MAX, True), (-1, False), (WAIT_MS_MAX + 1, False)]
)
def test_the_wait_has_bounds(wait_ms: int, good: bool) -> None:
    """Both ends are taken, and what lies beyond them is not."""
    if good:
        assert asking({**GOOD, "wait_ms": wait_ms}, "main").wait_ms == wait_ms
    else:
        assert refused({**GOOD, "wait_ms": wait_ms}) == ["wait_ms"]


def test_a_question_names_at_most_so_many_categories() -> None:
    """At the limit they are taken, one more is refused as a whole."""
    assert len(asking({**GOOD, "data": ["x"] * DATA_MAX}, "main").enquiry.data) == DATA_MAX
    assert refused({**GOOD, "data": ["x"] * (DATA_MAX + 1)}) == ["data"]


def test_many_questions_keep_their_order() -> None:
    """A batch is read in order, with one freshness for all."""
    many = asking_many(
        {"questions": [{**GOOD, "individual": n} for n in "abc"], "after": POSITION.encode(), "wait_ms": 0},
        "main",
    )
    assert [enquiry.individual for enquiry in many.enquiries] == ["a", "b", "c"]
    assert (many.after, many.wait_ms) == (POSITION, 0)
    assert asking_many({"questions": []}, "main").enquiries == ()


def test_every_fault_of_a_batch_is_named_by_its_place() -> None:
    """Each question's faults bear its number, and the batch's own stand beside them."""
    batch = {
        "questions": [
            GOOD,
            {**GOOD, "individual": "a@b", "data": [""]},
            {"purpose": "x"},
            5,
            {**GOOD, "after": ""},
        ],
        "wait_ms": "soon",
        "more": 1,
    }
    assert refused(batch, many=True) == [
        "",
        "questions[1].individual",
        "questions[1].data[0]",
        "questions[2].individual",
        "questions[3]",
        "questions[4]",
        "wait_ms",
    ]
    wrongs: tuple[object, ...] = (5, [], {"questions": "x"}, {"questions": 5}, {})
    for wrong in wrongs:
        assert len(refused(wrong, many=True)) == 1


def test_a_batch_has_at_most_so_many_questions() -> None:
    """At the limit all are taken, one more refuses the batch; another limit may be asked for."""
    assert len(asking_many({"questions": [GOOD] * QUESTIONS_MAX}, "main").enquiries) == QUESTIONS_MAX
    assert refused({"questions": [GOOD] * (QUESTIONS_MAX + 1)}, many=True) == ["questions"]
    assert len(asking_many({"questions": [GOOD] * 2}, "main", 2).enquiries) == 2
    with pytest.raises(Problem):
        asking_many({"questions": [GOOD] * 3}, "main", 2)


def test_of_very_many_faults_the_first_are_told() -> None:
    """A batch in which everything is wrong is told of as many faults as a problem lists."""
    assert len(refused({"questions": [{}] * QUESTIONS_MAX}, many=True)) == FAULTS_TOLD_MAX


def test_an_endpoint_may_take_more_members() -> None:
    """Members beside the question have checks of their own, whose faults are told with the others."""

    def never(where: str, value: object) -> Iterator[Fault]:
        if value != "good":
            yield Fault(where, "must be good")

    assert asking_beside({**GOOD, "tone": "good"}, "main", {"tone": never}) == asking(GOOD, "main")
    with pytest.raises(Problem) as raised:
        asking_beside({**GOOD, "tone": "bad", "at": "x"}, "main", {"tone": never})
    assert [fault.field for fault in raised.value.errors] == ["at", "tone"]
    with pytest.raises(Problem):
        asking_beside([], "main", {"tone": never})


def test_a_decision_is_told_as_in_a_line_with_what_stands_beside() -> None:
    """The five members are those of a line; position, overrides and objection stand beside where they are."""
    plain = Decision(permitted=True, reason="necessary", policy=PolicyRef("p", 2), evidence=("a",), until=5)
    said = json.loads(msgspec.json.encode(told(plain, POSITION)))
    assert said.pop("position") == POSITION.encode()
    assert said == json.loads(format_decision(plain))
    more = msgspec.structs.replace(plain, overrides=("erased",), objection="b", policy=None, until=None)
    said = json.loads(msgspec.json.encode(told(more, None)))
    assert (said["overrides"], said["objection"], said["position"]) == (["erased"], "b", None)
    assert (said["policy"], said["until"]) == (None, None)
