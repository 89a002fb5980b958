"""The generated events are what they are said to be: the same for everyone, realistic, and valid lines."""

import hashlib
import itertools
from collections import Counter

import msgspec
import pytest

from benchmarks.generate import (
    RECENT_LINES,
    REPEATED_A_THOUSAND,
    SEED,
    TENANTS,
    event_lines,
    named,
    question_lines,
)
from events.lines import Line, parse_line
from events.union import EVENT_TYPES
from projections.question_lines import parse_question

COUNT = 6_000
DIGEST = "273666e33a4b4847e1610fa724ecf5178c3c194400eac3a02434f82a5ea6e660"


@pytest.fixture(scope="module")
def lines() -> list[bytes]:
    """Some thousand lines."""
    return list(event_lines(COUNT))


@pytest.fixture(scope="module")
def parsed(lines: list[bytes]) -> list[Line]:
    """What they say."""
    return [parse_line(line) for line in lines]


def test_the_same_seed_gives_the_same_bytes(lines: list[bytes]) -> None:
    """The lines of a seed and a count are the same on every machine and Python: this is their digest."""
    assert hashlib.sha256(b"\n".join(lines)).hexdigest() == DIGEST
    assert list(event_lines(COUNT, SEED + 1)) != lines


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 100])
def test_there_are_as_many_as_were_asked_for(count: int) -> None:
    """So many lines come as were asked for, events and questions alike, none of them with a line end."""
    lines = list(event_lines(count)) + list(question_lines(count, events=100))
    assert len(lines) == 2 * count
    assert not any(b"\n" in line for line in lines)


def test_they_are_as_many_people_as_are_said(parsed: list[Line]) -> None:
    """Of a thousand events about two hundred are the first of somebody, in two tenants."""
    people = {line.event.key for line in parsed if "/" in line.event.key}
    assert 0.17 < len(people) / COUNT < 0.23
    assert {key.partition("/")[0] for key in people} == set(TENANTS)


def test_there_is_something_of_everything_that_decides(parsed: list[Line]) -> None:
    """Every type that the decision reads is there, links and lapses of the ledger's own aside."""
    counts = Counter(type(line.event).__name__ for line in parsed)
    kept_for_the_record = {"ChoiceApplied", "DeliveryPlanned", "DeliveryAttempted"}
    deciding = {
        "PolicyAmended",
        "FrameworkStatusChanged",
        "IndividualDescribed",
        "NoticeGiven",
        "NoticeOutcome",
        "ChoiceMade",
        "ProcessingRestricted",
        "RestrictionLifted",
        "DisclosureCompelled",
        "IndividualErased",
    }
    assert set(counts) == deciding | kept_for_the_record <= set(EVENT_TYPES)
    assert counts["NoticeGiven"] > counts["ChoiceMade"] > counts["ProcessingRestricted"]


def test_letters_are_late(parsed: list[Line]) -> None:
    """Letters, and nothing else, are dated before they were recorded."""
    late = {
        line.event.medium
        for line in parsed
        if line.recorded_at is not None and line.event.occurred_at < line.recorded_at
    }
    assert late == {"mail"}


def test_some_lines_stand_twice(lines: list[bytes], parsed: list[Line]) -> None:
    """A few lines are repeated soon after, and no id stands under two contents."""
    repeated = sum(times - 1 for times in Counter(lines).values())
    assert 0.3 < repeated / (COUNT * REPEATED_A_THOUSAND / 1_000) < 2
    assert len({(line.event.key, line.event.event_id) for line in parsed}) == len(set(lines))
    last = {line: place for place, line in enumerate(lines)}
    assert max(last[line] - place for place, line in enumerate(lines)) <= RECENT_LINES + 1


def test_time_goes_on(lines: list[bytes]) -> None:
    """But for lines that stand twice, each is recorded after the one before it."""
    first = list(dict.fromkeys(lines))
    times = [parse_line(line).recorded_at or 0 for line in first]
    assert all(earlier < later for earlier, later in itertools.pairwise(times))


def test_questions_are_about_these_people(parsed: list[Line]) -> None:
    """Most questions are about people that the events are about, and each is one that can be asked."""
    people = {line.event.key for line in parsed}
    known = 0
    for line in question_lines(500, events=COUNT):
        enquiry = parse_question(line, TENANTS[0])
        known += enquiry.key in people
        assert msgspec.json.decode(line)["individual"] == enquiry.individual
    assert known > 400
    assert "/".join(named(SEED, 1)) in people
