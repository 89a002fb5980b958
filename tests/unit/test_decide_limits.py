"""The limits of the decision, at them and past them; and what a fold keeps when something repeats."""

import msgspec

from events.catalogue import Catalogue
from events.individual_events import ChoiceMade, NoticeGiven
from events.instants import DAY, INSTANT_MAX
from events.policy_events import PolicyAmended
from events.terms import Terms
from events.union import Recorded
from projections.decide import UNTIL_STEPS_MAX, decide
from projections.decision import Decision, Question, outside
from projections.facts import NO_FACTS, told_versions
from projections.fold import live_facts
from projections.plan import PLANS_MAX, plan_for

ASKED = Question(tenant="t", individual="ana", purpose="website.email", at=0)


def event_id(number: int) -> str:
    return f"00000000-0000-4000-8000-{number:012d}"


def published(terms: Terms) -> Catalogue:
    event = PolicyAmended(
        event_id=event_id(1),
        tenant="t",
        occurred_at=0,
        policy_id="website",
        version=1,
        effective_at=0,
        purposes=(terms,),
    )
    return Catalogue().after(Recorded(event, 0))


def told(number: int, at: int) -> Recorded:
    event = NoticeGiven(
        event_id=event_id(number),
        tenant="t",
        individual="ana",
        occurred_at=at,
        notice_id=f"n{number}",
        policy_id="website",
        version=1,
        choice_offered=True,
    )
    return Recorded(event, at)


def opted_out(number: int, at: int) -> Recorded:
    event = ChoiceMade(
        event_id=event_id(number),
        tenant="t",
        individual="ana",
        occurred_at=at,
        decision="opt_out",
        purposes=("elsewhere",),
    )
    return Recorded(event, at)


def until_after(choices: int) -> Decision:
    """The decision on day 0 of somebody who chooses something irrelevant on each of the next days."""
    history = [told(2, 0), *(opted_out(3 + day, (day + 1) * DAY) for day in range(choices))]
    facts = live_facts(history)
    policies = published(Terms(key="website.email", mode="opt_out")).tenant("t")
    return decide(policies, facts, ASKED)


def test_until_is_exact_up_to_the_limit_of_steps() -> None:
    """With as many instants to try as the limit allows, an answer that never changes says so."""
    assert until_after(UNTIL_STEPS_MAX - 1).until is None


def test_until_past_the_limit_of_steps_is_early_and_never_late() -> None:
    """With more instants than that, the last one tried is given, which is before any change."""
    assert until_after(UNTIL_STEPS_MAX).until == UNTIL_STEPS_MAX * DAY


def test_a_change_that_no_calendar_can_write_is_none() -> None:
    """A period that would end after the year 9999 never ends."""
    policies = published(Terms(key="website.email", mode="opt_out", choice_period=DAY)).tenant("t")
    facts = live_facts([told(2, INSTANT_MAX)])
    decision = decide(policies, facts, msgspec.structs.replace(ASKED, at=INSTANT_MAX))
    assert (decision.reason, decision.until) == ("choice_period_running", None)


def test_plans_are_kept_up_to_their_limit() -> None:
    """At `PLANS_MAX` plans all are at hand; one more begins the memory anew, and answers the same."""
    view = published(Terms(key="website.email", mode="opt_out")).tenant("t").known_at(None)
    questions = [msgspec.structs.replace(ASKED, recipient=f"r{number}") for number in range(PLANS_MAX + 1)]
    first = plan_for(view, questions[0], 0)
    for question in questions[:-1]:
        plan_for(view, question, 0)
    assert plan_for(view, questions[0], 0) is first
    plan_for(view, questions[-1], 0)
    anew = plan_for(view, questions[0], 0)
    assert anew is not first
    assert (anew.policy, anew.recipient_declared) == (first.policy, first.recipient_declared)


def test_a_banner_seen_daily_is_two_facts() -> None:
    """Of notices that say the same, the first and the last are kept; a thousand more add nothing."""
    facts = live_facts([told(number + 2, number * DAY) for number in range(1_000)])
    assert [notice.counts_from for notice in facts.notices] == [0, 999 * DAY]
    assert told_versions(facts) == {"website": 1}


def test_nothing_recorded_is_no_facts() -> None:
    """An empty history gives the facts of somebody unknown."""
    assert live_facts([]) == NO_FACTS


def test_what_cannot_be_determined_is_denied() -> None:
    """A reason from outside the decision denies, with no evidence and no end."""
    assert outside("quarantined") == Decision(permitted=False, reason="quarantined")
