"""``decide``: is a use permitted, why, on which events, and until when. A pure function.

Source: ``semantics.md``, *The decision, in this order; the first that applies answers*. The numbers in the
comments are those of its steps.
"""

from bisect import bisect_right
from typing import Final, NamedTuple

from events.catalogue import PolicyView, TenantPolicies
from events.instants import INSTANT_MAX, Micros
from events.selectors import covers
from projections.chosen import Chosen, chosen
from projections.decision import PERMITTING, Decision, Override, Question, Reason
from projections.facts import Compelled, Facts, Notice
from projections.plan import Plan, lapsed_framework, plan_for
from projections.told import choice_begins, notices_of, run_of, waives_period

UNTIL_STEPS_MAX: Final = 1_000
"""Instants tried in search of ``until``; past that it is the last one tried, which is never too late."""

MINOR: Final = "minor"
"""The population whose opt-ins count only from a guardian."""


class _Answer(NamedTuple):
    """One instant's answer. ``turns_at`` lists instants from which a period or a consent in it may end."""

    reason: Reason
    evidence: tuple[str, ...]
    turns_at: tuple[Micros, ...] = ()
    overrides: tuple[Override, ...] = ()
    objection: str | None = None


class _Case(NamedTuple):
    """All that an answer at one instant depends on."""

    view: PolicyView
    plan: Plan
    facts: Facts
    at: Micros
    jurisdiction: str | None
    populations: tuple[str, ...]


class Lasting(NamedTuple):
    """A decision, and the instant before which the same question gets the same one, in every member.

    ``holds_before`` is no later than ``decision.until``, and null where it holds for ever. It counts from
    the question's ``at``, and only while nothing more is recorded.
    """

    decision: Decision
    holds_before: Micros | None


def decide(policies: TenantPolicies, facts: Facts, question: Question) -> Decision:
    """The decision on a question.

    ``facts`` must be what was known of the individual at ``question.known_at``; pruned facts do only for
    ``at`` no earlier than their ``newest_recorded_at``. Raises nothing: what is unknown is denied.
    """
    return decide_lasting(policies, facts, question).decision


def decide_lasting(policies: TenantPolicies, facts: Facts, question: Question) -> Lasting:
    """The decision on a question, as ``decide`` gives it, and how long it may be given again."""
    view = policies.known_at(question.known_at)
    case = _case(view, facts, question, question.at)
    answer = _answer(case)
    following = _next_change(case, answer, question.at)
    decision = Decision(
        permitted=answer.reason in PERMITTING,
        reason=answer.reason,
        policy=case.plan.policy,
        evidence=answer.evidence,
        until=_until(case, answer, question, following),
        overrides=answer.overrides,
        objection=answer.objection,
    )
    # What a law overrides may change, by a consent that expires, while the reason stays: such an answer
    # lists no instants of that, so it is not to be given again.
    return Lasting(decision, question.at if facts.compelled else following)


def _until(case: _Case, first: _Answer, question: Question, following: Micros | None) -> Micros | None:
    """The first instant at which permission or reason is another; null if there is none.

    Between two neighbouring instants of ``_next_change`` nothing that an answer reads changes, so trying
    those one after the other, from ``following`` on, finds the true one.
    """
    at = question.at
    for _ in range(UNTIL_STEPS_MAX):
        if following is None or following > INSTANT_MAX:
            return None
        at = following
        case = _case(case.view, case.facts, question, at)
        answer = _answer(case)
        if answer.reason != first.reason:  # A reason either always permits or never does.
            return at
        following = _next_change(case, answer, at)
    return at


def _next_change(case: _Case, answer: _Answer, at: Micros) -> Micros | None:
    instants = case.facts.changes_after(at)
    instants.extend(instant for instant in answer.turns_at if instant > at)
    for published in (case.view.instants, () if case.plan.line is None else case.plan.line.instants):
        if published and published[-1] > at:
            instants.append(published[bisect_right(published, at)])
    return min(instants) if instants else None


def _case(view: PolicyView, facts: Facts, question: Question, at: Micros) -> _Case:
    jurisdiction: str | None = None
    populations: tuple[str, ...] | None = None
    for description in facts.descriptions:
        if description.occurred_at <= at:
            jurisdiction = description.jurisdiction if description.jurisdiction is not None else jurisdiction
            populations = description.populations if description.populations is not None else populations
    return _Case(view, plan_for(view, question, at), facts, at, jurisdiction, populations or ())


def _answer(case: _Case) -> _Answer:
    facts = case.facts
    if facts.compelled:  # 1
        compelled = next((c for c in facts.compelled if _compels(case, c)), None)
        if compelled is not None:
            return _Answer("required_by_law", (compelled.event_id,), (), _overridden(case))
    if facts.erasures:  # 2
        erased = _erased_by(case)
        if erased is not None:
            return _Answer("erased", (erased,))
    if facts.restrictions:  # 3
        restricted = _restricted_by(case)
        if restricted is not None:
            return _Answer("restricted", (restricted,))
    return _undeclared(case) or _told_and_chosen(case)


def _compels(case: _Case, compelled: Compelled) -> bool:
    """1: "names this recipient, its selectors cover the purpose's key, `from ≤ t < to`, and its `data` is
    null or includes D [...] it never covers own use".
    """
    return (
        compelled.recipient == case.plan.recipient
        and compelled.occurred_at <= case.at
        and compelled.since <= case.at
        and (compelled.to is None or case.at < compelled.to)
        and covers(compelled.purposes, case.plan.purpose)
        and (compelled.data is None or case.plan.data.issubset(compelled.data))
    )


def _erased_by(case: _Case) -> str | None:
    """2: "`erased` → denied, unless the terms in force say `survives_erasure`"."""
    if case.plan.terms is not None and case.plan.terms.survives_erasure:
        return None
    return next((e.event_id for e in case.facts.erasures if e.occurred_at <= case.at), None)


def _restricted_by(case: _Case) -> str | None:
    """3: "A restriction's selectors cover the purpose's key, or a key that the terms in force replace, and
    it is not over, unless the terms in force say `survives_restriction`".
    """
    if case.plan.terms is not None and case.plan.terms.survives_restriction:
        return None
    for restriction in case.facts.restrictions:
        standing = restriction.occurred_at <= case.at and (
            restriction.over_from is None or case.at < restriction.over_from
        )
        if standing and any(covers(restriction.purposes, key) for key in case.plan.covered_keys):
            return restriction.event_id
    return None


def _overridden(case: _Case) -> tuple[Override, ...]:
    """1: "What it overrides (erased, restricted, opted out) is reported beside the answer"."""
    overrides: list[Override] = []
    if _erased_by(case) is not None:
        overrides.append("erased")
    if _restricted_by(case) is not None:
        overrides.append("restricted")
    notices = notices_of(case.plan, case.facts, case.at)
    applies = _choose(case, notices).applies
    if applies is not None and not applies.opt_in:
        overrides.append("opted_out")
    return tuple(overrides)


def _undeclared(case: _Case) -> _Answer | None:
    """4: "**Declared.** In this order"."""
    plan, terms = case.plan, case.plan.terms
    if terms is None:
        return _Answer("purpose_not_declared", plan.amended_by)
    if terms.populations is not None and not any(p in terms.populations for p in case.populations):
        return _Answer("population_not_covered", plan.amended_by)
    if not plan.recipient_declared:
        return _Answer("recipient_not_declared", plan.amended_by)
    if not plan.data_declared:
        return _Answer("data_not_declared", plan.amended_by)
    if terms.transfer_basis:
        lapsed, status = lapsed_framework(case.view, terms, case.jurisdiction, case.at)
        if lapsed:  # The status is one of the four exceptions; where none is recorded, the policy decided.
            return _Answer("transfer_basis_lapsed", plan.amended_by if status is None else (status.event_id,))
    return None


def _choose(case: _Case, notices: list[Notice]) -> Chosen:
    plan = case.plan
    mode = plan.stricter(plan.told(notices[-1].version)) if notices else plan.mode
    return chosen(plan, case.facts, notices, mode=mode, at=case.at, minor=MINOR in case.populations)


def _told_and_chosen(case: _Case) -> _Answer:
    """5: "**Told.**", then 6: "**Chosen.**"."""
    plan = case.plan
    notices = notices_of(plan, case.facts, case.at)
    if not notices:
        return _Answer("not_told", plan.amended_by)
    governing = notices[-1]
    evidence = (*plan.amended_by, governing.event_id)
    told = plan.told(governing.version)
    if not told.covers:
        return _Answer("told_terms_differ", evidence)
    mode = plan.stricter(told)
    choice = chosen(plan, case.facts, notices, mode=mode, at=case.at, minor=MINOR in case.populations)
    turns_at = choice.expiries
    if mode != "necessary":
        run = run_of(plan, notices)
        offer = next((notice for notice in run if notice.choice_offered), None)
        if offer is None:
            return _Answer("no_choice_offered", evidence)
        begins = choice_begins(plan, offer, governing)
        if case.at < begins:
            turns_at = (*turns_at, begins)
            if not waives_period(choice.applies, run):
                offered = () if offer is governing else (offer.event_id,)
                return _Answer("choice_period_running", evidence + offered, turns_at)
    return _Answer(*_chosen_answer(choice, mode, evidence), turns_at, (), _objection(choice))


def _objection(choice: Chosen) -> str | None:
    """6: "an objection is reported beside the answer"."""
    return choice.objection.event_id if choice.applies is None and choice.objection is not None else None


def _chosen_answer(choice: Chosen, mode: str, evidence: tuple[str, ...]) -> tuple[Reason, tuple[str, ...]]:
    """6: "What applies answers [...] Where none applies"."""
    if choice.applies is not None:
        reason: Reason = "opted_in" if choice.applies.opt_in else "opted_out"
        return reason, (*evidence, choice.applies.event_id)
    if mode == "necessary":
        return "necessary", evidence
    if mode == "opt_out":
        return "not_opted_out", evidence
    if choice.fault is not None and choice.faulty is not None:
        return choice.fault, (*evidence, choice.faulty.event_id)
    return "consent_required", evidence
