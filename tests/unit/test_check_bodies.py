"""Bodies of checks: the quick reading accepts nothing that the strict one refuses, and means the same."""

import random
from collections.abc import Callable

import msgspec
import pytest

from choice_ledger.http.bodies import read_json
from choice_ledger.http.check_bodies import (
    LINES_MAX,
    WRITTEN_MAX,
    Writer,
    joined,
    read_lines,
    read_many,
    read_one,
)
from choice_ledger.http.problems import Problem
from choice_ledger.http.questions import DATA_MAX, QUESTIONS_MAX, asking, asking_many, told
from events.envelope import NAME_BYTES_MAX
from events.streams import Position, Slice
from projections.decision import Decision, PolicyRef, Question
from projections.question_lines import format_decision
from projections.reader import Answer

GENERATION = "01a20adf-7a44-7471-a9aa-16098ee8b851"
POSITION = Position.of(GENERATION, [(Slice("individuals", 0), 3), (Slice("policies", 0), 2)])
GOOD = b'{"individual":"ana","purpose":"website.email"}'
VALUES = (
    *(b'"ana"', b'"website.email"', b'"adco"', b"null", b"[]", b'["clicks"]', b'["a","b"]', b'"a b"', b'""'),
    *(
        b'"2026-05-03T09:00:00Z"',
        b'"2026-05-03T09:00:00.000001+00:00"',
        b'"2026-13-03T09:00:00Z"',
        b"3",
        b"true",
    ),
    *(b'"a:b"', b'"a\\u003ab"', b'"\\ud800"', b'"\\ud83d\\ude00"', b'"\\u0000"', b'"e\\u0301"', b'"\\u00e9"'),
    *(
        b'"' + b"x" * NAME_BYTES_MAX + b'"',
        b'"' + b"x" * (NAME_BYTES_MAX + 1) + b'"',
        b"{}",
        b"[null]",
        b"-1",
    ),
    *(
        b"[[[[]]]]",
        b"1e3",
        b"30000",
        b"30001",
        b'"' + POSITION.encode().encode() + b'"',
        b'{"individual":"ana"}',
    ),
)
NAMES = (
    *(
        b'"individual"',
        b'"purpose"',
        b'"recipient"',
        b'"data"',
        b'"at"',
        b'"known_at"',
        b'"after"',
        b'"wait_ms"',
    ),
    *(b'"tenant"', b'"ind\\u0069vidual"', b'"individual\\u003a"', b'""'),
)


def outcome(read: Callable[[], object]) -> object:
    """What reading comes to: what was read, or all that was refused."""
    try:
        return read()
    except Problem as problem:
        return problem.kind, problem.errors


def random_object(dice: random.Random) -> bytes:
    """An object of a question's members, often good, often with one thing wrong, or with a name twice."""
    members = [(b'"individual"', b'"ana"'), (b'"purpose"', b'"website.email"')]
    members += [(dice.choice(NAMES), dice.choice(VALUES)) for _ in range(dice.choice((0, 0, 1, 1, 2, 3)))]
    if dice.random() < 0.1:
        members.pop(0)
    dice.shuffle(members)
    space = dice.choice((b"", b"", b" ", b"\n\t"))
    inside = b",".join(space + name + b":" + space + value for name, value in members)
    return b"{" + inside + dice.choice((b"}", b"}", b"}", b"} ", b"", b"}}", b",}"))


def test_one_question_is_read_as_strictly_as_any_other_body() -> None:
    """Twenty thousand bodies, good and bad: read quickly or not, the same question or the same faults."""
    dice, good = random.Random(5), 0
    for _ in range(20_000):
        raw = random_object(dice)
        strictly = outcome(lambda raw=raw: asking(read_json(raw), "main"))  # type: ignore[misc]  # mypy does not infer what is bound.
        assert outcome(lambda raw=raw: read_one(raw, "main")) == strictly, raw  # type: ignore[misc]  # mypy does not infer what is bound.
        good += not (isinstance(strictly, tuple) and strictly[0] in ("refused", "malformed_json"))
    assert good > 2_000


def test_many_questions_are_read_as_strictly_as_any_other_body() -> None:
    """The same of batches, with members beside the questions."""
    dice, good = random.Random(6), 0
    for _ in range(5_000):
        questions = b",".join(random_object(dice).strip() for _ in range(dice.choice((0, 1, 1, 2))))
        beside = dice.choice((b"", b"", b',"after":null', b',"wait_ms":5', b',"questions":[]', b',"x":1'))
        raw = b'{"questions":[' + questions + b"]" + beside + b"}"
        strictly = outcome(lambda raw=raw: asking_many(read_json(raw), "main"))  # type: ignore[misc]  # mypy does not infer what is bound.
        assert outcome(lambda raw=raw: read_many(raw, "main")) == strictly, raw  # type: ignore[misc]  # mypy does not infer what is bound.
        good += not isinstance(strictly, tuple) or not isinstance(strictly[0], str)
    assert good > 500


@pytest.mark.parametrize("repeated", [1, 2, 6, 7])
def test_a_name_that_stands_twice_is_refused(repeated: int) -> None:
    """However often, and though the last one alone would be a good question."""
    raw = GOOD[:-1] + b',"individual":"bo"' * repeated + b"}"
    with pytest.raises(Problem) as caught:
        read_one(raw, "main")
    assert caught.value.kind == "duplicate_name"


def test_a_batch_takes_as_many_questions_as_its_limit() -> None:
    """At the limit all are read; past it all are refused at once."""
    at = b'{"questions":[' + b",".join([GOOD] * QUESTIONS_MAX) + b"]}"
    past = b'{"questions":[' + b",".join([GOOD] * (QUESTIONS_MAX + 1)) + b"]}"
    assert len(read_many(at, "main").enquiries) == QUESTIONS_MAX
    with pytest.raises(Problem) as caught:
        read_many(past, "main")
    assert [fault.field for fault in caught.value.errors] == ["questions"]


def test_a_question_names_as_many_categories_as_its_limit() -> None:
    """At the limit they are read; past it they are refused."""
    for count, is_good in ((DATA_MAX, True), (DATA_MAX + 1, False)):
        raw = GOOD[:-1] + b',"data":' + msgspec.json.encode([f"c{number}" for number in range(count)]) + b"}"
        read = outcome(lambda raw=raw: read_one(raw, "main").enquiry.data[0])  # type: ignore[misc]  # mypy does not infer what is bound.
        assert isinstance(read, str) is is_good


def test_lines_are_read_up_to_their_limit() -> None:
    """At the limit all are read, empty ones not counted; past it all are refused."""
    assert len(read_lines(b"\n \n".join([GOOD] * LINES_MAX), "main")) == LINES_MAX
    with pytest.raises(Problem) as caught:
        read_lines(b"\n".join([GOOD] * (LINES_MAX + 1)), "main")
    assert caught.value.kind == "refused"


def test_every_fault_of_every_line_is_told_in_its_place() -> None:
    """A line that is no JSON, one with two faults, and one that would wait: all at once, by number."""
    bad = (b"{", b'{"individual":"a/b","purpose":"?"}', GOOD[:-1] + b',"wait_ms":5}', GOOD)
    with pytest.raises(Problem) as caught:
        read_lines(b"\n".join(bad), "main")
    fields = [fault.field for fault in caught.value.errors]
    assert fields == ["questions[0]", "questions[1].individual", "questions[1].purpose", "questions[2]"]


def test_a_decision_is_written_as_everywhere_else() -> None:
    """Alone, in a batch and as a line: the members of a decision's line in order, then what is beside."""
    decision = Decision(
        permitted=True,
        reason="required_by_law",
        policy=PolicyRef("hr", 2),
        evidence=("0190f4c1-0000-7000-8000-000000000000",),
        until=1_700_000_000_000_000,
        overrides=("erased", "opted_out"),
    )
    line, writer = format_decision(decision), Writer()
    assert writer.one(decision, POSITION) == msgspec.json.encode(told(decision, POSITION))
    assert writer.one(decision, None) == msgspec.json.encode(told(decision, None))
    assert writer.lines([(decision, POSITION)]) == writer.one(decision, POSITION) + b"\n"
    beside = b',"overrides":["erased","opted_out"]}'
    assert writer.many([decision], POSITION) == (
        b'{"position":"' + POSITION.encode().encode() + b'","decisions":[' + line[:-1] + beside + b"]}"
    )


def test_an_objection_is_written_beside_the_decision() -> None:
    """It stands there where there is one, and nothing stands there where there is none."""
    objection = "0190f4c1-0000-7000-8000-000000000009"
    necessary = Decision(permitted=True, reason="necessary", objection=objection)
    assert msgspec.json.decode(Writer().one(necessary, None))["objection"] == objection
    plain = Decision(permitted=True, reason="necessary")
    assert Writer().many([plain], None)[len(b'{"position":null,"decisions":[') : -2] == format_decision(plain)


def test_positions_are_told_each_as_it_is() -> None:
    """The text that is kept is the last position's: another one, none, and the first again are told truly."""
    other = Position.of(GENERATION, [(Slice("policies", 0), 9)])
    decision, writer = Decision(permitted=False, reason="not_told"), Writer()
    for position in (POSITION, other, None, POSITION, POSITION):
        said = msgspec.json.decode(writer.one(decision, position))["position"]
        assert said == (None if position is None else position.encode())


def test_as_many_written_decisions_are_kept_as_the_limit() -> None:
    """At the limit all bytes are forgotten and written anew, and what is told is the same whichever way."""
    writer, decisions = Writer(), []
    counts = []
    for number in range(WRITTEN_MAX + 2):
        decisions.append(Decision(permitted=False, reason="not_told", until=number))
        assert writer.again(decisions[-1], POSITION) == writer.one(decisions[-1], POSITION)
        counts.append(len(writer._kept))
    assert counts[-4:] == [WRITTEN_MAX - 1, WRITTEN_MAX, 1, 2]
    assert writer.again(decisions[0], None) == writer.one(decisions[0], None)


def test_the_position_of_a_batch_includes_that_of_each_answer() -> None:
    """Individuals of several partitions: each answer's position is covered, and nothing further on."""
    question = Question(tenant="main", individual="ana", purpose="a", at=0)
    decision = Decision(permitted=False, reason="not_told")
    places = [
        Position.of(GENERATION, [(Slice("individuals", n), n + 1), (Slice("policies", 0), 2)]) for n in (0, 4)
    ]
    whole = joined([Answer(decision, question, place) for place in (*places, places[0])])
    assert whole is not None
    assert all(whole.covers(place) for place in places)
    assert whole == places[0].joined(places[1])
    assert joined([]) is None
    assert joined([Answer(decision, question, None)]) is None
