"""Step 5 of the decision: what the individual was told, and since when they could choose.

Source: ``semantics.md``, *Told*.
"""

from collections.abc import Sequence

from events.instants import Micros
from projections.facts import Choice, Facts, Notice
from projections.plan import Plan


def notices_of(plan: Plan, facts: Facts, at: Micros) -> list[Notice]:
    """The notices that speak of the question, in order.

    ``semantics.md``: "the notices of that policy that count from t or before, whose version, where it stands
    and is known at k, has `effective_at ≤ t`, and whose `purposes` is null or names the purpose".
    """
    line = plan.line
    if line is None:
        return []
    return [
        notice
        for notice in facts.notices
        if notice.policy_id == line.policy_id
        and notice.counts_from <= at
        and (notice.purposes is None or plan.purpose in notice.purposes)
        and ((version := line.versions.get(notice.version)) is None or version.effective_at <= at)
    ]


def run_of(plan: Plan, notices: Sequence[Notice]) -> Sequence[Notice]:
    """``semantics.md``: "the unbroken series of covering notices that ends with the governing one"."""
    begin = len(notices)
    while begin and plan.told(notices[begin - 1].version).covers:
        begin -= 1
    return notices[begin:]


def choice_begins(plan: Plan, offer: Notice, governing: Notice) -> Micros:
    """The instant from which a use may begin after the offer of a choice, if nobody opts in earlier.

    ``semantics.md``: "f's `choice_period` (of its told terms, or of the governing ones if longer)".
    """
    if offer.at_collection:
        return offer.counts_from
    periods = (plan.told(offer.version).choice_period, plan.told(governing.version).choice_period)
    return offer.counts_from + max(periods)


def waives_period(choice: Choice | None, run: Sequence[Notice]) -> bool:
    """``semantics.md``: "the choice that applies (6) is an opt-in with `occurred_at` no earlier than the
    instant from which the run's first notice counts".
    """
    return choice is not None and choice.opt_in and choice.occurred_at >= run[0].counts_from
