"""The random histories, and what holds for the plain decision on every one of them."""

import random
from collections.abc import Iterator
from datetime import datetime, timedelta

from tests.simulation.histories import LINES_A_WORLD_MAX, QUESTIONS_A_WORLD, generate
from tests.simulation.naive_decide import decide, instants
from tests.simulation.naive_facts import Line, instant, instant_text, what_is_known
from tests.simulation.reason_table import count_reasons

REASONS = (
    *("required_by_law", "erased", "restricted", "purpose_not_declared", "population_not_covered"),
    *(
        "recipient_not_declared",
        "data_not_declared",
        "transfer_basis_lapsed",
        "not_told",
        "told_terms_differ",
    ),
    *("no_choice_offered", "choice_period_running", "opted_out", "opted_in", "necessary", "not_opted_out"),
    *("consent_required", "consent_predates_terms", "consent_expired", "consent_not_by_guardian"),
)
PERMITTED = {"required_by_law", "opted_in", "necessary", "not_opted_out"}
OF_POLICIES = ("PolicyAmended", "FrameworkStatusChanged", "SafeguardWaived")
CHANGE_NOTHING = (
    "ChoiceApplied",
    "Mandate",
    "Individuals",
    "Request",
    "Complaint",
    "PersonalData",
    "SafeguardWaived",
)


def worlds(count: int) -> Iterator[tuple[list[Line], list[Line]]]:
    """That many worlds, always the same ones."""
    rng = random.Random(20260301)
    return (generate(rng) for _ in range(count))


def test_one_seed_gives_one_history() -> None:
    """The same seed gives the same lines and questions; another gives others."""
    first, again, other = (generate(random.Random(seed)) for seed in (7, 7, 8))
    assert first == again
    assert first != other


def test_every_reason_is_reached_often() -> None:
    """In 4,000 questions each reason answers 40 at least, and no other reason does."""
    reasons = count_reasons(seed=1, worlds=100)
    assert set(reasons) == set(REASONS)
    assert sum(reasons.values()) == 100 * QUESTIONS_A_WORLD
    assert min(reasons.values()) >= 40


def test_every_history_is_a_log() -> None:
    """No more lines than the limit; receipts never go back within a stream; nothing is recorded before it
    happens.
    """
    for lines, _ in worlds(200):
        assert 1 <= len(lines) <= LINES_A_WORLD_MAX
        for of_policies in (True, False):
            receipts = [x["recorded_at"] for x in lines if (x["type"] in OF_POLICIES) == of_policies]
            assert receipts == sorted(receipts)
        assert all(line["occurred_at"] <= line["recorded_at"] for line in lines)
        assert all((line["type"] in OF_POLICIES) == ("individual" not in line) for line in lines)


def test_a_reason_is_always_permitted_or_never() -> None:
    """The four recorded ways to permit, and no other, permit; what is permitted rests on an event."""
    for lines, questions in worlds(50):
        for answer in (decide(lines, question) for question in questions):
            assert answer["permitted"] == (answer["reason"] in PERMITTED)
            assert answer["evidence"] or answer["reason"] == "purpose_not_declared"


def test_until_is_the_first_change() -> None:
    """The answer stays the same just before `until`, and at every instant drawn before it; at `until` it
    differs.
    """
    rng = random.Random(5)
    for lines, questions in worlds(60):
        for question in questions[:8]:
            answer = decide(lines, question)
            begin = instant(question["at"])
            end = instant(answer["until"]) if answer["until"] else begin + 90 * 86_400_000_000
            drawn = [begin + 1, end - 1, *(rng.randrange(begin, end) for _ in range(4))]
            for moment in (each for each in drawn if each < end):
                assert reason_at(lines, question, moment) == answer["reason"]
            if answer["until"]:
                assert reason_at(lines, question, end) != answer["reason"]


def reason_at(lines: list[Line], question: Line, moment: int) -> str:
    """The reason of the same question at another instant."""
    return str(decide(lines, question | {"at": instant_text(moment)})["reason"])


def test_any_order_of_arrival_and_any_repetition_gives_the_same_answer() -> None:
    """An individual's events are a set: shuffled, and with repeats of the first of each id, they answer the
    same.
    """
    rng = random.Random(6)
    for lines, questions in worlds(60):
        seen: set[tuple[str, str, str]] = set()
        firsts = [x for x in lines if "individual" in x and not repeats(seen, x)]
        policies = [x for x in lines if "individual" not in x]
        shuffled = rng.sample(firsts * 2, 2 * len(firsts))
        for question in questions[:8]:
            assert decide(policies + shuffled, question) == decide(lines, question)


def repeats(seen: set[tuple[str, str, str]], line: Line) -> bool:
    """Whether the id of an individual's line was seen before; it is from now on."""
    identity = (line["tenant"], line["individual"], line["event_id"])
    found = identity in seen
    seen.add(identity)
    return found


def test_events_that_decide_nothing_change_nothing() -> None:
    """Without the requests, complaints, mandates, links and receipts of a history its answers are the
    same.
    """
    for lines, questions in worlds(60):
        kept = [x for x in lines if not x["type"].startswith(CHANGE_NOTHING)]
        if len({(x["tenant"], x.get("individual"), x["event_id"]) for x in lines}) == len(lines):
            for question in questions[:8]:
                assert decide(kept, question) == decide(lines, question)


def test_boundaries_are_met_exactly() -> None:
    """One question in five at least falls on an instant at which something could change, or beside it."""
    met = asked = 0
    for lines, questions in worlds(50):
        for question in questions:
            moments = set(instants(what_is_known(lines, question), question["purpose"]))
            asked += 1
            met += any(instant(question["at"]) + beside in moments for beside in (-1, 0, 1))
    assert met * 5 >= asked


def test_instants_survive_their_text() -> None:
    """An instant is read as the microsecond that it was written as."""
    micros = 1_777_777_777_777_777
    assert instant(instant_text(micros)) == micros
    assert datetime.fromisoformat(instant_text(micros)).utcoffset() == timedelta(0)
