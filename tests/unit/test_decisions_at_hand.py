"""Decisions that are given again: only for the same facts, the same policies, and while they last."""

import pytest

from choice_ledger.checking import DECISIONS_AT_HAND_MAX, _Decisions, _Kept, _OfOne
from events.catalogue import Catalogue, TenantPolicies
from events.instants import DAY, Micros
from events.streams import POLICIES, Slice
from projections.decide import decide
from projections.decision import Question, outside
from projections.facts_at_hand import Known
from projections.fold import live_facts
from projections.plan import DATA_AT_HAND_MAX
from tests.simulation.naive_facts import Line
from tests.simulation.worlds import recorded_of
from tests.simulation.written_lines import notice, opt_in, opt_out, terms, version

PURPOSE = "website.periodic_email"
LINES = (version(1, "03-01", terms(key=PURPOSE)), notice(1, "03-02", purposes=None))
KEPT = _Kept(outside("stale"), 0, None)
OF_POLICIES = ("PolicyAmended",)


def policies_of(lines: tuple[Line, ...]) -> TenantPolicies:
    """The policies that the lines say."""
    catalogue = Catalogue()
    for line in lines:
        if line["type"] in OF_POLICIES:
            catalogue = catalogue.after(recorded_of(line))
    return catalogue.tenant(lines[0]["tenant"])


def known_of(lines: tuple[Line, ...]) -> Known:
    """What the lines say of the individual."""
    history = [recorded_of(line) for line in lines if line["type"] not in OF_POLICIES]
    return Known(live_facts(history), Slice(POLICIES, 0), False)


def question_at(lines: tuple[Line, ...], known: Known, later: Micros = 0, **fields: object) -> Question:
    """A question about the individual of the lines, at the newest of their instants or later."""
    about = next(line for line in lines if "individual" in line)
    at = known.facts.newest_recorded_at + later
    asked = {"purpose": PURPOSE, "at": at, **fields}
    return Question(tenant=about["tenant"], individual=about["individual"], **asked)  # type: ignore[arg-type]  # The fields are those of a question.


def test_a_decision_is_given_again() -> None:
    """The second time the same object is the answer, and it is the right one."""
    policies, known = policies_of(LINES), known_of(LINES)
    decisions, question = _Decisions(), question_at(LINES, known)
    first = decisions.decide(policies, known, question)
    assert decisions.decide(policies, known, question_at(LINES, known, DAY)) is first
    assert first == decide(policies, known.facts, question)


def test_other_facts_are_decided_anew() -> None:
    """After an opt-out was folded, the individual's other facts make another decision at once."""
    policies, before = policies_of(LINES), known_of(LINES)
    more = (*LINES, opt_out("03-09", PURPOSE))
    after, decisions = known_of(more), _Decisions()
    assert decisions.decide(policies, before, question_at(LINES, before, 90 * DAY)).permitted
    denied = decisions.decide(policies, after, question_at(more, after, 90 * DAY))
    assert (denied.permitted, denied.reason) == (False, "opted_out")


def test_equal_facts_that_are_another_object_are_decided_anew() -> None:
    """Nothing is given again for facts that merely look the same: they were read at another moment."""
    policies, known, again = policies_of(LINES), known_of(LINES), known_of(LINES)
    decisions = _Decisions()
    first = decisions.decide(policies, known, question_at(LINES, known))
    second = decisions.decide(policies, again, question_at(LINES, again))
    assert second == first
    assert second is not first


def test_other_policies_are_decided_anew() -> None:
    """An amendment that declares the purpose no more denies at once, without a change of anybody's facts."""
    known, decisions = known_of(LINES), _Decisions()
    withdrawn = (*LINES, version(2, "03-03"))
    later = question_at(LINES, known, 90 * DAY)
    assert decisions.decide(policies_of(LINES), known, later).permitted
    assert decisions.decide(policies_of(withdrawn), known, later).reason == "purpose_not_declared"


def test_an_earlier_instant_is_decided_anew() -> None:
    """A decision is not given for an instant before the one that it was made for."""
    policies, known, decisions = policies_of(LINES), known_of(LINES), _Decisions()
    late = decisions.decide(policies, known, question_at(LINES, known, DAY))
    early = question_at(LINES, known)
    assert decisions.decide(policies, known, early) == decide(policies, known.facts, early)
    assert decisions.decide(policies, known, early) is not late


def test_a_consent_that_expires_is_not_given_again() -> None:
    """An opt-in is given again until it expires, and from that microsecond on denied."""
    lines = (
        version(1, "03-01", terms("opt_in", key=PURPOSE, valid_for="P30D")),
        notice(1, "03-02", purposes=None),
        opt_in("03-02", PURPOSE),
    )
    policies, known, decisions = policies_of(lines), known_of(lines), _Decisions()
    question = question_at(lines, known)
    first = decisions.decide(policies, known, question)
    assert (first.permitted, first.reason) == (True, "opted_in")
    assert first.until is not None
    last = question_at(lines, known, first.until - question.at - 1)
    over = question_at(lines, known, first.until - question.at)
    assert decisions.decide(policies, known, last) is first
    assert decisions.decide(policies, known, over).reason == "consent_expired"


def test_another_recipient_or_data_is_another_question() -> None:
    """What is asked for is part of what a decision is kept by."""
    policies, known, decisions = policies_of(LINES), known_of(LINES), _Decisions()
    for fields in ({}, {"recipient": "nobodyco"}, {"data": ("blood",)}, {"purpose": "website"}):
        question = question_at(LINES, known, **fields)
        assert decisions.decide(policies, known, question) == decide(policies, known.facts, question)


def test_what_was_known_then_is_never_kept() -> None:
    """A question with `known_at` is decided each time, and leaves nothing behind."""
    policies, known, decisions = policies_of(LINES), known_of(LINES), _Decisions()
    question = question_at(LINES, known, known_at=known.facts.newest_recorded_at)
    assert decisions.decide(policies, known, question) == decide(policies, known.facts, question)
    assert not decisions._kept


def test_no_more_are_kept_than_the_limit() -> None:
    """At the limit all are forgotten, so that memory is bounded whatever is asked."""
    policies, known, decisions = policies_of(LINES), known_of(LINES), _Decisions()
    decisions.decide(policies, known, question_at(LINES, known))
    for number in range(DECISIONS_AT_HAND_MAX - 2):
        decisions._keep(f"main/{number}", _OfOne(known, policies, {(PURPOSE, None, ()): KEPT}))
    counts = []
    for number in range(3):
        decisions.decide(policies, known, question_at(LINES, known, purpose=f"p{number}"))
        counts.append(decisions.count)
    assert counts == [DECISIONS_AT_HAND_MAX, 1, 2]
    assert counts[-1] == sum(len(each.by_question) for each in decisions._kept.values())


def test_facts_that_are_no_more_are_let_go() -> None:
    """However many questions are asked while an individual's facts change, only the latest facts are held."""
    policies, known, decisions = policies_of(LINES), known_of(LINES), _Decisions()
    for number in range(5):
        known = known_of(LINES)
        for purpose in ("one", f"another-{number}"):
            decisions.decide(policies, known, question_at(LINES, known, purpose=purpose))
    (held,) = decisions._kept.values()
    assert held.known is known
    assert (decisions.count, set(held.by_question)) == (
        2,
        {("one", None, ()), ("another-4", None, ())},
    )


@pytest.mark.parametrize(("categories", "kept"), [(DATA_AT_HAND_MAX, 1), (DATA_AT_HAND_MAX + 1, 0)])
def test_a_question_of_many_data_leaves_nothing_behind(categories: int, kept: int) -> None:
    """Neither plan nor decision is kept for more categories than the limit: a name may be long."""
    policies, known, decisions = policies_of(LINES), known_of(LINES), _Decisions()
    data = tuple(f"category-{number}" for number in range(categories))
    question = question_at(LINES, known, data=data)
    assert decisions.decide(policies, known, question) == decide(policies, known.facts, question)
    assert (decisions.count, len(policies.known_at(None).plans)) == (kept, kept)
